//! The contents of a Kinesis stream: records in shards.

use std::{cmp::Ordering, fmt, sync::Arc};

use crate::Millis;

/// The name of a shard, for example `shardId-000000000000`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(Arc<str>);

impl From<&str> for ShardId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// The number of a record in its shard: decimal digits, compared as a number. AWS's numbers do not fit any integer
/// type.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SequenceNumber(Arc<str>);

impl SequenceNumber {
    /// Parses digits; `None` if the text is empty or has other characters.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        let all = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| Self(digits.into()))
    }

    /// The digits of the number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The count of the digits without leading zeros, and these digits. The order of these pairs is the order of the
    /// numbers.
    fn magnitude(&self) -> (usize, &str) {
        let digits = self.0.trim_start_matches('0');
        (digits.len(), digits)
    }
}

impl From<u64> for SequenceNumber {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl Ord for SequenceNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        // Two spellings of one number are ordered by their text, since `Eq` compares the texts.
        let by_number = self.magnitude().cmp(&other.magnitude());
        by_number.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for SequenceNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

/// A record of a shard. Clones share their data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The sequence number of the record.
    pub sequence: SequenceNumber,
    /// The key, which decides the record's shard, and its lane in the shard.
    pub partition_key: Arc<str>,
    /// The raw data, not in base64.
    pub data: Arc<[u8]>,
    /// The time at which the stream received the record.
    pub arrived: Millis,
}

impl Record {
    /// The size that counts for the limits of reads, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.data.len() + self.partition_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_are_compared_as_numbers() {
        let number = |digits| SequenceNumber::parse(digits).unwrap();
        assert!(number("9") < number("10"));
        assert!(
            number("49590338271490256608559692538361571095921575989136588898")
                < number("49590338271490256608559692540925702759324208523137515618")
        );
        assert!(number("007") < number("8"));
        assert_eq!(SequenceNumber::parse("12a"), None);
        assert_eq!(SequenceNumber::parse(""), None);
    }
}
