//! The same frames through the loaded kernel program and through the host's build of the same stages, on the same tables:
//! same verdict, same action, same bytes, same counters, same FDB afterwards.
//!
//! The first difference is reduced to a minimal scenario and written as JSON: moved to `tests/fixtures/differential/`, with a
//! name that says what it is about, it is replayed by every later run.

mod compare;
mod kernel;
mod reference;

use std::{env, fs, path::Path};

use switch_common::{abi::addr::PortId, verdict::Outcome as Decision};
use switch_userspace::datapath::userspace::{FastPath, SlowPath};
use wye_tests::support::scenario::{PORTS, Scenario};

use crate::{
    compare::{Worlds, reduce},
    reference::Reference,
};

/// The verdicts that scenarios can come to: a run without one of them has not tried it.
const REACHABLE: [&str; 48] = [
    "Forward",
    "Forward with a change of tags",
    "Drop(Vlan)",
    "Flood(UnknownUnicast)",
    "Flood(Broadcast)",
    "Flood(Multicast)",
    "Deliver",
    "Deliver with a copy",
    "Drop(MulticastQuery)",
    "Punt(LongReport)",
    "Respond",
    "ToHost",
    "Punt(LongHeaderChain)",
    "Drop(UnknownPort)",
    "Drop(PortNotReady)",
    "Drop(ShortFrame)",
    "Drop(TagStack)",
    "Drop(BadLlcLength)",
    "Drop(Ipv4Header)",
    "Drop(Ipv6Header)",
    "Drop(Ipv6Chain)",
    "Drop(L4Header)",
    "Drop(ArpHeader)",
    "Drop(SourceMac)",
    "Drop(ReservedGroup)",
    "Drop(MacLimit)",
    "Drop(SamePort)",
    "Drop(Isolated)",
    "Drop(TooBig)",
    "Drop(EgressGone)",
    "Drop(SourceIp)",
    "Drop(ArpSpoof)",
    "Drop(NdSpoof)",
    "Drop(RouterAdvertisement)",
    "Drop(DhcpServer)",
    "Drop(IcmpRedirect)",
    "Drop(IcmpError)",
    "Drop(L2Encap)",
    "Drop(TinyFragment)",
    "Drop(Locked)",
    "Drop(Storm)",
    "Punt(Ipv4Options)",
    "Punt(ManyNdOptions)",
    "Drop(NoNeighbour)",
    "Drop(Loop)",
    "Punt(LoopProbe)",
    "Drop(NoRoute)",
    "Punt(Unreachable)",
];

/// Scenarios of a run; `WYE_SCENARIOS` asks for more.
const SCENARIOS: u64 = 100_000;

#[test]
fn generated_scenarios_end_the_same_in_both_datapaths() {
    let count =
        env::var("WYE_SCENARIOS").map_or(SCENARIOS, |count| count.parse().expect("a number of scenarios"));
    let first = env::var("WYE_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().expect("a seed"));
    println!("WYE_SEED={first} WYE_SCENARIOS={count}");
    let (differing, seen) = Worlds::with(|worlds| {
        let differing = (0..count).map(|step| first.wrapping_add(step)).find_map(|seed| {
            let difference = worlds.difference(&Scenario::generate(seed))?;
            Some((seed, difference))
        });
        (differing, worlds.seen().clone())
    });
    if let Some((seed, difference)) = differing {
        let reduced = reduce(Scenario::generate(seed));
        let json = serde_json::to_string_pretty(&reduced).expect("a scenario is JSON");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("differs-{seed}.json"));
        fs::write(&path, json).expect("a file for the reduced scenario");
        panic!("seed {seed}: {difference}\nreduced to {}", path.display());
    }
    let missed: Vec<_> = REACHABLE.iter().filter(|verdict| !seen.contains(**verdict)).collect();
    assert!(count < SCENARIOS || missed.is_empty(), "no frame came to {missed:?}");
}

#[test]
fn slow_path_agrees_with_the_fast_path_on_all_that_is_not_punted() {
    let ports: Vec<_> = (1..=PORTS + 1).map(|index| PortId(u32::try_from(index).expect("a few"))).collect();
    let mut fast = Reference::<FastPath>::new(ports.clone());
    let mut slow = Reference::<SlowPath>::new(ports);
    let mut punted = 0;
    for seed in 0..SCENARIOS {
        let scenario = Scenario::generate(seed);
        fast.set_up(&scenario);
        slow.set_up(&scenario);
        for frame in &scenario.frames {
            let (ours, theirs) = (fast.inject(frame), slow.inject(frame));
            if matches!(ours.decision(), Decision::Punt(_)) {
                punted += 1;
                // From here on the slow path knows a station that the fast path has not seen.
                break;
            }
            assert_eq!(ours, theirs, "seed {seed}");
        }
    }
    assert!(punted > 0, "no frame was punted");
}

#[test]
fn scenarios_that_once_differed_end_the_same_in_both_datapaths() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/differential");
    let mut replayed = 0;
    for entry in fs::read_dir(&fixtures).expect("the fixtures") {
        let path = entry.expect("a fixture").path();
        let text = fs::read_to_string(&path).expect("a readable fixture");
        let scenario =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let difference = Worlds::with(|worlds| worlds.difference(&scenario));
        assert_eq!(difference, None, "{}", path.display());
        replayed += 1;
    }
    assert!(replayed > 0, "no fixtures in {}", fixtures.display());
}
