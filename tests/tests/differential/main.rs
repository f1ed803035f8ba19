//! The same frames through the loaded kernel program and through the host's build of the same stages, on the same tables:
//! same verdict, same action, same bytes, same counters, same FDB afterwards.
//!
//! The first difference is reduced to a minimal scenario and written as JSON: moved to `tests/fixtures/differential/`, with a
//! name that says what it is about, it is replayed by every later run.

mod compare;
mod kernel;
mod reference;

use std::{env, fs, path::Path};

use wye_tests::support::scenario::Scenario;

use crate::compare::{Worlds, reduce};

/// Scenarios of a run; `WYE_SCENARIOS` asks for more.
const SCENARIOS: u64 = 100_000;

#[test]
fn generated_scenarios_end_the_same_in_both_datapaths() {
    let count = env::var("WYE_SCENARIOS").map_or(SCENARIOS, |count| count.parse().expect("a number of scenarios"));
    let first = env::var("WYE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed"));
    println!("WYE_SEED={first} WYE_SCENARIOS={count}");
    let differing = Worlds::with(|worlds| {
        (0..count).map(|step| first.wrapping_add(step)).find_map(|seed| {
            let difference = worlds.difference(&Scenario::generate(seed))?;
            Some((seed, difference))
        })
    });
    if let Some((seed, difference)) = differing {
        let reduced = reduce(Scenario::generate(seed));
        let json = serde_json::to_string_pretty(&reduced).expect("a scenario is JSON");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differs-{seed}.json"));
        fs::write(&path, json).expect("a file for the reduced scenario");
        panic!("seed {seed}: {difference}\nreduced to {}", path.display());
    }
}

#[test]
fn scenarios_that_once_differed_end_the_same_in_both_datapaths() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/differential");
    let mut replayed = 0;
    for entry in fs::read_dir(&fixtures).expect("the fixtures") {
        let path = entry.expect("a fixture").path();
        let text = fs::read_to_string(&path).expect("a readable fixture");
        let scenario = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let difference = Worlds::with(|worlds| worlds.difference(&scenario));
        assert_eq!(difference, None, "{}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "no fixtures in {}", fixtures.display());
}
