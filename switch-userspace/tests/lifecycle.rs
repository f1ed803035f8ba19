//! `up`, `down` and `exec` with a real daemon: the userspace datapath, in a network namespace of each
//! test's own. Needs root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use switch_userspace::{
    netns::{Netns, named_path},
    sys,
};
use tempfile::TempDir;

/// A switch with a name, directories and a network namespace of its own; purged when it is dropped.
struct Switch {
    instance: String,
    dir: TempDir,
}

struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Switch {
    /// Moves the test's thread, and so every command it runs, into a new network namespace.
    fn new(instance: &str) -> Self {
        sys::ns::unshare().expect("a network namespace; run the tests as root");
        Self { instance: unique(instance), dir: tempfile::tempdir().expect("a directory for the test") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a command that is told where everything is.
    fn wye(&self, line: &str) -> Said {
        said(&mut self.told(line))
    }

    /// Starts a command that is told where everything is.
    fn spawn(&self, line: &str) -> Child {
        let mut command = self.told(line);
        command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("wye runs")
    }

    fn told(&self, line: &str) -> Command {
        let mut command = self.command(line);
        command.env("WYE_STATE_DIR", self.path("state")).env("WYE_BPFFS", self.path("bpffs"));
        command
    }

    /// A command that is told the instance and its run directory, and nothing else.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wye"));
        command
            .args(line.split_whitespace())
            .env("WYE_INSTANCE", &self.instance)
            .env("WYE_RUN_DIR", self.path("run"))
            .env_remove("WYE_STATE_DIR")
            .env_remove("WYE_BPFFS");
        command
    }
    /// Runs a command that has to succeed.
    fn done(&self, line: &str) -> String {
        let said = self.wye(line);
        assert_eq!(said.code, 0, "{line}: {}", said.stderr);
        said.stdout
    }

    fn pid(&self) -> u64 {
        let status: serde_json::Value = serde_json::from_str(&self.done("status -o json")).expect("JSON");
        status["pid"].as_u64().expect("a process")
    }

    fn kill(&self) {
        let killed = Command::new("kill").args(["-9", &self.pid().to_string()]).status().expect("kill runs");
        assert!(killed.success());
    }
}

/// What a command that has to succeed says on stderr.
fn done(child: Child) -> String {
    let output = child.wait_with_output().expect("wye ends");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{text}");
    text
}

fn said(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().expect("wye runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said {
        code: output.status.code().expect("no signal"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.wye("down --purge");
    }
}

/// A name for an endpoint or instance: every process of the machine sees their namespaces.
fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

impl Switch {
    /// The name of the namespace of the ports, of the userspace datapath.
    fn ports_netns(&self) -> String {
        let host = Netns::current().expect("the test's network namespace");
        format!("wye-{}-{}", self.instance, host.id().ino)
    }

    /// Whether the endpoint's own namespace is there.
    fn has_netns(&self, endpoint: &str) -> bool {
        is_netns(&format!("{endpoint}@{}", self.instance))
    }
}

fn is_netns(name: &str) -> bool {
    named_path(name).expect("a namespace's name").exists()
}

#[test]
fn up_returns_when_the_daemon_answers_and_down_when_it_is_gone() {
    let switch = Switch::new("start");
    switch.done("up --datapath userspace");
    let pid = switch.pid();
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    let again = switch.wye("up");
    assert_eq!(again.code, 0);
    assert!(again.stderr.contains(&format!("runs already, pid {pid}")), "{}", again.stderr);
    switch.done("down");
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    assert_eq!(switch.wye("status").code, 5);
    assert_eq!(switch.wye("down").code, 0);
}

#[test]
fn of_starts_at_the_same_time_one_wins_and_the_others_find_it_running() {
    let switch = Switch::new("race");
    for _ in 0..3 {
        let starts: Vec<_> = (0..4).map(|_| switch.spawn("up --datapath userspace")).collect();
        let said: Vec<String> = starts.into_iter().map(done).collect();
        let winners = said.iter().filter(|text| text.contains("is ready, pid")).count();
        assert_eq!(winners, 1, "{said:?}");
        assert!(said.iter().all(|text| text.contains(&format!("pid {}", switch.pid()))), "{said:?}");
        switch.done("down --purge");
        assert!(!switch.path("run").exists());
    }
}

#[test]
fn the_daemon_keeps_nothing_open_of_who_called() {
    let switch = Switch::new("heir");
    let lock = switch.path("callers");
    let mut caller = Command::new("sh");
    caller.args(["-c", r#"exec 9>"$0"; flock 9; exec "$@""#]).arg(&lock);
    let wye = switch.told("up --datapath userspace");
    caller.arg(wye.get_program()).args(wye.get_args());
    caller.envs(wye.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let up = said(&mut caller);
    assert_eq!(up.code, 0, "{}", up.stderr);
    fs::File::open(&lock).expect("the caller's file").try_lock().expect("nobody holds the caller's lock");
}

#[test]
fn a_purge_after_damage_leaves_no_namespace_and_no_state() {
    let switch = Switch::new("damage");
    let name = unique("damage");
    switch.done("up --datapath userspace");
    switch.done("network create red");
    switch.done(&format!("endpoint add {name} --network red --create-netns"));
    switch.done("down");
    let state = switch.path("state").join(&switch.instance).join("state.json");
    let bytes = fs::read(&state).expect("the state");
    fs::write(&state, &bytes[..bytes.len() / 2]).expect("damaged");
    let up = switch.wye("up --datapath userspace");
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert!(up.stderr.contains("warning: the stored state was damaged"), "{}", up.stderr);
    assert!(switch.has_netns(&name), "what runs in it goes on");
    switch.done("down --purge");
    assert!(!switch.has_netns(&name));
    assert!(!switch.path("run").exists() && !switch.path("state").exists());
}

#[test]
fn a_daemon_that_cannot_start_is_quoted_and_leaves_nothing() {
    let switch = Switch::new("refuse");
    fs::create_dir(switch.path("bpffs")).expect("a directory that is no bpf file system");
    let said = switch.wye("up --datapath ebpf");
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.starts_with("error: run instance refuse-"), "{}", said.stderr);
    assert!(said.stderr.contains("nothing was changed"), "{}", said.stderr);
    assert!(!switch.path("run").exists(), "the run directory");
    assert!(!switch.path("state").exists(), "the state directory");
}

#[test]
fn exec_runs_inside_the_endpoint_and_passes_the_exit_code_on() {
    let switch = Switch::new("exec");
    let name = unique("exec");
    switch.done("up --datapath userspace");
    switch.done("network create red --subnet 10.7.0.0/24");
    switch.done(&format!("endpoint add {name} --network red --create-netns --ip 10.7.0.9"));
    assert!(switch.done(&format!("exec {name} -- ip -brief addr show eth0")).contains("10.7.0.9/24"));
    assert_eq!(switch.wye(&format!("exec {name} -- false")).code, 1);
    assert_eq!(switch.wye(&format!("exec {name} -- grep x /nowhere")).code, 2);
    assert_eq!(switch.wye(&format!("exec {name} -- no-such-command")).code, 127);
    assert_eq!(switch.wye("exec nobody -- true").code, 3);
    let own = format!("{name}@{}", switch.instance);
    Netns::delete_named(&own).expect("deleted");
    Netns::create_named(&own).expect("another one of the same name");
    let refused = switch.wye(&format!("exec {name} -- true"));
    Netns::delete_named(&own).expect("deleted");
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("is another one"), "{}", refused.stderr);
}

#[test]
fn exec_shows_the_endpoint_s_interfaces_and_files_as_ip_netns_exec_does() {
    let switch = Switch::new("outlook");
    switch.done("up --datapath userspace");
    switch.done("network create red");
    switch.done("endpoint add a --network red --create-netns");
    assert_eq!(switch.done("exec a -- ls /sys/class/net"), "eth0\nlo\n");
    let own = EtcNetns::new(&format!("a@{}", switch.instance));
    fs::write(own.0.join("hosts"), "192.0.2.1 here\n").expect("written");
    assert_eq!(switch.done("exec a -- cat /etc/hosts"), "192.0.2.1 here\n");
    assert!(!fs::read_to_string("/etc/hosts").expect("hosts").contains("192.0.2.1 here"));
}

/// The files of a namespace, which go on drop.
struct EtcNetns(PathBuf);

impl EtcNetns {
    fn new(name: &str) -> Self {
        let dir = Path::new("/etc/netns").join(name);
        fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }
}

impl Drop for EtcNetns {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("removed");
        // Others may have files there.
        let _in_use = fs::remove_dir("/etc/netns");
    }
}

#[test]
fn two_switches_can_have_endpoints_of_the_same_name() {
    let (one, other) = (Switch::new("one"), Switch::new("two"));
    // The host has both networks' gateways, and they are called as the networks are.
    for (switch, network) in [(&one, "red"), (&other, "blue")] {
        switch.done("up --datapath userspace");
        switch.done(&format!("network create {network}"));
        switch.done(&format!("endpoint add same --network {network} --create-netns"));
        assert!(switch.has_netns("same"));
    }
}

#[test]
fn purge_removes_everything_though_the_daemon_was_killed() {
    let switch = Switch::new("kill");
    let name = unique("purge");
    switch.done("up --datapath userspace");
    switch.done("network create red");
    switch.done(&format!("endpoint add {name} --network red --create-netns"));
    assert!(switch.has_netns(&name));
    switch.kill();
    let said = switch.wye("down --purge");
    assert_eq!(said.code, 0, "{}", said.stderr);
    assert!(!switch.has_netns(&name));
    assert!(!switch.path("run").exists(), "the run directory");
    assert!(!switch.path("state").exists(), "the state directory");
}

#[test]
fn down_without_purge_keeps_endpoints_for_the_next_daemon() {
    let switch = Switch::new("keep");
    let name = unique("keep");
    switch.done("up --datapath userspace");
    switch.done("network create red --subnet 10.7.0.0/24");
    switch.done(&format!("endpoint add {name} --network red --create-netns"));
    let before = switch.done("endpoint ls -o json");
    switch.done("down");
    switch.done("up --datapath userspace");
    let names = |json: &str| {
        let list: serde_json::Value = serde_json::from_str(json).expect("JSON");
        (list[0]["name"].clone(), list[0]["attachments"][0]["ips"].clone(), list[0]["state"].clone())
    };
    assert_eq!(names(&switch.done("endpoint ls -o json")), names(&before));
}

#[test]
fn purging_what_never_was_changes_nothing() {
    let switch = Switch::new("never");
    switch.done("down --purge");
    assert_eq!(fs::read_dir(switch.dir.path()).expect("the test's directory").count(), 0);
}

#[test]
fn purge_finds_what_a_killed_daemon_was_told_to_use_elsewhere() {
    let switch = Switch::new("elsewhere");
    let name = unique("elsewhere");
    let config = switch.path("wye.toml");
    fs::write(&config, format!("state-dir = {:?}\ndatapath = \"userspace\"\n", switch.path("other")))
        .expect("written");
    let up = said(&mut switch.command(&format!("up --config {}", config.display())));
    assert_eq!(up.code, 0, "{}", up.stderr);
    switch.done("network create red");
    switch.done(&format!("endpoint add {name} --network red --create-netns"));
    switch.kill();
    let purged = said(&mut switch.command("down --purge"));
    assert_eq!(purged.code, 0, "{}", purged.stderr);
    assert!(!switch.has_netns(&name) && !is_netns(&switch.ports_netns()));
    assert!(!switch.path("other").exists() && !switch.path("run").exists());
}

#[test]
fn a_purge_that_was_cut_short_can_be_repeated() {
    let switch = Switch::new("short");
    let name = unique("short");
    switch.done("up --datapath userspace");
    switch.done("network create red");
    switch.done(&format!("endpoint add {name} --network red --create-netns"));
    switch.kill();
    // As a purge leaves it that has removed the datapath and nothing else.
    Netns::delete_named(&switch.ports_netns()).expect("deleted");
    switch.done("down --purge");
    assert!(!switch.has_netns(&name) && !is_netns(&switch.ports_netns()));
    assert!(!switch.path("run").exists() && !switch.path("state").exists());
}

#[test]
fn a_start_beside_the_other_datapath_is_refused_until_that_is_purged() {
    let switch = Switch::new("other");
    switch.done("up --datapath userspace");
    switch.done("down");
    let refused = switch.wye("up --datapath ebpf");
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    for advice in ["has the userspace datapath", "wye up --datapath userspace", "wye down --purge"] {
        assert!(refused.stderr.contains(advice), "{}", refused.stderr);
    }
    switch.done("up --datapath userspace");
    switch.done("down --purge");
    let pins = switch.path("bpffs").join("wye").join(&switch.instance);
    fs::create_dir_all(&pins).expect("what the kernel datapath's pins are in");
    let refused = switch.wye("up --datapath userspace");
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("has the ebpf datapath"), "{}", refused.stderr);
    fs::remove_dir_all(switch.path("bpffs")).expect("removed");
}

#[test]
fn directories_that_were_there_before_stay() {
    let switch = Switch::new("dirs");
    for name in ["run", "state"] {
        fs::create_dir(switch.path(name)).expect("a directory");
    }
    switch.done("up --datapath userspace");
    switch.done("network create red");
    switch.done("down --purge");
    for name in ["run", "state"] {
        assert_eq!(fs::read_dir(switch.path(name)).expect("still there").count(), 0, "{name}");
    }
}

#[test]
fn down_says_whether_traffic_goes_on() {
    let switch = Switch::new("rest");
    switch.done("up --datapath userspace");
    let said = switch.wye("down");
    assert!(said.stderr.contains("no traffic passes until the next start"), "{}", said.stderr);
}
