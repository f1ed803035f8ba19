//! Opening, attaching, detaching: what stays, what goes, what a daemon that was killed leaves to the next one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use switch_common::{
    abi::{
        addr::PortId,
        fdb::{FdbEntry, FdbKey, FdbKind},
        names,
        port::PortFlags,
    },
    units::Nanos,
};
use switch_userspace::datapath::{Datapath as _, DatapathError, kernel::KernelDatapath};

use crate::lab::{BPFFS, DOMAIN, Switch, inside, mac};

#[test]
fn a_reopened_datapath_has_the_same_ports_entries_and_traffic() {
    let mut switch = Switch::new();
    switch.add_container(PortFlags::DEFAULT);
    switch.add_container(PortFlags::DEFAULT);
    let before = (switch.datapath().ports().expect("ports"), switch.datapath().list_fdb().expect("fdb"));
    switch.datapath = None;
    assert!(switch.ping(0, 1).status.success(), "traffic needs no daemon");
    switch.open();
    let after = (switch.datapath().ports().expect("ports"), switch.datapath().list_fdb().expect("fdb"));
    assert_eq!(before, after);
    assert!(switch.ping(0, 1).status.success());
}

#[test]
fn a_detached_port_forwards_nothing_and_leaves_no_entry() {
    let mut switch = Switch::new();
    let (port, _) = switch.add_container(PortFlags::DEFAULT);
    switch.add_container(PortFlags::DEFAULT);
    switch.datapath().detach_port(port).expect("detach");
    assert!(!switch.ping(1, 0).status.success());
    assert!(switch.datapath().list_fdb().expect("fdb").iter().all(|(_, entry)| entry.port() != port));
}

#[test]
fn pins_of_another_schema_are_refused_by_name() {
    let mut switch = Switch::new();
    switch.datapath = None;
    let foreign = Path::new(BPFFS).join("wye").join(&switch.instance).join("v999");
    fs::create_dir(&foreign).expect("a directory");
    let opened = inside(&switch.host, || KernelDatapath::open(&switch.instance, Path::new(BPFFS)));
    match opened.err() {
        Some(DatapathError::ForeignPin { path, .. }) => assert_eq!(path, foreign),
        other => panic!("{other:?}"),
    }
}

/// A MAC that nobody has, learned at a port.
fn learn(switch: &mut Switch, port: PortId) {
    let entry = FdbEntry::new(port, FdbKind::Learned, Nanos(u64::MAX));
    switch.datapath().put_fdb(FdbKey::new(DOMAIN, mac(999)), entry).expect("fdb");
}

fn link_pin(switch: &mut Switch, port: PortId) -> PathBuf {
    let maps = switch.datapath().maps_dir();
    maps.parent().expect("a directory of pins").join("links").join(port.0.to_string())
}

fn flood_positions(switch: &mut Switch) -> u64 {
    let tables = switch.datapath().tables().expect("tables");
    let list = tables.iter().find(|table| table.name == names::MAP_FLOOD_LIST.to_ascii_lowercase());
    list.and_then(|list| list.entries).expect("a count")
}

fn entries_of(switch: &mut Switch, port: PortId) -> usize {
    let entries = switch.datapath().list_fdb().expect("fdb");
    entries.iter().filter(|(_, entry)| entry.port() == port).count()
}

#[test]
fn a_detached_port_has_learned_nothing() {
    let mut switch = Switch::new();
    let (port, config) = switch.add_container(PortFlags::DEFAULT);
    learn(&mut switch, port);
    assert_eq!(switch.datapath().port_state(config.slot()).learned, 1);
    switch.datapath().detach_port(port).expect("detach");
    assert_eq!(switch.datapath().learned(), 0);
    assert_eq!(entries_of(&mut switch, port), 0);
}

#[test]
fn a_port_that_a_killed_daemon_left_without_its_link_is_gone_after_the_next_start() {
    let mut switch = Switch::new();
    let (ghost, _) = switch.add_container(PortFlags::DEFAULT);
    let (other, _) = switch.add_container(PortFlags::DEFAULT);
    learn(&mut switch, ghost);
    let pin = link_pin(&mut switch, ghost);
    switch.datapath = None;
    fs::remove_file(pin).expect("the pin");
    switch.open();
    assert_eq!(flood_positions(&mut switch), 1);
    assert_eq!(switch.datapath().learned(), 0);
    assert_eq!(entries_of(&mut switch, ghost), 0);
    assert_eq!(entries_of(&mut switch, other), 1);
}

#[test]
fn a_port_whose_flood_position_is_stuck_loses_everything_else() {
    let mut switch = Switch::new();
    let (port, _) = switch.add_container(PortFlags::DEFAULT);
    learn(&mut switch, port);
    let list = switch.datapath().maps_dir().join(names::MAP_FLOOD_LIST);
    let frozen = Command::new("bpftool").args(["map", "freeze", "pinned"]).arg(list).status();
    assert!(frozen.expect("bpftool runs").success());
    let detached = switch.datapath().detach_port(port);
    assert!(matches!(detached, Err(DatapathError::Map { map: names::MAP_FLOOD_LIST, .. })), "{detached:?}");
    assert!(!link_pin(&mut switch, port).exists());
    assert_eq!(switch.datapath().ports().expect("ports"), []);
    assert_eq!(switch.datapath().learned(), 0);
    assert_eq!(entries_of(&mut switch, port), 0);
    assert_eq!(flood_positions(&mut switch), 1, "it is there for another try");
}
