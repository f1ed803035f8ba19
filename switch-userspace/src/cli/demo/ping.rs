//! Who reaches whom: every container pings every other one, over IPv4 and IPv6.

use super::{
    DemoError,
    command::{Background, show},
    stage::{CONTAINERS, Container, Stage},
};
use crate::cli::{output, table::Table};

pub(super) fn run(stage: &mut Stage) -> Result<(), DemoError> {
    show(&stage.runner.inside(CONTAINERS[0].name, &line(CONTAINERS[1].v4)))?;
    output::line("  and so on for all pairs, at the same time")?;
    let mut pings = Vec::new();
    for from in &CONTAINERS {
        for to in CONTAINERS.iter().filter(|to| to.name != from.name) {
            for (family, address) in [("v4", to.v4), ("v6", to.v6)] {
                let ping = Background::start(&mut stage.runner.inside(from.name, &line(address)))?;
                pings.push((from, to, family, ping));
            }
        }
    }
    let mut reached = Vec::new();
    for (from, to, family, ping) in pings {
        if ping.finish().is_ok() {
            reached.push((from.name, to.name, family));
        }
    }
    show_matrix(&reached)?;

    let answers = |from: &Container, to: &Container| {
        reached.iter().filter(|(one, other, _)| (*one, *other) == (from.name, to.name)).count()
    };
    let pairs = || CONTAINERS.iter().flat_map(|from| CONTAINERS.iter().map(move |to| (from, to)));
    let mut same = pairs().filter(|(from, to)| from.network == to.network && from.name != to.name);
    let mut other = pairs().filter(|(from, to)| from.network != to.network);
    stage.expect(
        "containers of one network reach each other, over IPv4 and IPv6",
        same.all(|(a, b)| answers(a, b) == 2),
    )?;
    stage.expect("containers of different networks do not", other.all(|(a, b)| answers(a, b) == 0))
}

/// Sends until there is an answer, for two seconds at most.
fn line(address: &str) -> String {
    format!("ping -n -q -c 1 -w 2 {address}")
}

fn show_matrix(reached: &[(&str, &str, &str)]) -> Result<(), DemoError> {
    let names = CONTAINERS.iter().map(|container| container.name);
    let headers: Vec<&'static str> = std::iter::once("FROM\\TO").chain(names).collect();
    let mut table = Table::new(&headers);
    for from in &CONTAINERS {
        let cell = |to: &Container| {
            if from.name == to.name {
                return String::new();
            }
            let families: Vec<_> = reached
                .iter()
                .filter(|(one, other, _)| (*one, *other) == (from.name, to.name))
                .map(|(_, _, family)| *family)
                .collect();
            if families.is_empty() { "no".to_owned() } else { families.join(" ") }
        };
        table.row(std::iter::once(from.name.to_owned()).chain(CONTAINERS.iter().map(cell)));
    }
    Ok(output::print(table.to_string())?)
}
