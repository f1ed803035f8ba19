//! Runs a scenario in both worlds and names the first difference.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use switch_common::{
    DropReason, Verdict,
    abi::{
        addr::PortId,
        counters::PortCounters,
        fdb::{FdbEntry, FdbKey},
        group::ListId,
        port::PortState,
    },
    stage::vlan::{Membership, TagChange},
    verdict::Outcome as Decision,
};
use wye_tests::support::{netns, scenario::Scenario, sys};

use crate::{kernel::Kernel, reference::Reference};

/// Two readings of when a MAC was seen are the same if they are this close: ages of a scenario lie further apart.
const SAME_MOMENT_NS: u64 = 2_000_000_000;

/// What became of one frame.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// The pipeline's verdict.
    pub(crate) verdict: u64,
    /// What the program returned to the kernel.
    pub(crate) action: u32,
    /// The frame afterwards.
    pub(crate) bytes: Vec<u8>,
}

impl Outcome {
    /// The verdict, spelled out.
    pub(crate) fn decision(&self) -> Decision {
        Verdict::from_raw(self.verdict).and_then(Verdict::outcome).expect("the stages give verdicts")
    }
}

/// Counters of one slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SlotState {
    /// Traffic since the scenario began.
    pub(crate) traffic: PortCounters,
    /// Drops since the switch was made.
    pub(crate) drops: BTreeMap<DropReason, u64>,
    /// Learned MACs now, and sources not learned since the switch was made.
    pub(crate) state: PortState,
}

/// The FDB.
pub(crate) type Fdb = BTreeMap<FdbKey, FdbEntry>;

/// The kernel program and the reference, with the same ports.
pub(crate) struct Worlds {
    kernel: Kernel,
    reference: Reference,
    seen: BTreeSet<String>,
}

impl Worlds {
    /// Does something with a new pair of worlds, on a CPU and in a namespace of its own.
    pub(crate) fn with<T: Send>(work: impl FnOnce(&mut Self) -> T + Send) -> T {
        let host = netns::new_silent();
        netns::inside(&host, || {
            let cpu = sys::stay_on_this_cpu().expect("a CPU to stay on");
            let kernel = Kernel::new(&host, cpu);
            let reference = Reference::new(kernel.ports().to_vec());
            work(&mut Self { kernel, reference, seen: BTreeSet::new() })
        })
    }

    /// The verdicts so far, ports and MACs left out.
    pub(crate) fn seen(&self) -> &BTreeSet<String> {
        &self.seen
    }

    /// Runs a scenario in both and describes where they first differ.
    pub(crate) fn difference(&mut self, scenario: &Scenario) -> Option<String> {
        self.kernel.set_up(scenario);
        self.reference.set_up(scenario);
        for (index, frame) in scenario.frames.iter().enumerate() {
            let (reference, kernel) = (self.reference.inject(frame), self.kernel.inject(frame));
            let decisions = (reference.decision(), kernel.decision());
            // A copy's tag is put on the frame itself: what is left of it after a flood in VLANs is nobody's.
            let is_scratch = matches!(decisions.0, Decision::Flood(_, member) | Decision::Deliver(_, member) if member != Membership::NONE);
            let same = (without_list(&reference), reference.action) == (without_list(&kernel), kernel.action);
            if !same || !is_scratch && reference.bytes != kernel.bytes {
                return Some(format!(
                    "frame {index}: {decisions:?}\n{reference:?}\nin the kernel {kernel:?}"
                ));
            }
            self.seen.insert(match decisions.0 {
                Decision::Forward(_, tags) if tags == TagChange::NONE => String::from("Forward"),
                Decision::Forward(..) => String::from("Forward with a change of tags"),
                Decision::Flood(kind, _) => format!("Flood({kind:?})"),
                Decision::Deliver(..)
                    if Verdict::from_raw(reference.verdict).is_some_and(|it| it.copied().is_some()) =>
                {
                    String::from("Deliver with a copy")
                }
                Decision::Deliver(..) => String::from("Deliver"),
                Decision::Respond(_) => String::from("Respond"),
                other @ (Decision::ToHost | Decision::Punt(_) | Decision::Drop(_) | Decision::Refuse(..)) => {
                    format!("{other:?}")
                }
            });
        }
        for place in 0..=self.kernel.ports().len() {
            let difference = differing("slot", &self.reference.slot(place), &self.kernel.slot(place));
            if let Some(difference) = difference {
                return Some(format!("{place}: {difference}"));
            }
        }
        fdb_difference(&self.reference.fdb(), &self.kernel.fdb())
    }
}

/// A verdict without the number of the list that it names, which each world gives a group by itself: where the copies went, the
/// counters tell.
fn without_list(outcome: &Outcome) -> Verdict {
    let verdict = Verdict::from_raw(outcome.verdict).expect("the stages give verdicts");
    if let Decision::Deliver(_, member) = outcome.decision() {
        return Verdict::deliver_in(ListId(u32::MAX), member).with_copy(verdict.copied().is_some());
    }
    verdict
}

/// The smallest scenario that still differs, found by leaving parts out.
pub(crate) fn reduce(mut scenario: Scenario) -> Scenario {
    let differs = |scenario: &Scenario| Worlds::with(|worlds| worlds.difference(scenario)).is_some();
    while let Some(smaller) = scenario.smaller().into_iter().find(differs) {
        scenario = smaller;
    }
    scenario
}

fn fdb_difference(reference: &Fdb, kernel: &Fdb) -> Option<String> {
    let summary = |fdb: &Fdb| -> BTreeMap<FdbKey, (PortId, _)> {
        fdb.iter().map(|(key, entry)| (*key, (entry.port(), entry.kind()))).collect()
    };
    if let Some(difference) = differing("FDB", &summary(reference), &summary(kernel)) {
        return Some(difference);
    }
    reference.iter().zip(kernel).find_map(|((key, ours), (_, theirs))| {
        let apart = ours.last_seen().0.abs_diff(theirs.last_seen().0);
        (apart > SAME_MOMENT_NS).then(|| format!("{key:?} was seen {apart} ns apart"))
    })
}

fn differing<T: Debug + PartialEq>(what: &str, reference: &T, kernel: &T) -> Option<String> {
    (reference != kernel).then(|| format!("{what} {reference:?}\nin the kernel {kernel:?}"))
}
