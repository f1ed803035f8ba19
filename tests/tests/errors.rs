//! What the program says when something cannot be done: which exit code, of which object, and that nothing changed.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use switch_userspace::datapath::Mode;
use tempfile::TempDir;
use wye_tests::support::{
    netns, sys,
    wye::{Container, Failure, Wye, program},
};

const SIXTEEN: &str = "sixteen-letters-";

#[test]
fn networks_that_cannot_be_are_refused_by_name() {
    let lab = Lab::start();
    for name in ["..", "%d", SIXTEEN, "lo"] {
        lab.refuses(&["network", "create", name], 2, &[&format!("create network {name}:")]);
    }
    lab.refuses(&["network", "create", "red"], 4, &["network red", "already"]);
    lab.refuses(&["network", "create", "blue", "--opt", "colour=red"], 2, &["blue", "colour"]);
    lab.refuses(&["network", "rm", "nosuch"], 3, &["nosuch"]);
    lab.refuses(&["network", "rm", "red"], 4, &["network red", "on it: a"]);
}

#[test]
fn overlapping_subnet_is_told_with_the_network_it_overlaps_and_one_that_is_free() {
    let lab = Lab::start();
    let create = ["network", "create", "blue", "--subnet", "10.1.7.0/24"];
    let said = lab.refuses(&create, 4, &["blue", "10.1.7.0/24", "10.1.0.0/16", "network red"]);
    let (_, advice) = said.split_once("--subnet ").expect("a subnet to use instead");
    let free: String = advice.chars().take_while(|letter| !matches!(letter, ',' | '`' | ' ')).collect();
    lab.wye.ok(&["network", "create", "blue", "--subnet", &free]);
}

#[test]
fn endpoints_that_cannot_be_are_refused_by_name() {
    let lab = Lab::start();
    let ip = lab.a.endpoint.attachments[0].ips[0].addr().to_string();
    let host = format!("/proc/{}/ns/net", lab.wye.daemon_pid());
    for name in ["..", "%d", "lo"] {
        lab.refuses(&add(name, &[]), 2, &[&format!("endpoint {name}:")]);
    }
    for (options, code, names) in [
        (&["--ifname", SIXTEEN][..], 2, &[SIXTEEN][..]),
        (&["--ifname", "lo"], 2, &["lo"]),
        (&["--mac", "nonsense"], 2, &["nonsense"]),
        (&["--mac", "ff:ff:ff:ff:ff:ff"], 2, &["ff:ff:ff:ff:ff:ff"]),
        (&["--mac", lab.a.mac()], 4, &["endpoint a"]),
        (&["--ip", "10.9.0.1"], 2, &["10.9.0.1", "10.1.0.0/16"]),
        (&["--ip", &ip], 4, &[&ip, "endpoint a"]),
        (&["--netns", "nosuch"], 3, &["nosuch"]),
        (&["--netns", &host], 2, &["host's own"]),
    ] {
        lab.refuses(&add("b", options), code, names);
    }
    lab.refuses(&add("a", &[]), 4, &["endpoint a", "already"]);
    lab.refuses(&["endpoint", "add", "b", "--network", "nosuch"], 3, &["nosuch"]);
    lab.refuses(&["endpoint", "rm", "nosuch"], 3, &["nosuch"]);
    lab.refuses(&["network", "connect", "red", "nosuch"], 3, &["nosuch"]);
}

#[test]
fn ports_and_macs_that_are_not_there_are_told_by_name() {
    let lab = Lab::start();
    lab.refuses(&["port", "show", "nosuch"], 3, &["nosuch"]);
    lab.refuses(&["port", "set", "nosuch", "--learning", "off"], 3, &["nosuch"]);
    lab.refuses(&["fdb", "add", "02:00:5e:10:00:01", "dev", "nosuch"], 3, &["nosuch"]);
    lab.refuses(&["fdb", "add", "nonsense", "dev", "a"], 2, &["nonsense"]);
    lab.refuses(&["fdb", "del", "02:00:5e:10:00:01"], 3, &["02:00:5e:10:00:01"]);
}

#[test]
fn nonsense_on_the_command_line_is_a_usage_error() {
    let lab = Lab::start();
    for (args, name) in [
        (&["--colour"][..], "--colour"),
        (&["network", "paint"], "paint"),
        (&["network", "create", "blue", "--colour"], "--colour"),
        (&["network", "create", "blue", "--mtu", "many"], "many"),
        (&["network", "create", "blue", "--subnet", "10.1"], "10.1"),
        (&["port", "set", "a", "--learning", "perhaps"], "perhaps"),
        (&["port", "set", "a"], "--learning"),
        (&["endpoint", "add", "b"], "--network"),
        (&["daemon", "--datapath", "magic"], "magic"),
    ] {
        lab.refuses(args, 2, &[name]);
    }
}

#[test]
fn daemon_that_is_down_is_told_with_how_to_start_it() {
    let mut lab = Lab::start();
    lab.wye.kill_daemon();
    let up = format!("wye up --instance {}", lab.wye.instance());
    let before = lab.wye.census();
    for args in [&["network", "ls"][..], &["network", "create", "blue"], &add("b", &[]), &["status"]] {
        let failure = lab.wye.fails(args);
        assert_told(args, &failure, 5, &[lab.wye.instance(), &up]);
    }
    before.assert_same(&lab.wye.census());
    lab.wye.start_daemon();

    let never_started = Wye::prepare(Mode::Ebpf);
    let failure = never_started.fails(&["network", "ls"]);
    assert_told(&["network", "ls"], &failure, 5, &[never_started.instance(), "wye up"]);
}

#[test]
fn user_without_privileges_is_told_so() {
    let lab = Lab::start();
    let nobody = Nobody::new(&lab.wye);
    let before = (lab.wye.census(), lab.kept());
    for args in
        [&["network", "create", "blue"][..], &add("b", &[]), &["port", "set", "a", "--learning", "off"]]
    {
        assert_told(args, &nobody.fails(&lab.wye, args, lab.wye.dir()), 6, &["the switch", "root"]);
    }
    let fresh = Wye::prepare(Mode::Ebpf);
    for (wye, datapath) in [(&lab.wye, "ebpf"), (&fresh, "ebpf"), (&fresh, "userspace")] {
        for command in ["daemon", "up"] {
            let args = [command, "--datapath", datapath];
            let lacks = "the process lacks CAP_NET_ADMIN and CAP_SYS_ADMIN";
            assert_told(&args, &nobody.fails(wye, &args, &nobody.own), 6, &[wye.instance(), lacks, "root"]);
            assert_eq!(fs::read_dir(&nobody.own).expect("the folder").count(), 0, "{args:?}");
        }
    }
    before.0.assert_same(&lab.wye.census());
    assert_eq!(lab.kept(), before.1);
}

#[test]
fn kernel_without_tcx_is_told_with_what_it_takes() {
    let wye = Wye::prepare(Mode::Ebpf);
    let before = wye.census();
    let refuses = |command: &str| {
        let args = [command, "--datapath", "ebpf"];
        let mut command = wye.command(&args);
        sys::without_bpf_links(&mut command).expect("a filter of system calls");
        let output = netns::inside(wye.host(), || command.output()).expect("wye can be started");
        let failure = Failure::of(&output);
        assert_told(&args, &failure, 1, &[wye.instance(), "tcx", "Linux 6.6", "--datapath userspace"]);
    };
    refuses("up");
    before.assert_same(&wye.census());
    refuses("daemon");
    before.assert_same(&wye.census());
}

/// A switch with a network `red` and an endpoint `a` on it.
struct Lab {
    a: Container,
    wye: Wye,
}

impl Lab {
    fn start() -> Self {
        let wye = Wye::start(Mode::Ebpf);
        wye.ok(&["network", "create", "red", "--subnet", "10.1.0.0/16"]);
        let a = wye.container("a", "red");
        Self { a, wye }
    }

    /// Runs a command that has to be refused and to change nothing; returns what it says.
    fn refuses(&self, args: &[&str], code: i32, names: &[&str]) -> String {
        let before = (self.wye.census(), self.kept());
        let failure = self.wye.fails(args);
        assert_told(args, &failure, code, names);
        before.0.assert_same(&self.wye.census());
        assert_eq!(self.kept(), before.1, "wye {args:?}");
        failure.stderr
    }

    /// What the daemon keeps: networks, endpoints, and the switches of ports.
    fn kept(&self) -> [Value; 3] {
        let [networks, endpoints] = ["network", "endpoint"].map(|noun| self.wye.json(&[noun, "ls"]));
        [networks, endpoints, self.wye.json::<Value>(&["port", "show", "a"])["settings"].take()]
    }
}

/// Somebody without privileges, with a copy of the program and a folder.
struct Nobody {
    program: PathBuf,
    own: PathBuf,
    _folder: TempDir,
}

impl Nobody {
    fn new(wye: &Wye) -> Self {
        let folder = TempDir::with_prefix("wye-tests-nobody-").expect("a temporary folder");
        // The build may be where others cannot look, as the folders of the instance are.
        for open in [folder.path(), wye.dir()] {
            fs::set_permissions(open, Permissions::from_mode(0o755)).expect("opened to all");
        }
        let (copy, own) = (folder.path().join("wye"), folder.path().join("own"));
        fs::copy(program(), &copy).expect("a copy of the program");
        fs::create_dir(&own).expect("a folder");
        netns::run(wye.host(), "chown", &["nobody", &own.display().to_string()]);
        Self { program: copy, own, _folder: folder }
    }

    /// Runs `wye ARGS` with the folders `run` and `state` of `dir`.
    fn fails(&self, wye: &Wye, args: &[&str], dir: &Path) -> Failure {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "nobody", "--clear-groups"]).arg(&self.program).args(args).current_dir("/");
        let as_root = wye.command(args);
        command.envs(as_root.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("WYE_RUN_DIR", dir.join("run")).env("WYE_STATE_DIR", dir.join("state"));
        let output = netns::inside(wye.host(), || command.output()).expect("setpriv can be started");
        Failure::of(&output)
    }
}

fn add<'a>(name: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&["endpoint", "add", name, "--network", "red"], options].concat()
}

/// One message for people, that names what it is about.
fn assert_told(args: &[&str], failure: &Failure, code: i32, names: &[&str]) {
    let Failure { code: exited, stderr } = failure;
    assert_eq!(*exited, code, "wye {args:?}: {stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "wye {args:?}: {stderr}");
    for name in names {
        assert!(stderr.contains(name), "wye {args:?} does not name {name}: {stderr}");
    }
    for machine_talk in ["Error {", "os error", "panicked", "errno"] {
        assert!(!stderr.contains(machine_talk), "wye {args:?}: {stderr}");
    }
}
