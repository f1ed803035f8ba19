//! The rival: a Linux bridge, with netfilter looking into its frames or not.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use switch_common::abi::addr::MacAddr;
use switch_userspace::netns::Netns;

use super::Container;

const BRIDGE: &str = "br0";
/// What br_netfilter hands to iptables, per namespace.
const SETTINGS: [&str; 3] =
    ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables", "bridge-nf-call-arptables"];

/// Whether frames on the bridge go through the host's iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Netfilter {
    /// br_netfilter is off.
    Off,
    /// br_netfilter is on; this many rules of which the last one accepts.
    Rules(u32),
}

/// Makes the bridge.
///
/// # Errors
/// `ip` or `iptables-restore` are missing or fail.
pub(super) fn create(host: &Netns, netfilter: Netfilter) -> Result<()> {
    host.run(|| {
        run("ip", &["link", "add", BRIDGE, "type", "bridge", "forward_delay", "0"], "")?;
        run("ip", &["link", "set", BRIDGE, "up"], "")?;
        set_netfilter(netfilter)
    })
}

/// Puts a container on the bridge, its MAC as a static entry.
///
/// # Errors
/// `ip` or `bridge` are missing or fail.
pub(super) fn join(host: &Netns, container: &Container) -> Result<()> {
    let port = container.port_name()?;
    let mac = container.mac().to_string();
    host.run(|| {
        run("ip", &["link", "set", port.as_str(), "master", BRIDGE], "")?;
        run("bridge", &["fdb", "replace", &mac, "dev", port.as_str(), "master", "static"], "")
    })
}

/// Enters MACs as learned behind the container's port.
///
/// # Errors
/// `bridge` is missing or fails.
pub(super) fn learn(host: &Netns, macs: impl Iterator<Item = MacAddr>, behind: &Container) -> Result<()> {
    let port = behind.port_name()?;
    let commands: String = macs.map(|mac| format!("fdb replace {mac} dev {port} master dynamic\n")).collect();
    host.run(|| run("bridge", &["-batch", "-"], &commands))
}

fn set_netfilter(netfilter: Netfilter) -> Result<()> {
    let value = if netfilter == Netfilter::Off { "0" } else { "1" };
    for setting in SETTINGS {
        let path = format!("/proc/sys/net/bridge/{setting}");
        match fs::write(&path, value) {
            // Without br_netfilter it is off.
            Err(_) if netfilter == Netfilter::Off => {}
            written => written.with_context(|| format!("cannot write {path}; is br_netfilter loaded?"))?,
        }
    }
    if let Netfilter::Rules(count) = netfilter {
        run("iptables-restore", &[], &rules(count))?;
    }
    Ok(())
}

/// Rules that do not match, then one that accepts.
fn rules(count: u32) -> String {
    let others: String = (1..count)
        .map(|number| number.to_be_bytes())
        .map(|[_, b, c, d]| format!("-A FORWARD -s 192.{b}.{c}.{d} -j DROP\n"))
        .collect();
    format!("*filter\n:FORWARD ACCEPT [0:0]\n{others}-A FORWARD -j ACCEPT\nCOMMIT\n")
}

fn run(program: &str, arguments: &[&str], input: &str) -> Result<()> {
    let line = format!("{program} {}", arguments.join(" "));
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{line}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).with_context(|| format!("`{line}` does not read"))?;
    }
    let output = child.wait_with_output().with_context(|| format!("cannot wait for `{line}`"))?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_rule_accepts() {
        let text = rules(3);
        let appended: Vec<_> = text.lines().filter(|line| line.starts_with("-A")).collect();
        assert_eq!(appended.len(), 3);
        assert_eq!(appended.last(), Some(&"-A FORWARD -j ACCEPT"));
    }
}
