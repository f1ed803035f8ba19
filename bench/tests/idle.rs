//! `wye-bench idle` on this machine with a few ports. Needs root, a BPF file system at `/sys/fs/bpf` and the program `wye` beside
//! `wye-bench`.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

#[test]
fn an_idle_daemon_is_weighed_and_purged() {
    let file = std::env::temp_dir().join(format!("wye-bench-idle-{}.json", std::process::id()));
    let mut bench = Command::new(env!("CARGO_BIN_EXE_wye-bench"));
    let bench = bench.args(["idle", "--ports", "3", "--seconds", "0.2", "--json"]).arg(&file);
    let child = bench.spawn().expect("wye-bench starts");
    let instance = format!("bench-{}", child.id());
    let output = child.wait_with_output().expect("wye-bench ends");
    assert!(output.status.success(), "wye-bench says why");

    let text = fs::read_to_string(&file).expect("a report");
    fs::remove_file(&file).expect("the report is ours");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        report.get("ports").and_then(Value::as_u64),
        Some(4),
        "three containers and the gateway of their network"
    );
    let resident = report.get("resident_mib").and_then(Value::as_f64);
    assert!(resident.is_some_and(|mib| mib > 0.0), "{report}");

    let left = |dir: &Path| {
        let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
        entries.filter(|entry| entry.file_name().to_string_lossy().contains(&instance)).count()
    };
    let dirs = [Path::new("/run/netns"), Path::new("/sys/fs/bpf/wye"), &std::env::temp_dir()];
    assert_eq!(dirs.map(left), [0; 3]);
}
