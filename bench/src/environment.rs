//! What a figure depends on besides what was measured.

use std::{fs, path::Path};

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
    /// Reads it; what the kernel does not tell is left empty.
    #[must_use]
    pub(crate) fn read() -> Self {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        Self {
            kernel: line("/proc/sys/kernel/osrelease"),
            cpu: cpu_model(&line("/proc/cpuinfo")),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            cpu_flaws: cpu_flaws(Path::new("/sys/devices/system/cpu/vulnerabilities")),
            offloads: Vec::new(),
            frame_bytes: FRAME_BYTES,
            load_before: line("/proc/loadavg"),
        }
    }

    /// Adds the offloads that the containers of `lane` have; those of the other lanes are the same, since nobody sets any.
    #[must_use]
    pub(crate) fn with_offloads_of(mut self, lane: &Lane) -> Self {
        let container = lane.receiver();
        if let (Ok(netlink), Ok(name)) =
            (Netlink::open_in(container.netns()), IfName::new(container.interface()))
        {
            let on = |offload: &Offload| netlink.offload(&name, *offload).unwrap_or(false);
            self.offloads = Offload::ALL.into_iter().filter(on).map(|offload| offload.to_string()).collect();
        }
        self
    }

    /// One fact a line.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        vec![
            format!("kernel {}, {} CPUs, {}", self.kernel, self.cpus, self.cpu),
            format!("CPU flaws: {}", self.cpu_flaws.join("; ")),
            format!("offloads of every container's interface: {}", self.offloads.join(" ")),
            format!("load before: {}", self.load_before),
        ]
    }
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
