//! `wye-bench forward` on this machine, short: every path is made, carries frames and is gone afterwards. How fast it is, is
//! not judged. Needs root and a BPF file system at `/sys/fs/bpf`.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

const PINS: &str = "/sys/fs/bpf/wye";

#[test]
fn every_measurement_has_figures_and_leaves_nothing_behind() {
    let file = std::env::temp_dir().join(format!("wye-bench-{}.json", std::process::id()));
    let mut bench = Command::new(env!("CARGO_BIN_EXE_wye-bench"));
    let bench = bench.args(["forward", "--all", "--quick", "--rules", "10", "--json"]).arg(&file);
    let child = bench.spawn().expect("wye-bench starts");
    let instance = format!("bench-{}-", child.id());
    let output = child.wait_with_output().expect("wye-bench ends");
    assert!(output.status.success(), "this test makes network namespaces and has to run as root");

    let text = fs::read_to_string(&file).expect("a report");
    fs::remove_file(&file).expect("the report is ours");
    let report: Value = serde_json::from_str(&text).expect("JSON");
    for (list, figure, least) in [
        ("/frames/paths", "/mpps", 7),
        ("/fdb/switches", "/added_ns_sweep/median", 2),
        ("/tcp/paths", "/gbits_per_second/median", 3),
        ("/program/programs", "/ns/median", 4),
    ] {
        let rows = report.pointer(list).and_then(Value::as_array).expect(list);
        assert!(rows.len() >= least, "{list}: {rows:?}");
        for row in rows {
            let value = row.pointer(figure).and_then(Value::as_f64);
            assert!(value.is_some_and(|value| value > 0.0), "{list}: {row}");
        }
    }
    assert_eq!(pins_of(&instance), Vec::<String>::new());
}

#[test]
fn a_signal_ends_a_run_in_good_order() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_wye-bench"));
    let mut child = bench
        .args(["forward", "--rounds", "100000"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("start");
    let instance = format!("bench-{}-", child.id());
    while pins_of(&instance).is_empty() {
        assert!(child.try_wait().expect("a child").is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    assert!(!child.wait().expect("a child").success(), "an interrupted run is no success");
    assert_eq!(pins_of(&instance), Vec::<String>::new());
}

fn pins_of(instance: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(Path::new(PINS)) else { return Vec::new() };
    let names = entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(instance)).collect()
}
