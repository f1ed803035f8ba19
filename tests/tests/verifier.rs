//! The kernel's verifier looks at this many instructions of each program, and no more.

use std::{collections::BTreeMap, env, fs, path::Path};

use switch_common::abi::names::PROGRAMS;
use switch_userspace::datapath::kernel::verified_instructions;

/// Instructions by program.
type Budget = BTreeMap<String, u32>;

const HEAD: &str = "\
# Most instructions that the verifier may process of each program: those of the day it was written and a twentieth more.
# `cargo xtask verifier-budget --update` rewrites it.
";

/// A twentieth more, so that only growth worth a thought fails.
fn with_room(count: u32) -> u32 {
    count + count.div_ceil(20)
}

#[test]
fn verifier_budget_holds_for_every_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier-budget.toml");
    let counts: Budget = verified_instructions()
        .expect("the programs load")
        .into_iter()
        .map(|(program, count)| (String::from(program), count))
        .collect();
    assert_eq!(counts.len(), PROGRAMS.len(), "{counts:?}");
    if env::var_os("UPDATE").is_some() {
        let budget: Budget =
            counts.iter().map(|(program, count)| (program.clone(), with_room(*count))).collect();
        let body = toml::to_string(&budget).expect("numbers are TOML");
        fs::write(&path, format!("{HEAD}{body}")).expect("the budget is written");
    }
    let text = fs::read_to_string(&path).expect("the budget file");
    let budget: Budget = toml::from_str(&text).expect("a number for each program");
    for (program, count) in &counts {
        let most = budget.get(program).unwrap_or_else(|| panic!("{program} ({count}) has no budget"));
        assert!(count <= most, "{program}: {count} instructions verified, the budget is {most}");
    }
    let gone: Vec<_> = budget.keys().filter(|program| !counts.contains_key(*program)).collect();
    assert!(gone.is_empty(), "budget for programs that do not exist: {gone:?}");
}
