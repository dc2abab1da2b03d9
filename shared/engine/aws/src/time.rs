//! Converts the times of the AWS SDKs.

use aws_sdk_kinesis::primitives::DateTime;
use jiff::Timestamp;

/// A time in milliseconds; the beginning of 1970 if the time is missing, or out of the range of [`Timestamp`].
pub(crate) fn timestamp(time: Option<&DateTime>) -> Timestamp {
    time.and_then(|time| Timestamp::from_millisecond(time.to_millis().ok()?).ok())
        .unwrap_or_default()
}
