//! Moments of the calendar, to the second.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

/// A moment; prints as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(SystemTime);

/// The last second that the printed form has four digits of year for: 9999-12-31T23:59:59Z.
const LAST: Duration = Duration::from_secs(253_402_300_799);

impl Timestamp {
    /// `time` without its fraction of a second; a time that RFC 3339 cannot tell becomes the nearest that it can.
    #[must_use]
    pub fn new(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let secs = since_epoch.min(LAST).as_secs();
        Self(SystemTime::UNIX_EPOCH + Duration::from_secs(secs))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_rfc3339_seconds(self.0).fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = humantime::TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        humantime::parse_rfc3339(text).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_moment_reads_back() {
        let moment = Timestamp::new(SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_900));
        assert_eq!(moment.to_string(), "2023-11-14T22:13:20Z");
        assert_eq!(moment.to_string().parse(), Ok(moment));
    }

    #[test]
    fn impossible_times_are_cut_to_printable_ones() {
        let far = Timestamp::new(SystemTime::UNIX_EPOCH + LAST + Duration::from_secs(1));
        assert_eq!(far.to_string(), "9999-12-31T23:59:59Z");
        let early = Timestamp::new(SystemTime::UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(early.to_string(), "1970-01-01T00:00:00Z");
    }
}
