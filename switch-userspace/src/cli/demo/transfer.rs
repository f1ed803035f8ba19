//! A 1 GiB transfer from one container to another by real programs, hashed at both ends.

use std::{
    fs::File,
    io::{self, Read, Write},
    process::{Command, Stdio},
    time::Instant,
};

use super::{
    DemoError,
    command::{Background, show},
    stage::{CONTAINERS, Stage},
};
use crate::cli::output;

const BLOCK_BYTES: usize = 1 << 20;
const BLOCKS: u64 = 1 << 10;
const L4_PORT: u16 = 7000;

pub(super) fn run(stage: &mut Stage) -> Result<(), DemoError> {
    let (from, to) = (&CONTAINERS[0], &CONTAINERS[1]);
    let mut receive = stage.runner.inside(to.name, &format!("socat -d -d -u TCP-LISTEN:{L4_PORT} STDOUT"));
    show(&receive)?;
    let mut receiver = Background::start(&mut receive)?;
    receiver.wait_for_talk("listening on")?;
    let received = receiver.child.stdout.take().map_or_else(Stdio::null, Stdio::from);
    let arrived = Background::start(Command::new("sha256sum").stdin(received))?;

    let mut send = stage.runner.inside(from.name, &format!("socat -u STDIN TCP:{}:{L4_PORT}", to.v4));
    show(&send)?;
    let began = Instant::now();
    let mut sender = Background::start(send.stdin(Stdio::piped()))?;
    let mut sent = Background::start(Command::new("sha256sum").stdin(Stdio::piped()))?;
    write_both(&mut sender, &mut sent).map_err(|source| DemoError::Io {
        op: "send",
        object: "1 GiB".to_owned(),
        source,
    })?;
    sender.finish()?;
    receiver.finish()?;
    let seconds = began.elapsed().as_secs_f64();
    let (sent, arrived) = (hash(&sent.finish()?), hash(&arrived.finish()?));
    output::line(format!("  sent      sha256 {sent}"))?;
    output::line(format!("  received  sha256 {arrived}"))?;
    output::line(format!("  in {seconds:.1} s, hashing included"))?;
    stage.expect("1 GiB arrived with the same sha256", !sent.is_empty() && sent == arrived)
}

/// The hash in what sha256sum prints, which is followed by the name of the input.
fn hash(line: &str) -> String {
    line.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Writes the same random data to two programs and closes their input. Every block begins with its number, so that blocks
/// that change places change the hash.
fn write_both(one: &mut Background, other: &mut Background) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut block)?;
    let inputs = (one.child.stdin.take(), other.child.stdin.take());
    let (Some(mut one), Some(mut other)) = inputs else { return Err(io::ErrorKind::BrokenPipe.into()) };
    for number in 0..BLOCKS {
        block[..8].copy_from_slice(&number.to_be_bytes());
        one.write_all(&block)?;
        other.write_all(&block)?;
    }
    Ok(())
}
