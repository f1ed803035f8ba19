//! A million source MACs from one port: no table overflows, nothing of others becomes visible, memory stays (S06).

use std::{fs, path::Path};

use fastrand::Rng;
use switch_common::{DropReason, abi::addr::MacAddr};
use switch_userspace::{api::types::FdbEntry, datapath::Mode};
use wye_tests::{
    both_datapaths,
    support::{
        packet::{
            build,
            socket::{Sender, Sniffer},
        },
        segment::EXPERIMENT,
        topology::wait_until,
        wye::Family,
    },
};

use crate::{
    arena::{Arena, risen},
    bridge::Bridge,
    flow::{self, Flow},
};

both_datapaths!(a_million_source_macs_fill_nothing);

const MACS: u64 = 1_000_000;
/// Frames that are sent before the switch has to have seen them all: no queue on the way overflows.
const BURST: u64 = 500;
/// MACs that a bridge is shown.
const SAMPLE: u64 = 20_000;
/// MACs that the unguarded port may learn.
const MAX_MACS: u64 = 8;
/// The daemon's memory may move by this: a table of a million MACs takes tens of MiB.
const SLACK_KIB: u64 = 4 * 1024;

fn a_million_source_macs_fill_nothing(mode: Mode) {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = Rng::with_seed(seed);
    let arena = Arena::start(mode);
    a_bridge_learns_them(&arena, &mut rng);
    let own = fdb_size(&arena);
    flood(&arena, &mut rng, DropReason::SourceMac, MACS);
    assert_eq!(fdb_size(&arena), own, "a guarded port learns nothing");

    arena.set_guard(false);
    arena.wye.ok(&["port", "set", "attacker", "--max-macs", &MAX_MACS.to_string()]);
    flood(&arena, &mut rng, DropReason::MacLimit, MACS - MAX_MACS);
    assert_eq!(arena.port().learned, MAX_MACS);
    assert_eq!(fdb_size(&arena), own + MAX_MACS, "the port's cap holds");
}

/// Sends the frames; `dropped` of them are refused for `reason`, and everything else is as before.
fn flood(arena: &Arena, rng: &mut Rng, reason: DropReason, dropped: u64) {
    let (pid, before) = (arena.wye.daemon_pid(), arena.port());
    let third = Sniffer::open(arena.victim.netns(), "eth0");
    let flow = Flow::start(&arena.bystanders[0], &arena.bystanders[1], Family::V4);
    let mut sender = Sender::open(arena.attacker.netns(), "eth0");
    let (resident, mapped) = (resident_kib(pid), map_bytes(pid));
    let dst = arena.cast().bystander.mac;
    for sent in (BURST..=MACS).step_by(usize::try_from(BURST).expect("a small burst")) {
        sender.send_all(&burst(dst, rng));
        wait_until("the switch has seen a burst", || {
            arena.port().counters.rx_frames >= before.counters.rx_frames + sent
        });
    }
    let after = arena.port();
    let counted = risen(&before.drops, &after.drops);
    assert_eq!(counted.into_iter().collect::<Vec<_>>(), [(reason.name().to_owned(), dropped)]);
    assert_eq!(flow.finish(), None);
    let overheard = third.take().iter().filter(|frame| frame.ends_with(flow::MARK)).count();
    assert_eq!(overheard, 0, "unicast of bystanders at a third port");
    let grown = resident_kib(pid).saturating_sub(resident);
    assert!(grown < SLACK_KIB, "the daemon has grown by {grown} KiB");
    assert_eq!(map_bytes(pid), mapped, "memory of the kernel's tables");
}

/// The control: a bridge takes all of them, as long as it has memory.
fn a_bridge_learns_them(arena: &Arena, rng: &mut Rng) {
    let bridge = Bridge::start(arena.cast());
    for _ in 0..SAMPLE / BURST {
        bridge.send(&burst(arena.cast().bystander.mac, rng));
    }
    wait_until("the bridge has learned them", || bridge.fdb_size() as u64 >= SAMPLE);
}

fn burst(dst: MacAddr, rng: &mut Rng) -> Vec<Vec<u8>> {
    (0..BURST).map(|_| build::eth(dst, station(rng), EXPERIMENT, &[0x5a; 46])).collect()
}

/// A station's MAC by chance.
fn station(rng: &mut Rng) -> MacAddr {
    let mut bytes = [0; 6];
    rng.fill(&mut bytes);
    // Locally administered, and no group.
    bytes[0] = bytes[0] & 0xfc | 2;
    MacAddr::new(bytes)
}

fn fdb_size(arena: &Arena) -> u64 {
    arena.wye.json::<Vec<FdbEntry>>(&["fdb", "show"]).len() as u64
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the daemon's status");
    number_after(&status, "VmRSS:").expect("VmRSS")
}

/// What the kernel accounts for the daemon's maps; none has any in userspace.
fn map_bytes(pid: u32) -> u64 {
    let infos = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fdinfo")).expect("descriptors");
    let texts = infos.flatten().filter_map(|info| fs::read_to_string(info.path()).ok());
    texts.filter(|text| text.contains("map_id:")).filter_map(|text| number_after(&text, "memlock:")).sum()
}

fn number_after(text: &str, label: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    line.split_whitespace().next()?.parse().ok()
}
