//! The measuring programs: a source that puts frames on an interface, and a sink that counts and drops what arrives.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use aya::{
    Ebpf, TestRun, TestRunAttrs, TestRunOptions,
    maps::{Array, MapData, PerCpuArray},
    programs::{LinkOrder, SchedClassifier, TcAttachType, Xdp, tc::TcAttachOptions},
};
use serde::Serialize;
use switch_userspace::netns::{IfIndex, Netns};

use crate::{
    disturbance::{self, Watched},
    topology::Container,
};

/// The programs as the build made them; empty where it made none.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/probe-bpf.o"));

/// Frames that the kernel hands to an interface at a time: its NAPI budget, as a network card's driver would.
pub(crate) const BATCH: u32 = 64;

const SOURCE: &str = "source";
const SENDER: &str = "sender";
const SINK: &str = "sink";
/// Bytes of `struct __sk_buff` up to the field that names the interface.
const IFINDEX_OFFSET: usize = 40;

/// Both programs, loaded. Dropping it takes the sink off every interface.
pub(crate) struct Probe {
    programs: Ebpf,
    taken: PerCpuArray<MapData, Taken>,
    spread: Array<MapData, u32>,
    original: Array<MapData, [u64; ORIGINAL_BYTES / 8]>,
}

/// Length of a frame that can be put anew each time.
pub(crate) const ORIGINAL_BYTES: usize = 96;

/// Frames and bytes, as the sink's map has them.
type Taken = [u64; 2];

/// Who puts frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Origin {
    /// A driver: what comes in at the interface is handed to the kernel in batches, a page of memory for each frame.
    Driver,
    /// A container: each frame is sent out of the interface by itself, in memory of the size that a socket's frames have.
    Container,
}

/// Where frames are put, and what they look like.
pub(crate) struct Entry<'a> {
    /// Who puts them.
    pub(crate) origin: Origin,
    /// The interface's namespace.
    pub(crate) netns: &'a Netns,
    /// The interface.
    pub(crate) interface: IfIndex,
    /// The frame.
    pub(crate) frame: &'a [u8],
    /// Destination MACs that the frames walk through; 1 is the frame's own. With more, the last four bytes of the
    /// destination count from 0.
    pub(crate) destinations: u32,
    /// Frames that a driver hands over at a time.
    pub(crate) batch: u32,
    /// Frames that the sink takes for each that is put, where none is lost.
    pub(crate) arrivals: u32,
    /// Whether the frame, of [`ORIGINAL_BYTES`], is written anew each time: the kernel uses the memory of frames again, with what
    /// a switch wrote into it.
    pub(crate) anew: bool,
}

/// What one run of the source came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Burst {
    /// Frames that the sink takes where none is lost.
    pub(crate) expected: u64,
    /// Frames that the sink took until the last one was put.
    pub(crate) delivered: u64,
}

impl Probe {
    /// Loads the programs.
    ///
    /// # Errors
    /// There is no object, or the kernel refuses it.
    pub(crate) fn load() -> Result<Self> {
        if OBJECT.is_empty() {
            bail!(
                "built without its eBPF object; `cargo xtask bench NAME` builds and runs it with the object"
            );
        }
        let mut programs = Ebpf::load(OBJECT).context("cannot load the measuring programs")?;
        let taken = programs.take_map("TAKEN").context("the object has no map TAKEN")?;
        let spread = programs.take_map("SPREAD").context("the object has no map SPREAD")?;
        let original = programs.take_map("ORIGINAL").context("the object has no map ORIGINAL")?;
        let source: &mut Xdp = programs.program_mut(SOURCE).with_context(missing(SOURCE))?.try_into()?;
        source.load().context("the kernel refuses the source program")?;
        for name in [SENDER, SINK] {
            let program: &mut SchedClassifier =
                programs.program_mut(name).with_context(missing(name))?.try_into()?;
            program.load().with_context(|| format!("the kernel refuses the {name} program"))?;
        }
        Ok(Self {
            programs,
            taken: taken.try_into()?,
            spread: spread.try_into()?,
            original: original.try_into()?,
        })
    }

    /// Counts and drops, from now on, everything that the container receives.
    ///
    /// # Errors
    /// The kernel has no tcx.
    pub(crate) fn watch(&mut self, container: &Container) -> Result<()> {
        let options = TcAttachOptions::TcxOrder(LinkOrder::default());
        let sink: &mut SchedClassifier =
            self.programs.program_mut(SINK).with_context(missing(SINK))?.try_into()?;
        container.netns().run(|| {
            sink.attach_with_options(container.interface(), TcAttachType::Ingress, options)
                .with_context(|| format!("cannot attach the sink in {}", container.netns().label()))?;
            Ok(())
        })
    }

    /// Puts `count` frames from CPU `cpu` as fast as it goes.
    ///
    /// # Errors
    /// The kernel refuses the run.
    pub(crate) fn put(&mut self, entry: &Entry<'_>, count: u32, cpu: usize) -> Result<Watched<Burst>> {
        self.spread.set(0, entry.destinations, 0).context("cannot set the destinations")?;
        self.original.set(0, original(entry)?, 0).context("cannot set the frame")?;
        let probe = &*self;
        disturbance::watch(entry.netns, cpu, || {
            let before = probe.taken()?;
            probe.run_source(entry, count).context("cannot put frames")?;
            let expected = u64::from(count) * u64::from(entry.arrivals);
            Ok(Burst { expected, delivered: probe.taken()? - before })
        })
    }

    fn run_source(&self, entry: &Entry<'_>, count: u32) -> Result<()> {
        let run = TestRunOptions { data_in: Some(entry.frame), repeat: count, ..TestRunOptions::default() };
        match entry.origin {
            Origin::Driver => {
                let source: &Xdp = self.programs.program(SOURCE).with_context(missing(SOURCE))?.try_into()?;
                let attrs = TestRunAttrs::new().xdp_live_frames(entry.batch);
                source.test_run(TestRunOptions { ctx_in: Some(&xdp_context(entry)?), attrs, ..run })?;
            }
            Origin::Container => {
                let sender: &SchedClassifier =
                    self.programs.program(SENDER).with_context(missing(SENDER))?.try_into()?;
                sender.test_run(TestRunOptions { ctx_in: Some(&skb_context(entry)), ..run })?;
            }
        }
        Ok(())
    }

    /// Frames that the sink took so far, over all CPUs.
    ///
    /// # Errors
    /// The map cannot be read.
    pub(crate) fn taken(&self) -> Result<u64> {
        let per_cpu = self.taken.get(&0, 0).context("cannot read what the sink took")?;
        Ok(per_cpu.iter().map(|[frames, _]| frames).sum())
    }

    /// Time of one run of the sink alone, which does next to nothing: what the kernel's own loop costs.
    ///
    /// # Errors
    /// The kernel refuses the run.
    pub(crate) fn idle_run(&self, frame: &[u8], repeat: u32) -> Result<Duration> {
        let sink: &SchedClassifier = self.programs.program(SINK).with_context(missing(SINK))?.try_into()?;
        let options = TestRunOptions { data_in: Some(frame), repeat, ..TestRunOptions::default() };
        Ok(sink.test_run(options).context("cannot run the sink alone")?.duration)
    }
}

fn missing(name: &'static str) -> impl Fn() -> String {
    move || format!("the object has no program {name}")
}

/// The frame that is to be written, or zeros.
fn original(entry: &Entry<'_>) -> Result<[u64; ORIGINAL_BYTES / 8]> {
    let mut words = [0; ORIGINAL_BYTES / 8];
    if entry.anew {
        let frame: &[u8; ORIGINAL_BYTES] = entry.frame.try_into().context("a frame of another length")?;
        let (chunks, _) = frame.as_chunks();
        words = std::array::from_fn(|word| u64::from_ne_bytes(chunks[word]));
    }
    Ok(words)
}

/// `struct __sk_buff` up to the field `ifindex`.
fn skb_context(entry: &Entry<'_>) -> Vec<u8> {
    let mut context = vec![0; IFINDEX_OFFSET];
    context.extend(u32::from(entry.interface).to_ne_bytes());
    context
}

/// `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
fn xdp_context(entry: &Entry<'_>) -> Result<Vec<u8>> {
    let frame_bytes = u32::try_from(entry.frame.len())?;
    let words = [0, frame_bytes, 0, entry.interface.into(), 0, 0];
    Ok(words.iter().flat_map(|word: &u32| word.to_ne_bytes()).collect())
}
