//! TCP throughput between two containers, through wye and through a Linux bridge in turn.

use std::{fs, time::Duration};

use serde_json::Value;

use super::{
    DemoError,
    command::{Background, show},
    stage::{CONTAINERS, Stage},
};
use crate::cli::output;

const ROUNDS: usize = 3;
const RUN_TIME: Duration = Duration::from_secs(2);
const BRIDGE_NETFILTER: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// The bridge and two containers at it, and how each is removed.
const BRIDGE: [(&str, &str); 3] = [
    ("ip netns add demo-left", "ip netns delete demo-left"),
    ("ip netns add demo-right", "ip netns delete demo-right"),
    ("ip link add name br0 type bridge", "ip link delete br0"),
];
const BRIDGE_PORTS: [&str; 10] = [
    "link set br0 up",
    "link add name left type veth peer name eth0 netns demo-left",
    "link add name right type veth peer name eth0 netns demo-right",
    "link set left master br0 up",
    "link set right master br0 up",
    "-netns demo-left addr add 10.91.3.11/24 dev eth0",
    "-netns demo-left link set eth0 up",
    "-netns demo-right addr add 10.91.3.12/24 dev eth0",
    "-netns demo-right link set eth0 up",
    "-br link show master br0",
];
const BRIDGE_SERVER: &str = "10.91.3.12";

pub(super) fn run(stage: &mut Stage) -> Result<(), DemoError> {
    for (make, remove) in BRIDGE {
        stage.make(make, remove)?;
    }
    for words in BRIDGE_PORTS {
        stage.runner.other(&format!("ip {words}"))?;
    }
    show(&wye_client(stage))?;
    show(&bridge_client(stage))?;
    let (mut wye, mut bridge) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        wye.push(measure(stage.runner.inside(CONTAINERS[1].name, SERVER), wye_client(stage))?);
        let server = stage.runner.command("ip", &format!("netns exec demo-right {SERVER}"));
        bridge.push(measure(server, bridge_client(stage))?);
    }
    let netfilter = fs::read_to_string(BRIDGE_NETFILTER).unwrap_or_default();
    let netfilter = if netfilter.trim() == "1" { "on" } else { "off" };
    let (wye, bridge) = (median(&mut wye), median(&mut bridge));
    output::line(format!("  through wye             {}", rate(wye)))?;
    output::line(format!("  through a Linux bridge  {}  (br_netfilter {netfilter})", rate(bridge)))?;
    output::line(format!(
        "  medians of {ROUNDS} rounds in turn; most of the time is spent in TCP on both ways"
    ))?;
    stage.expect("TCP flows through both", wye > 0.0 && bridge > 0.0)
}

const SERVER: &str = "iperf3 --server --one-off --forceflush";

fn client(address: &str) -> String {
    format!("iperf3 --client {address} --time {} --json", RUN_TIME.as_secs())
}

fn wye_client(stage: &Stage) -> std::process::Command {
    stage.runner.inside(CONTAINERS[0].name, &client(CONTAINERS[1].v4))
}

fn bridge_client(stage: &Stage) -> std::process::Command {
    stage.runner.command("ip", &format!("netns exec demo-left {}", client(BRIDGE_SERVER)))
}

/// Bits a second that the server received.
fn measure(mut server: std::process::Command, mut client: std::process::Command) -> Result<f64, DemoError> {
    let mut server = Background::start(&mut server)?;
    server.wait_for_output("Server listening")?;
    let report = Background::start(&mut client)?.finish()?;
    server.finish()?;
    received(&report).ok_or(DemoError::Report { program: "iperf3", what: "rate of received data" })
}

fn received(report: &str) -> Option<f64> {
    let report: Value = serde_json::from_str(report).ok()?;
    report.pointer("/end/sum_received/bits_per_second")?.as_f64()
}

/// The middle one of an odd number of values.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn rate(bits_per_second: f64) -> String {
    format!("{:.1} Gbit/s", bits_per_second / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_the_receivers_sum() {
        let report =
            r#"{"end": {"sum_sent": {"bits_per_second": 2e9}, "sum_received": {"bits_per_second": 1.5e9}}}"#;
        assert_eq!(received(report).map(rate), Some("1.5 Gbit/s".to_owned()));
        assert_eq!(received(r#"{"error": "unable to connect"}"#), None);
    }

    #[test]
    fn the_median_is_the_middle_value() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }
}
