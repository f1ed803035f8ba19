//! The demo that the README begins with. One test: there is one demo on a machine at a time.

use std::process::Command;

use wye_tests::support::wye::program;

#[test]
fn demo_shows_what_it_promises_on_both_datapaths() {
    for datapath in ["ebpf", "userspace"] {
        let shown =
            Command::new(program()).args(["demo", "--datapath", datapath]).output().expect("wye starts");
        let told = String::from_utf8_lossy(&shown.stdout);
        assert!(shown.status.success(), "{datapath}: {told}{}", String::from_utf8_lossy(&shown.stderr));
        assert_eq!(told.matches("\nok: ").count(), 7, "{datapath}: {told}");
    }
}
