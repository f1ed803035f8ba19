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
    let namespace = named_path(&format!("wye-{}", lab.instance)).expect("a name");
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
    let ports = Netns::open_name(&format!("wye-{}", lab.instance)).expect("the ports' namespace");
    assert_eq!(&ports, lab.switch().port_netns());
    let settings = ports
        .run(|| -> Result<_, NetnsError> {
            let read = |key: &str| fs::read_to_string(Path::new("/proc/sys/net").join(key));
            Ok([read("ipv4/ip_forward"), read("ipv6/conf/all/disable_ipv6"), read("ipv4/conf/p1/arp_ignore")])
        })
        .expect("the namespace can be entered");
    assert_eq!(settings.map(|value| value.expect("a setting")), ["0\n", "1\n", "8\n"]);
    drop(container);
}
