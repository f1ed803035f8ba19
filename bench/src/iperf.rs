//! One TCP stream between two containers, by iperf3.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    cpus::{self, Cpus},
    topology::Container,
};

const PROGRAM: &str = "iperf3";
/// What a server prints once a client can connect.
const READY: &str = "Server listening";

/// Bits that the receiver got in a second, over `seconds` seconds. Sender and receiver have a CPU each.
///
/// # Errors
/// iperf3 is missing or fails.
pub(crate) fn one_stream(sender: &Container, receiver: &Container, seconds: u32, cpus: Cpus) -> Result<f64> {
    let server = Server::start(receiver, cpus.other)?;
    let client = sender.netns().run(|| {
        cpus::take(cpus.source)?;
        Command::new(PROGRAM)
            .args(["--client", &Ipv4Addr::from(receiver.ip()).to_string()])
            .args(["--time", &seconds.to_string(), "--json"])
            .output()
            .context("cannot start the iperf3 client")
    })?;
    if !client.status.success() {
        bail!("the iperf3 client failed: {}", String::from_utf8_lossy(&client.stdout).trim_end());
    }
    server.finish()?;
    received_bits_per_second(&client.stdout)
}

/// A server for one client; it is ended on drop.
struct Server(Child);

impl Server {
    fn start(container: &Container, cpu: usize) -> Result<Self> {
        let child = container.netns().run(|| {
            cpus::take(cpu)?;
            Command::new(PROGRAM)
                .args(["--server", "--one-off", "--forceflush"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .context("cannot start the iperf3 server")
        })?;
        let mut server = Self(child);
        let mut output = BufReader::new(server.0.stdout.take().context("the server has no output")?);
        let mut line = String::new();
        while !line.contains(READY) {
            line.clear();
            if output.read_line(&mut line).context("cannot read from the iperf3 server")? == 0 {
                bail!("the iperf3 server ended: {}", server.errors());
            }
        }
        server.0.stdout = Some(output.into_inner());
        Ok(server)
    }

    fn finish(mut self) -> Result<()> {
        let status = self.0.wait().context("cannot wait for the iperf3 server")?;
        if status.success() { Ok(()) } else { bail!("the iperf3 server failed: {}", self.errors()) }
    }

    fn errors(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.0.stderr {
            // What cannot be read is not told.
            let _unread = stderr.read_to_string(&mut text);
        }
        text.trim_end().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn received_bits_per_second(json: &[u8]) -> Result<f64> {
    let report: serde_json::Value = serde_json::from_slice(json).context("iperf3 does not write JSON")?;
    let received = report.pointer("/end/sum_received/bits_per_second").and_then(serde_json::Value::as_f64);
    received.context("iperf3 does not say how much was received")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_is_what_was_received() {
        let json =
            br#"{"end": {"sum_sent": {"bits_per_second": 9e9}, "sum_received": {"bits_per_second": 8e9}}}"#;
        assert_eq!(received_bits_per_second(json).ok(), Some(8e9));
        assert!(received_bits_per_second(br#"{"error": "no route"}"#).is_err());
    }
}
