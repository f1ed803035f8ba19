//! Settings, and taking back what was done.

use switch_userspace::netns::{AddressFlags, ErrorKind, Family, NetnsError, Route, Sysctl, TABLE_MAIN, Undo};

use crate::support::{Machine, census, ip, kind, name, net, up};

#[test]
fn a_setting_is_changed_in_its_namespace_only_and_undone() {
    let machine = Machine::new();
    let (_, peer) = machine.join();
    let setting = || Sysctl::interface(Family::Ipv6, &name("eth0"), "disable_ipv6");
    let add = |text| machine.at_container.add_address(peer, net(text), AddressFlags::default());
    add("fd00:6::1/64").expect("IPv6 is on");
    let change = machine.container.run(|| setting().set("1")).expect("set").expect("it was 0");
    assert_eq!(kind(add("fd00:6::2/64")), ErrorKind::Unsupported);
    assert_eq!(machine.container.run(|| setting().set("1")).expect("set again"), None);
    assert_eq!(kind(machine.host.run(|| setting().read())), ErrorKind::NotFound);
    machine.container.run(|| change.undo()).expect("undone");
    assert_eq!(machine.container.run(|| setting().read()).expect("read"), "0");
    add("fd00:6::3/64").expect("IPv6 is on again");
}

#[test]
fn a_setting_that_is_not_there_can_be_left_alone() {
    let machine = Machine::new();
    let (host, container) = (&machine.host, &machine.container);
    machine.join();
    let setting = || Sysctl::interface(Family::Ipv6, &name("eth0"), "disable_ipv6");
    assert_eq!(kind(host.run(|| setting().set("1"))), ErrorKind::NotFound);
    host.run(|| setting().set_if_there("1")).expect("nothing to set");
    container.run(|| setting().set_if_there("1")).expect("set");
    assert_eq!(container.run(|| setting().read()).expect("read"), "1");
}

#[test]
fn unwinding_halfway_leaves_nothing_behind() {
    let machine = Machine::new();
    let Machine { host: at, at_host, at_container, .. } = &machine;
    let before = (census(at_host), census(at_container), at_host.routes(TABLE_MAIN).expect("routes"));

    let half_of_an_endpoint = || -> Result<(), NetnsError> {
        let mut undo = Undo::new();
        at_host.create_veth(&machine.host_end(), &machine.peer_end())?;
        let host = at_host.link_by_name("w0")?.index;
        undo.push("delete veth pair", move || at_host.delete_link(host));
        let forwarding = at.run(|| Sysctl::family(Family::Ipv4, "ip_forward").set("1"))?;
        if let Some(change) = forwarding {
            undo.push("restore forwarding", || at.run(move || change.undo()));
        }
        let lo = at_host.link_by_name("lo")?.index;
        at_host.set_link(lo, &up())?;
        let route = Route { device: Some(lo), ..Route::to(net("10.7.0.0/16")) };
        at_host.add_route(&route)?;
        undo.push("delete route", move || at_host.delete_route(&route));
        assert!(census(at_host).contains("w0"));
        at_host.add_route(&Route::default_via(ip("192.0.2.1")))?;
        undo.commit();
        Ok(())
    };
    half_of_an_endpoint().expect_err("the last step cannot work");

    let after = (census(at_host), census(at_container), at_host.routes(TABLE_MAIN).expect("routes"));
    assert_eq!(before, after);
    let forwarding = at.run(|| Sysctl::family(Family::Ipv4, "ip_forward").read());
    assert_eq!(forwarding.expect("read"), "0");
}
