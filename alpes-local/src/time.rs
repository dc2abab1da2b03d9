//! Times as services write them. The time itself is from [`crate::names::now_millis`], or from a [`crate::clock::Clock`]
//! where tests set it.

use jiff::Timestamp;

/// The time so many milliseconds after the beginning of 1970; the calendar's last time if that is later.
pub(crate) fn at_millis(millis: u64) -> Timestamp {
    let millis = i64::try_from(millis).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// A time in whole seconds: `2026-11-28T20:00:00Z`.
pub(crate) fn iso_seconds(millis: u64) -> String {
    at_millis(millis).strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A time in milliseconds: `2026-11-28T20:00:00.123Z`.
pub(crate) fn iso_millis(millis: u64) -> String {
    at_millis(millis)
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_all_their_digits() {
        let millis = 1_795_896_000_007;
        assert_eq!(iso_seconds(millis), "2026-11-28T20:00:00Z");
        assert_eq!(iso_millis(millis), "2026-11-28T20:00:00.007Z");
        assert_eq!(iso_seconds(0), "1970-01-01T00:00:00Z");
        assert_eq!(at_millis(u64::MAX), Timestamp::MAX);
    }
}
