//! A switch's whole life leaves nothing behind: not on the host, not in containers, not in the kernel, not in its daemon.

use std::{collections::BTreeSet, fs, process::Command};

use serde_json::Value;
use switch_userspace::datapath::Mode;
use wye_tests::{
    both_datapaths,
    support::{
        census::Census,
        topology::{unique_instance, wait_until},
        wye::{Family, Namespace, Wye},
    },
};

both_datapaths!(
    whole_life_leaves_nothing_behind,
    killed_daemon_s_remains_can_be_purged,
    endpoints_that_come_and_go_cost_the_daemon_no_descriptor_and_no_thread,
);

/// Endpoints that come and go.
const CYCLES: usize = 20;
/// What bpftool counts.
const KINDS: [&str; 3] = ["map", "prog", "link"];

fn whole_life_leaves_nothing_behind(mode: Mode) {
    let outside = Namespace::new(&format!("{}-outside", unique_instance()));
    let mut wye = Wye::prepare(mode);
    let before = (wye.census(), Census::take(outside.netns(), "", &[]));
    wye.start_daemon();
    let objects = live(&wye, &outside);
    assert_eq!(objects[0].is_empty(), mode == Mode::Userspace, "only one datapath is in the kernel");
    assert_eq!(objects, objects_of(&wye), "traffic and changes leave the kernel's objects as they were");
    wye.ok(&["endpoint", "rm", &named(&wye, "a")]);
    wye.ok(&["network", "disconnect", "red", "c"]);
    wye.purge();
    assert_gone(&objects);
    before.0.assert_same(&wye.census());
    before.1.assert_same(&Census::take(outside.netns(), "", &[]));
}

fn killed_daemon_s_remains_can_be_purged(mode: Mode) {
    let outside = Namespace::new(&format!("{}-outside", unique_instance()));
    let mut wye = Wye::prepare(mode);
    let before = (wye.census(), Census::take(outside.netns(), "", &[]));
    wye.start_daemon();
    let objects = live(&wye, &outside);
    wye.kill_daemon();
    wye.purge();
    assert_gone(&objects);
    before.0.assert_same(&wye.census());
    before.1.assert_same(&Census::take(outside.netns(), "", &[]));
}

fn endpoints_that_come_and_go_cost_the_daemon_no_descriptor_and_no_thread(mode: Mode) {
    let wye = Wye::start(mode);
    wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/16"]);
    let a = named(&wye, "a");
    let cycle = || {
        wye.ok(&["endpoint", "add", &a, "--network", "red"]);
        wye.ok(&["exec", &a, "--", "true"]);
        wye.ok(&["endpoint", "rm", &a]);
    };
    // The first one opens what stays open for all that follow.
    cycle();
    wait_until("the daemon has closed every connection", || connections(&wye) == 0);
    let (before, held, there) = (weight(&wye), objects_of(&wye), wye.census());
    for _ in 0..CYCLES {
        cycle();
    }
    wait_until(&format!("the daemon weighs {before:?} again"), || weight(&wye) == before);
    wait_until("the daemon holds the same objects of the kernel", || objects_of(&wye) == held);
    there.assert_same(&wye.census());
}

/// The name of an endpoint whose namespace is called as it is: no other test's is.
fn named(wye: &Wye, name: &str) -> String {
    format!("{}-{name}", wye.instance())
}

/// Everything that an instance does in its life but end; returns the kernel's objects that it has.
fn live(wye: &Wye, outside: &Namespace) -> Vec<BTreeSet<u64>> {
    for (name, number) in [("red", 1), ("blue", 2)] {
        let (v4, v6) = (format!("10.{number}.0.0/16"), format!("fd00:{number}::/64"));
        wye.ok(&["network", "create", name, "--subnet", &v4, "--subnet", &v6]);
    }
    let [a, b] = ["a", "b"].map(|name| named(wye, name));
    wye.ok(&["endpoint", "add", &a, "--network", "red"]);
    wye.ok(&["endpoint", "add", &b, "--network", "red", "--label", "app=web"]);
    wye.ok(&["endpoint", "add", "c", "--network", "red", "--netns", outside.name()]);
    let objects = objects_of(wye);
    wye.ok(&["network", "connect", "blue", &a]);
    wye.ok(&["fdb", "add", "02:00:5e:10:00:01", "dev", &b, "sticky"]);
    wye.ok(&["port", "set", &b, "--learning", "off", "--max-macs", "5"]);
    for family in [Family::V4, Family::V6] {
        let ip = ip_of(wye, &b, family);
        wye.ok(&["exec", &a, "--", "ping", "-c", "1", "-W", "5", &ip]);
    }
    wye.ok(&["network", "disconnect", "blue", &a]);
    wye.ok(&["fdb", "flush"]);
    objects
}

fn ip_of(wye: &Wye, endpoint: &str, family: Family) -> String {
    let [endpoint] =
        wye.json::<[switch_userspace::api::types::Endpoint; 1]>(&["endpoint", "inspect", endpoint]);
    let mut ips = endpoint.attachments[0].ips.iter().map(|net| net.addr());
    ips.find(|ip| ip.is_ipv4() == (family == Family::V4)).expect("an address of the family").to_string()
}

/// Descriptors and threads of the daemon.
fn weight(wye: &Wye) -> [usize; 2] {
    ["fd", "task"].map(|what| {
        let folder = format!("/proc/{}/{what}", wye.daemon_pid());
        fs::read_dir(folder).expect("the daemon runs").count()
    })
}

/// Connections to the daemon that it has not closed yet. They have its socket's path, as the one that listens has.
fn connections(wye: &Wye) -> usize {
    let sockets =
        fs::read_to_string(format!("/proc/{}/net/unix", wye.daemon_pid())).expect("the daemon runs");
    let path = wye.dir().join("run").join(wye.instance()).join("wye.sock").display().to_string();
    sockets.lines().filter(|line| line.ends_with(&path)).count() - 1
}

/// Numbers of the maps, programs and links that the daemon holds.
fn objects_of(wye: &Wye) -> Vec<BTreeSet<u64>> {
    let mut objects = vec![BTreeSet::new(); KINDS.len()];
    let folder = format!("/proc/{}/fdinfo", wye.daemon_pid());
    for entry in fs::read_dir(folder).expect("the daemon runs").flatten() {
        // A descriptor may be closed meanwhile.
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        for (kind, objects) in KINDS.iter().zip(&mut objects) {
            let key = format!("{kind}_id:");
            let number = text.lines().find_map(|line| line.strip_prefix(&key)?.trim().parse::<u64>().ok());
            objects.extend(number);
        }
    }
    // A link's descriptor names its program, too; a set takes that once.
    objects
}

/// None of the objects is in the kernel any more. It frees them when nobody can be using them, which takes a moment.
fn assert_gone(objects: &[BTreeSet<u64>]) {
    for (kind, objects) in KINDS.iter().zip(objects) {
        wait_until(&format!("the kernel has no {kind} of {objects:?}"), || {
            in_kernel(kind).is_disjoint(objects)
        });
    }
}

fn in_kernel(kind: &str) -> BTreeSet<u64> {
    let output = Command::new("bpftool").args(["-j", kind, "show"]).output().expect("bpftool runs");
    let list: Vec<Value> = serde_json::from_slice(&output.stdout).expect("bpftool's JSON");
    list.iter().filter_map(|object| object["id"].as_u64()).collect()
}
