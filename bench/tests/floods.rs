//! `wye-bench broadcast`, `arp` and `storm` on this machine, short and with few containers: every path carries frames, and nothing
//! is left. How fast it is, is not judged. Needs root and a BPF file system at `/sys/fs/bpf`.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

const PINS: &str = "/sys/fs/bpf/wye";

#[test]
fn copies_of_broadcasts_are_counted_on_every_path() {
    let report = report_of("broadcast");
    for path in rows(&report, "paths", 5) {
        assert!(figure(path, "/million_copies_per_second") > 0.0, "{path}");
        assert!(figure(path, "/loss") < 1.0, "{path}");
    }
    rows(&report, "targets", 2);
}

#[test]
fn questions_of_both_families_are_answered_on_every_path() {
    let report = report_of("arp");
    for path in rows(&report, "paths", 8) {
        assert!(figure(path, "/replies_per_second") > 0.0, "{path}");
    }
    rows(&report, "targets", 4);
}

#[test]
fn bystanders_are_heard_before_and_in_a_storm() {
    let report = report_of("storm");
    for path in rows(&report, "paths", 5) {
        assert!(figure(path, "/storm_per_second") > 0.0, "{path}");
        for latency in ["/idle", "/storm"] {
            let at = |percentile: &str| figure(path, &format!("{latency}/{percentile}"));
            assert!(0.0 < at("p50") && at("p50") <= at("p99") && at("p99") <= at("p999"), "{path}");
        }
    }
    rows(&report, "targets", 2);
}

/// Runs a measurement and reads its report.
fn report_of(name: &str) -> Value {
    let file = std::env::temp_dir().join(format!("wye-bench-{name}-{}.json", std::process::id()));
    let mut bench = Command::new(env!("CARGO_BIN_EXE_wye-bench"));
    let bench = bench.args([name, "--quick", "--ports", "4", "--json"]).arg(&file);
    let child = bench.spawn().expect("wye-bench starts");
    let instance = format!("bench-{}-", child.id());
    let output = child.wait_with_output().expect("wye-bench ends");
    assert!(output.status.success(), "this test makes network namespaces and has to run as root");
    let text = fs::read_to_string(&file).expect("a report");
    fs::remove_file(&file).expect("the report is ours");
    assert_eq!(pins_of(&instance), Vec::<String>::new());
    serde_json::from_str(&text).expect("JSON")
}

fn rows<'r>(report: &'r Value, list: &str, count: usize) -> &'r [Value] {
    let rows = report.get(list).and_then(Value::as_array).expect(list);
    assert_eq!(rows.len(), count, "{rows:?}");
    rows
}

fn figure(row: &Value, pointer: &str) -> f64 {
    row.pointer(pointer).and_then(Value::as_f64).expect(pointer)
}

fn pins_of(instance: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(Path::new(PINS)) else { return Vec::new() };
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(instance)).collect()
}
