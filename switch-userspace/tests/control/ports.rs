//! Ports and their switches.

use switch_userspace::api::types::{ExitClass, PortChange, PortKind};

use crate::support::{Switch, assert_told, ip};

#[test]
fn a_port_is_named_by_its_endpoint_and_counts() {
    let switch = Switch::new();
    switch.create("red", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    assert!(switch.reaches(&a, &ip(&b)));
    let name = a.name.clone();
    let port = switch.ask(move |control| control.port(&name)).expect("port");
    assert_eq!((port.kind, port.endpoint.as_deref()), (PortKind::Endpoint, Some(a.name.as_str())));
    assert!(port.counters.rx_frames >= 4 && port.counters.tx_frames >= 4, "{port:?}");
    let name = format!("{}:eth0", a.name);
    assert_eq!(switch.ask(move |control| control.port(&name)).expect("port").slot, port.slot);
    assert_told(switch.ask(|control| control.port("nosuch")), ExitClass::NotFound, "nosuch");
}

#[test]
fn switches_are_in_force_at_once_and_stay_after_a_restart() {
    let mut switch = Switch::new();
    switch.create("red", &[]);
    let (a, b) = (switch.add("a", "red"), switch.add("b", "red"));
    for name in [a.name.clone(), b.name.clone()] {
        let change = PortChange { isolated: Some(true), ..PortChange::default() };
        let port = switch.ask(move |control| control.set_port(&name, change)).expect("set");
        assert!(port.settings.isolated && port.settings.learning, "{port:?}");
    }
    assert!(switch.is_cut_off(&a, &ip(&b)));
    switch.restart();
    assert!(switch.is_cut_off(&a, &ip(&b)));
    let (name, change) = (b.name.clone(), PortChange { isolated: Some(false), ..PortChange::default() });
    switch.ask(move |control| control.set_port(&name, change)).expect("set");
    assert!(switch.reaches(&a, &ip(&b)));
}
