//! The numbers that order records and shards.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlResult, ToSqlOutput, ValueRef},
};
use serde::{Deserialize, Serialize};

use super::shard::ShardNumber;

/// The bits below the millisecond. 2^20 numbers fit into a millisecond; further numbers run into the next one.
const COUNTER_BITS: u32 = 20;
/// The first digits of each sequence number. AWS's numbers begin with them too.
const FIRST_DIGITS: &str = "49";
/// The last digits of each sequence number, which give it AWS's length of 56 digits.
const LAST_DIGITS: &str = "0000";
const LENGTH: usize = 56;

/// A number in the one order of all records, shards and streams of a store. It has the time, in milliseconds since
/// 1970, above a counter. So a time is a bound between numbers, and no column needs to store it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(super) struct Number(i64);

impl Number {
    /// The greatest number.
    pub(super) const GREATEST: Self = Self(i64::MAX);

    /// The smallest number of a millisecond.
    pub(super) fn first_at(millis: u64) -> Self {
        let latest = i64::MAX >> COUNTER_BITS;
        Self(i64::try_from(millis).unwrap_or(latest).min(latest) << COUNTER_BITS)
    }

    /// The time of this number in milliseconds since 1970.
    pub(super) fn millis(self) -> u64 {
        u64::try_from(self.0 >> COUNTER_BITS).unwrap_or_default()
    }

    /// The number after this one.
    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl ToSql for Number {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Number {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

/// Gives out ascending numbers.
pub(super) struct Numbers {
    last: Mutex<Number>,
}

impl Numbers {
    /// Continues after `last`, the greatest number in the store.
    pub(super) fn after(last: Number) -> Self {
        Self {
            last: Mutex::new(last),
        }
    }

    /// The next number. If the clock went back, the numbers keep the later time.
    pub(super) fn next(&self, now_millis: u64) -> Number {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = last.next().max(Number::first_at(now_millis));
        *last
    }

    /// The greatest number so far.
    pub(super) fn last(&self) -> Number {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sequence number as clients see it: 56 digits with the number first, so that they ascend with it, then the stream
/// and the shard, by which a number from elsewhere is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sequence {
    /// The position in the order.
    pub(super) number: Number,
    /// The id of the stream.
    pub(super) stream: Number,
    /// The shard in the stream.
    pub(super) shard: ShardNumber,
}

impl Sequence {
    /// Parses 56 digits; `None` if this store cannot have made them.
    pub(super) fn parse(digits: &str) -> Option<Self> {
        if digits.len() != LENGTH || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = digits.strip_prefix(FIRST_DIGITS)?;
        let digits = digits.strip_suffix(LAST_DIGITS)?;
        let (number, digits) = digits.split_at_checked(20)?;
        let (stream, shard) = digits.split_at_checked(20)?;
        Some(Self {
            number: Number(number.parse().ok()?),
            stream: Number(stream.parse().ok()?),
            shard: ShardNumber(shard.parse().ok()?),
        })
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Number(number), Number(stream), ShardNumber(shard)) =
            (self.number, self.stream, self.shard);
        write!(
            to,
            "{FIRST_DIGITS}{number:020}{stream:020}{shard:010}{LAST_DIGITS}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_with_the_clock_and_without_it() {
        let numbers = Numbers::after(Number::first_at(1000));
        let first = numbers.next(2000);
        assert_eq!(first, Number::first_at(2000));
        let second = numbers.next(1);
        assert!(second > first);
        assert_eq!(second.millis(), 2000);
        assert_eq!(numbers.last(), second);
        assert_eq!(Number::first_at(u64::MAX).millis(), (1 << 43) - 1);
    }

    #[test]
    fn a_sequence_number_has_56_digits_and_says_where_it_is_from() {
        let sequence = Sequence {
            number: Number::first_at(1_700_000_000_000),
            stream: Number::first_at(1_600_000_000_000),
            shard: ShardNumber(7),
        };
        let digits = sequence.to_string();
        assert_eq!(digits.len(), 56);
        assert_eq!(Sequence::parse(&digits), Some(sequence));
        for garbage in ["", "5", &digits[1..], &digits.replace("49", "48")] {
            assert_eq!(Sequence::parse(garbage), None);
        }
    }
}
