//! A datapath inside a process leaves the process as it was. One test: others would open descriptors beside it.

use std::fs;

use switch_common::abi::port::PortFlags;
use switch_userspace::datapath::Mode;
use wye_tests::support::{
    packet::build,
    packet::socket::{Sender, Sniffer},
    topology::{Lab, wait_until},
};

#[test]
fn datapaths_made_and_purged_leave_no_descriptor_and_no_thread() {
    let count = |what: &str| fs::read_dir(format!("/proc/self/{what}")).expect("this process").count();
    for mode in [Mode::Ebpf, Mode::Userspace] {
        // What a library opens once and for all is open then.
        use_a_datapath(mode);
        let before = (count("fd"), count("task"));
        for _ in 0..5 {
            use_a_datapath(mode);
        }
        wait_until("threads have ended", || count("task") <= before.1);
        assert_eq!((count("fd"), count("task")), before, "{mode:?}");
    }
}

/// Makes a datapath with two ports, sends a frame through it and purges it.
fn use_a_datapath(mode: Mode) {
    let mut lab = Lab::start(mode);
    let (a, b) = (lab.container(0, PortFlags::DEFAULT), lab.container(0, PortFlags::DEFAULT));
    let sniffer = Sniffer::open(&b.netns, "eth0");
    let frame = build::eth(b.mac(), a.mac(), 0x88b5, b"hello");
    Sender::open(&a.netns, "eth0").send(&frame);
    wait_until("the frame arrives", || sniffer.take() == [frame.clone()]);
}
