//! Time as the SDKs tell it.

use aws_sdk_kinesis::primitives::DateTime;
use jiff::Timestamp;

/// To the millisecond; the beginning of 1970 if it is not told, or beyond what a [`Timestamp`] can say.
pub(crate) fn timestamp(time: Option<&DateTime>) -> Timestamp {
    time.and_then(|time| Timestamp::from_millisecond(time.to_millis().ok()?).ok())
        .unwrap_or_default()
}
