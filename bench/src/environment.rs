//! What a figure depends on besides what was measured.

use std::{fmt, fs, path::Path};

use anyhow::Result;
use serde::Serialize;
use switch_userspace::netns::{IfName, Netlink, Offload};

use crate::{frame::FRAME_BYTES, topology::Lane};

/// The machine and the settings of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Environment {
    kernel: String,
    cpu: String,
    cpus: usize,
    cpu_flaws: Vec<String>,
    offloads: Vec<String>,
    frame_bytes: usize,
    load_before: String,
}

impl Environment {
    /// Reads it; what the kernel does not tell is left empty. The offloads are those of the container that `lane` ends in:
    /// all others have the same, since nobody sets any.
    #[must_use]
    pub(crate) fn of(lane: &Lane) -> Self {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        Self {
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu: cpu_model(&line("/proc/cpuinfo")),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            cpu_flaws: cpu_flaws(Path::new("/sys/devices/system/cpu/vulnerabilities")),
            offloads: offloads(lane).unwrap_or_default(),
            frame_bytes: FRAME_BYTES,
            load_before: line("/proc/loadavg"),
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kernel {}, {} CPUs, {}", self.kernel, self.cpus, self.cpu)?;
        writeln!(f, "CPU flaws: {}", self.cpu_flaws.join("; "))?;
        writeln!(f, "offloads of every container's interface: {}", self.offloads.join(" "))?;
        writeln!(f, "frames of {} bytes; load before: {}", self.frame_bytes, self.load_before)
    }
}

fn offloads(lane: &Lane) -> Result<Vec<String>> {
    let container = lane.receiver();
    let netlink = Netlink::open_in(container.netns())?;
    let name = IfName::new(container.interface())?;
    let on = |offload: &Offload| netlink.offload(&name, *offload).unwrap_or(false);
    Ok(Offload::ALL.into_iter().filter(on).map(|offload| offload.to_string()).collect())
}

fn cpu_model(cpuinfo: &str) -> String {
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, name)| name.trim().to_owned())
}

/// What the kernel says of every flaw that this CPU has.
fn cpu_flaws(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path()).ok()?;
            let what = Some(text.trim()).filter(|what| *what != "Not affected")?;
            Some(format!("{} ({what})", entry.file_name().to_string_lossy()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_what_stands_behind_the_colon() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Some CPU 3: fast\n"), "Some CPU 3: fast");
        assert_eq!(cpu_model(""), "");
    }
}
