//! Beginning and end: what stays, and what must not.

use std::{fs, path::Path};

use switch_userspace::{
    datapath::{Datapath, Mode},
    netns::{Netns, NetnsError, named_path},
};

use crate::{
    frames::frame,
    lab::{Lab, collect_until},
};

#[test]
fn a_purged_switch_leaves_no_namespace_and_no_interface() {
    let mut lab = Lab::new();
    let container = lab.container();
    let namespace = named_path(&ports_name(&lab.instance, &lab.host)).expect("a name");
    assert!(namespace.exists());
    let switch = lab.datapath.take().expect("the switch runs");
    Box::new(switch).purge().expect("everything is removed");
    assert!(!namespace.exists());
    assert!(!container.run("ip", &["link", "show", "eth0"]).status.success(), "the veth pair is gone");
}

#[test]
fn a_restarted_switch_finds_its_ports_where_they_were() {
    let mut lab = Lab::new();
    let (a, b) = (lab.silent_container(), lab.silent_container());
    let ports = lab.switch().ports().expect("ports");
    let entries = lab.switch().list_fdb().expect("the FDB");
    let mut ring = b.listen();
    drop(lab.datapath.take());
    a.send(&[frame(b.mac, a.mac, b"nobody switches this")]);
    lab.start();
    for port in ports {
        lab.switch().attach_port(port.id, port.config).expect("a port");
    }
    for (key, entry) in entries {
        lab.switch().put_fdb(key, entry).expect("an entry");
    }
    a.send(&[frame(b.mac, a.mac, b"after the restart")]);
    let seen = collect_until(&mut ring, |_| true);
    assert_eq!(seen[0].bytes, frame(b.mac, a.mac, b"after the restart"));
}

#[test]
fn a_port_whose_interface_does_not_exist_is_refused() {
    let mut lab = Lab::new();
    let mut container = lab.container();
    let config = lab.switch().ports().expect("ports")[0].config;
    container.port.0 += 1;
    assert!(lab.switch().attach_port(container.port, config).is_err());
    assert_eq!(lab.switch().ports().expect("ports").len(), 1);
    assert_eq!(lab.switch().mode(), Mode::Userspace);
}

#[test]
fn the_namespace_of_the_ports_answers_nothing() {
    let mut lab = Lab::new();
    let container = lab.container();
    let ports = Netns::open_name(&ports_name(&lab.instance, &lab.host)).expect("the ports' namespace");
    assert_eq!(&ports, lab.switch().port_netns());
    let keys = ["ipv4/ip_forward", "ipv6/conf/all/disable_ipv6", "ipv4/conf/p1/arp_ignore"];
    assert_eq!(keys.map(|key| setting(&ports, key)), ["0", "1", "8"]);
    drop(container);
}

#[test]
fn a_namespace_that_a_killed_switch_did_not_finish_is_quiet_for_the_next_one() {
    let mut lab = Lab::new();
    let name = ports_name(&lab.instance, &lab.host);
    let switch = lab.datapath.take().expect("the switch runs");
    Box::new(switch).purge().expect("everything is removed");
    let loud = Netns::create_named(&name).expect("a namespace");
    assert_ne!(setting(&loud, "ipv4/conf/all/arp_ignore"), "8");
    lab.start();
    assert_eq!(&loud, lab.switch().port_netns());
    assert_eq!(setting(&loud, "ipv4/conf/all/arp_ignore"), "8");
}

#[test]
fn a_name_that_a_killed_switch_left_without_a_namespace_is_taken_over() {
    let mut lab = Lab::new();
    let name = ports_name(&lab.instance, &lab.host);
    let switch = lab.datapath.take().expect("the switch runs");
    Box::new(switch).purge().expect("everything is removed");
    fs::write(named_path(&name).expect("a name"), []).expect("a file");
    lab.start();
    let ports = Netns::open_name(&name).expect("the ports' namespace");
    assert_eq!(&ports, lab.switch().port_netns());
}

#[test]
fn switches_of_the_same_name_at_two_hosts_have_namespaces_of_their_own() {
    let mut one = Lab::new();
    let mut other = Lab::at_another_host(&one);
    assert_ne!(one.switch().port_netns(), other.switch().port_netns());
}

/// What the namespace of the ports is called.
fn ports_name(instance: &str, host: &Netns) -> String {
    format!("wye-{instance}-{}", host.id().ino)
}

/// A setting of a namespace.
fn setting(netns: &Netns, key: &str) -> String {
    let text = netns.run(|| Ok::<_, NetnsError>(fs::read_to_string(Path::new("/proc/sys/net").join(key))));
    text.expect("the namespace can be entered").expect("a setting").trim_end().to_owned()
}
