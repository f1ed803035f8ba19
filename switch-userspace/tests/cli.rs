//! The command line from outside: exit codes, what goes to stdout and stderr, and what a missing or refusing daemon looks like.
//! A stand-in for the daemon answers with fixed JSON; the real one is tested by the system tests.

mod stand_in;

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use stand_in::StandIn;
use tempfile::TempDir;

const WYE: &str = env!("CARGO_BIN_EXE_wye");
const NOBODY: u32 = 65_534;

/// A run directory of the test's own, with the place of the instance `default` in it.
struct RunDir(TempDir);

impl RunDir {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        fs::create_dir(dir.path().join("default")).expect("a directory for the instance");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn socket(&self) -> PathBuf {
        self.path().join("default/wye.sock")
    }

    fn wye(&self, line: &str) -> Said {
        said(command(Path::new(WYE), line).env("WYE_RUN_DIR", self.path()))
    }
}

/// How a command ended and what it said.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

fn command(program: &Path, line: &str) -> Command {
    let mut command = Command::new(program);
    command.args(line.split_whitespace()).stdin(Stdio::null());
    for variable in ["WYE_INSTANCE", "WYE_RUN_DIR", "WYE_STATE_DIR", "WYE_BPFFS"] {
        command.env_remove(variable);
    }
    command
}

fn said(command: &mut Command) -> Said {
    let Output { status, stdout, stderr } = command.output().expect("wye runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said { code: status.code().expect("no signal"), stdout: text(stdout), stderr: text(stderr) }
}

fn wye(line: &str) -> Said {
    said(&mut command(Path::new(WYE), line))
}

#[test]
fn words_that_make_no_sense_exit_with_2_and_say_so_on_stderr() {
    for line in [
        "",
        "netwrk ls",
        "network",
        "network create",
        "network create red --subnet 10.0.0.0/33",
        "endpoint add web --network red --netns a --create-netns",
        "endpoint add web --network red --mac 02:00",
        "endpoint label web app",
        "exec web",
        "port set web",
        "port set web --learning maybe",
        "port set web --storm bcast=-5",
        "port set web --storm bcast=5/0",
        "port set web --storm everything=5",
        "fdb show dev",
        "fdb show brport web",
        "fdb add 02:00:5e:10:00:01 sticky",
        "network ls -o xml",
        "monitor -o json",
        "monitor -c 0",
        "endpoint label web a=1 a=2",
        "endpoint add web --network red --label a=1 --label a=2",
        "network create red --opt uplink=a --opt uplink=b",
        "status --run-dir /dev/null",
        "status --instance ..",
        "up --datapath hardware",
    ] {
        let said = wye(line);
        assert_eq!(said.code, 2, "{line}: {}", said.stderr);
        assert!(!said.stderr.is_empty(), "{line}");
        assert_eq!(said.stdout, "", "{line}");
    }
}

#[test]
fn a_mistyped_noun_is_corrected() {
    assert!(wye("netwrk ls").stderr.contains("'network'"));
}

#[test]
fn help_is_data_and_begins_with_examples() {
    for line in ["--help", "network --help", "fdb --help", "demo --help"] {
        let said = wye(line);
        assert_eq!(said.code, 0, "{line}");
        assert!(said.stdout.starts_with("Examples:\n  wye "), "{line}: {}", said.stdout);
    }
}

#[test]
fn a_daemon_that_does_not_run_exits_with_5_and_says_how_to_start_it() {
    let run = RunDir::new();
    for line in
        ["status", "network ls", "endpoint add web --network red", "exec web -- true", "fdb flush", "monitor"]
    {
        let said = run.wye(
            &format!("{line} --instance lab").replace(" -- true --instance lab", " --instance lab -- true"),
        );
        assert_eq!(said.code, 5, "{line}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{line}");
        let dir = run.path().display();
        assert!(said.stderr.contains(&format!("{dir}/lab/wye.sock does not exist")), "{}", said.stderr);
        assert!(said.stderr.contains(&format!("`wye up --instance lab --run-dir {dir}`")), "{}", said.stderr);
        assert!(said.stderr.contains("nothing was changed"), "{}", said.stderr);
    }
}

#[test]
fn a_place_where_no_socket_can_be_is_a_usage_error_and_sends_nobody_to_a_log() {
    let run = RunDir::new();
    let long = run.path().join("long".repeat(40));
    for (dir, command) in [(Path::new("/dev/null"), "up"), (&long, "up"), (&long, "network ls")] {
        let said = said(crate::command(Path::new(WYE), command).arg("--run-dir").arg(dir));
        assert_eq!(said.code, 2, "{}", said.stderr);
        assert!(said.stderr.contains("--run-dir") && !said.stderr.contains("wye.log"), "{}", said.stderr);
    }
}

#[test]
fn what_a_terminal_would_obey_is_not_repeated_as_it_is() {
    let run = RunDir::new();
    let body = stand_in::refusal("conflict").replace("blue", r"bl\u001b[31m\nue");
    let _daemon = StandIn::start(&run.socket(), move |_| (409, body.clone()));
    let said = run.wye("network create blue");
    assert!(said.stderr.starts_with(r"error: create network bl\u{1b}[31m\nue: its"), "{:?}", said.stderr);
}

#[test]
fn usage_lines_have_nothing_that_only_a_variable_says() {
    let mut create = command(Path::new(WYE), "network create");
    let said = said(create.env("WYE_INSTANCE", "lab"));
    assert!(said.stderr.contains("Usage: wye network create [OPTIONS] <NAME>"), "{}", said.stderr);
}

#[test]
fn the_manual_is_among_the_nouns() {
    assert!(wye("--help").stdout.contains("\n  man "));
}

#[test]
fn status_tells_frames_of_no_port_and_missing_ports() {
    let run = RunDir::new();
    let status = r#"{"pid":1,"version":"1","instance":"default","mode":"ebpf","since":"","networks":1,"endpoints":2,
        "endpoints_not_ready":0,"ports":1,"ports_missing":1,"ports_blocked":0,"drops":{"unknown_port":3,"punt_failed":4},"tables":[],
        "memory_bytes":0,"warnings":[]}"#;
    let _daemon = StandIn::start(&run.socket(), move |_| (200, status.to_owned()));
    let page = run.wye("status").stdout;
    assert!(page.contains("1 (1 missing: see `wye port ls`)"), "{page}");
    assert!(page.contains("7 of no port: punt_failed=4,unknown_port=3"), "{page}");
}

#[test]
fn a_daemon_that_has_died_is_told_from_one_that_never_ran() {
    let run = RunDir::new();
    drop(UnixListener::bind(run.socket()).expect("a socket that nobody listens on"));
    let said = run.wye("status");
    assert_eq!(said.code, 5);
    assert!(said.stderr.contains("nobody listens"), "{}", said.stderr);
}

#[test]
fn a_socket_that_may_not_be_used_exits_with_6() {
    let run = RunDir::new();
    fs::set_permissions(run.path(), fs::Permissions::from_mode(0o755)).expect("an open run directory");
    // Where the build lies, another user may not be allowed to go.
    let program = run.path().join("wye");
    // Copied by another process: a file that this one has open for writing may be held by what other tests start meanwhile.
    let copied = Command::new("cp").args([Path::new(WYE), &program]).status().expect("cp runs");
    assert!(copied.success(), "a copy of the program");
    fs::set_permissions(run.path().join("default"), fs::Permissions::from_mode(0o000))
        .expect("a closed directory");
    let mut status = command(&program, "status");
    status.env("WYE_RUN_DIR", run.path());
    if fs::read_dir(run.path().join("default")).is_ok() {
        status.uid(NOBODY).gid(NOBODY);
    }
    let said = said(&mut status);
    assert_eq!(said.code, 6, "{}", said.stderr);
    assert!(said.stderr.contains("no permission"), "{}", said.stderr);
    assert!(said.stderr.contains("as root"), "{}", said.stderr);
}

#[test]
fn every_class_of_refusal_has_its_exit_code() {
    for (class, code) in [
        ("failed", 1),
        ("usage", 2),
        ("not_found", 3),
        ("conflict", 4),
        ("unreachable", 5),
        ("permission", 6),
        ("timeout", 7),
        ("difference", 8),
    ] {
        let run = RunDir::new();
        let _daemon = StandIn::start(&run.socket(), move |_| (409, stand_in::refusal(class)));
        let said = run.wye("network create blue");
        assert_eq!(said.code, code, "{}", said.stderr);
        assert_eq!(said.stdout, "");
        assert_eq!(
            said.stderr,
            "error: create network blue: its subnet overlaps that of red\n  nothing was changed\n  use 10.2.0.0/24\n"
        );
    }
}

#[test]
fn the_request_says_what_the_words_said() {
    let run = RunDir::new();
    let daemon = StandIn::start(&run.socket(), |_| (404, stand_in::refusal("not_found")));
    run.wye("endpoint add web --network red --netns /proc/1/ns/net --ip 10.1.0.7 --mac 02:00:5E:10:00:01 --label a=b=c");
    run.wye("endpoint add web --network red --netns ./ns");
    run.wye("fdb show --network red dev web:eth1 dynamic");
    run.wye("endpoint label web a=1 b-");
    run.wye("port set web --hairpin on --max-macs 4");
    run.wye("port set web --storm bcast=100/7 --storm unicast=0");
    let requests = daemon.requests();
    assert_eq!(requests[0].line, "POST /v1/endpoints");
    let body: serde_json::Value = serde_json::from_str(&requests[0].body).expect("JSON");
    assert_eq!(body["netns"]["existing"], "/proc/1/ns/net");
    assert_eq!(body["labels"]["a"], "b=c");
    assert_eq!(body["connect"]["ips"][0], "10.1.0.7");
    assert_eq!(body["connect"]["mac"], "02:00:5e:10:00:01");
    let body: serde_json::Value = serde_json::from_str(&requests[1].body).expect("JSON");
    let here = std::env::current_dir().expect("a directory").join("ns");
    assert_eq!(body["netns"]["existing"], here.to_string_lossy().as_ref());
    assert_eq!(requests[2].line, "GET /v1/fdb?network=red&port=web%3Aeth1&filter=dynamic");
    assert_eq!(requests[3].line, "PATCH /v1/endpoints/web/labels");
    assert_eq!(requests[3].body, r#"{"set":{"a":"1"},"remove":["b"]}"#);
    assert_eq!(requests[4].line, "PATCH /v1/ports/web");
    let body: serde_json::Value = serde_json::from_str(&requests[4].body).expect("JSON");
    assert_eq!((&body["hairpin"], &body["max_macs"]), (&true.into(), &4.into()));
    assert!(body["learning"].is_null());
    let body: serde_json::Value = serde_json::from_str(&requests[5].body).expect("JSON");
    assert_eq!(body["storm"]["bcast"], serde_json::json!({"rate": 100, "burst": 7}));
    assert_eq!(body["storm"]["unicast"], serde_json::json!({"rate": 0, "burst": 0}));
    assert!(body["storm"]["mcast"].is_null());
}

#[test]
fn a_list_is_printed_in_every_format() {
    let run = RunDir::new();
    let entry = r#"{"network":"red","mac":"02:00:5e:10:00:01","port":"web","type":"learned","vlan":null,"age_secs":12}"#;
    let _daemon = StandIn::start(&run.socket(), move |_| (200, format!("[{entry}]")));
    let table = "NETWORK   MAC                 PORT   TYPE      VLAN   AGE\nred       02:00:5e:10:00:01   web    learned   -      12s\n";
    assert_eq!(run.wye("fdb show").stdout, table);
    assert_eq!(run.wye("fdb show -o wide").stdout, table);
    assert_eq!(run.wye("fdb show -o name").stdout, "02:00:5e:10:00:01\n");
    assert_eq!(
        run.wye("fdb show -o yaml").stdout,
        "- network: red\n  mac: 02:00:5e:10:00:01\n  port: web\n  type: learned\n  vlan: null\n  age_secs: 12\n"
    );
    let said = run.wye("fdb show -o json");
    assert_eq!(said.code, 0);
    assert_eq!(said.stderr, "");
    let json: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(json[0]["age_secs"], 12);
    assert_eq!(json[0]["type"], "learned");
}

#[test]
fn one_object_that_cannot_be_removed_does_not_keep_the_others() {
    let run = RunDir::new();
    let daemon = StandIn::start(&run.socket(), |request| {
        if request.line.ends_with("/blue") {
            return (409, stand_in::refusal("conflict"));
        }
        let name = request.line.rsplit('/').next().expect("a name");
        (200, format!(r#"{{"names":["{name}"]}}"#))
    });
    let said = run.wye("network rm red blue green");
    assert_eq!(said.code, 4);
    assert_eq!(said.stdout, "red\ngreen\n");
    assert!(said.stderr.contains("overlaps"), "{}", said.stderr);
    assert!(said.stderr.contains("removed: red, green"), "{}", said.stderr);
    assert!(!said.stderr.contains("nothing was changed"), "{}", said.stderr);
    assert_eq!(daemon.requests().len(), 3);
}

#[test]
fn the_stream_of_events_is_printed_line_by_line() {
    let run = RunDir::new();
    let drop = r#"{"at":"2026-01-02T03:04:05.678Z","event":"drop","port":"web","reason":"too_big","text":"larger","frame_len":9014,"head":"02005e10000202005e1000010800","unreported":0}"#;
    let created = r#"{"at":"2026-01-02T03:04:05.000Z","event":"network_created","network":"red"}"#;
    let _daemon = StandIn::start(&run.socket(), move |_| (200, format!("{created}\n{drop}\n")));
    assert_eq!(
        run.wye("monitor").stdout,
        "2026-01-02T03:04:05.000Z  network  red  created\n\
         2026-01-02T03:04:05.678Z  drop  web  too_big  02:00:5e:10:00:01 > 02:00:5e:10:00:02  9014 bytes\n"
    );
    assert_eq!(run.wye("monitor --drops-only -o jsonl").stdout, format!("{drop}\n"));
    assert_eq!(run.wye("monitor -c 1 -o jsonl").stdout, format!("{created}\n"));
}

#[test]
fn an_answer_of_another_version_is_named_as_such() {
    let run = RunDir::new();
    let _daemon = StandIn::start(&run.socket(), |request| {
        if request.line.contains("networks") {
            (200, "[{}]".to_owned())
        } else {
            (404, "Not Found".to_owned())
        }
    });
    for line in ["network ls", "endpoint ls"] {
        let said = run.wye(line);
        assert_eq!(said.code, 1, "{line}: {}", said.stderr);
        assert!(said.stderr.contains("another version"), "{line}: {}", said.stderr);
    }
}

#[test]
fn a_configuration_file_that_makes_no_sense_starts_nothing() {
    let run = RunDir::new();
    let config = run.path().join("wye.toml");
    fs::write(&config, "datapath = \"ebpf\"\nstatedir = \"/x\"\n").expect("write the file");
    let said = run.wye(&format!("up --config {}", config.display()));
    assert_eq!(said.code, 2, "{}", said.stderr);
    assert!(said.stderr.contains("line 2") && said.stderr.contains("statedir"), "{}", said.stderr);
    assert_eq!(run.wye("up --config /nowhere/wye.toml").code, 3);
}

#[test]
fn version_answers_without_a_daemon() {
    let run = RunDir::new();
    let said = run.wye("version -o json");
    assert_eq!(said.code, 0, "{}", said.stderr);
    let json: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
    assert_eq!(json[0]["program"], "client");
    assert_eq!(json[0]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn completions_and_manual_pages_are_made_for_every_noun() {
    for (shell, mark) in [("bash", "_wye()"), ("zsh", "#compdef wye"), ("fish", "complete -c wye")] {
        let said = wye(&format!("completion {shell}"));
        assert_eq!(said.code, 0);
        assert!(said.stdout.contains(mark), "{shell}");
        assert!(said.stdout.contains("disconnect"), "{shell}");
    }
    let run = RunDir::new();
    let pages = run.path().join("man");
    assert_eq!(wye(&format!("man {}", pages.display())).code, 0);
    for page in ["wye.1", "wye-network.1", "wye-network-create.1", "wye-fdb-show.1"] {
        assert!(pages.join(page).is_file(), "{page}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child =
        command(Path::new(WYE), "completion bash").stdout(Stdio::piped()).spawn().expect("wye runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("wye ends").code(), Some(0));
}

#[test]
fn monitor_ends_when_nobody_reads_it_though_nothing_happens() {
    let run = RunDir::new();
    let listener = UnixListener::bind(run.socket()).expect("a socket");
    let mut child = command(Path::new(WYE), "monitor")
        .env("WYE_RUN_DIR", run.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("wye runs");
    let (mut daemon, _) = listener.accept().expect("the client connects");
    stand_in::read(&daemon).expect("a request");
    let event = r#"{"at":"2026-01-02T03:04:05.000Z","event":"network_created","network":"red"}"#;
    write!(daemon, "HTTP/1.1 200 OK\r\n\r\n{event}\n").expect("answer the client");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut first).expect("a line");
    assert!(first.ends_with("created\n"), "{first}");
    // The reader has gone with the statement above; the stream of events stays open and silent.
    assert_eq!(child.wait().expect("wye ends").code(), Some(0));
    drop(daemon);
}

#[test]
fn what_cannot_be_found_prints_nothing_on_stdout() {
    let run = RunDir::new();
    let _daemon = StandIn::start(&run.socket(), |_| (404, stand_in::refusal("not_found")));
    for line in ["network inspect nosuch -o json", "endpoint inspect nosuch -o json"] {
        let said = run.wye(line);
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{line}");
    }
}

#[test]
fn a_daemon_that_goes_away_does_not_hide_what_it_refused_before() {
    let run = RunDir::new();
    let listener = UnixListener::bind(run.socket()).expect("a socket");
    let socket = run.socket();
    let daemon = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the client connects");
        stand_in::read(&stream).expect("a request");
        let body = stand_in::refusal("conflict");
        write!(stream, "HTTP/1.1 409 no\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("answer");
        fs::remove_file(socket).expect("removed");
    });
    let said = run.wye("network rm red blue");
    daemon.join().expect("no panic");
    assert!(said.stderr.contains("overlaps") && said.stderr.contains("no daemon runs"), "{}", said.stderr);
    assert_eq!(said.code, 4);
}
