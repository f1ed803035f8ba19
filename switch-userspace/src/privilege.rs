//! The privileges that a daemon needs. The kernel takes CAP_SYS_ADMIN for CAP_BPF, too.

use std::{fs, io};

/// The capabilities that both datapaths need: their names and numbers.
pub(crate) const NEEDED: [(&str, u32); 2] = [("CAP_NET_ADMIN", 12), ("CAP_SYS_ADMIN", 21)];

/// Whether this process may use the capability with the number `bit`.
///
/// # Errors
/// `/proc` is not mounted.
pub(crate) fn has(bit: u32) -> io::Result<bool> {
    let status = fs::read_to_string("/proc/self/status")?;
    effective(&status).map(|all| all & 1 << bit != 0).ok_or(io::ErrorKind::InvalidData.into())
}

/// The names of the needed capabilities that this process is known not to have.
#[must_use]
pub(crate) fn missing() -> Vec<&'static str> {
    let is_missing = |(_, bit): &(&str, u32)| has(*bit).is_ok_and(|has| !has);
    NEEDED.into_iter().filter(is_missing).map(|(name, _)| name).collect()
}

fn effective(status: &str) -> Option<u64> {
    let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_process_status() {
        let status = "Name:\twye\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n";
        assert_eq!(effective(status), Some(0x1ff_ffff_ffff));
        assert_eq!(effective("Name:\twye\n"), None);
    }
}
