//! DynamoDB's capacity units.

use std::ops::Add;

/// The bytes of a write unit.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html>
const WRITE_BYTES: u64 = 1_024;
/// The bytes of a read unit. The same page.
const READ_BYTES: u64 = 4_096;
/// Units are counted in thousandths, because an eventually consistent read costs half a unit, and the shares of a scan
/// in its partitions are fractions.
const PARTS: u64 = 1_000;

/// The consistency of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// The read sees all earlier writes.
    Strong,
    /// The read may miss the last writes, and costs half.
    Eventual,
}

/// An amount of read or write units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Units(pub(crate) u64);

impl Units {
    /// Whole units.
    #[must_use]
    pub const fn whole(units: u64) -> Self {
        Self(units.saturating_mul(PARTS))
    }

    /// The units of writing an item of this size: one for each KB that is begun, and at least one. An item counts with
    /// its size before or after the write, whichever is larger.
    #[must_use]
    pub fn written(bytes: u64) -> Self {
        Self::whole(bytes.div_ceil(WRITE_BYTES).max(1))
    }

    /// The units of reading this many bytes, by `GetItem` or as a page of `Query` or `Scan`: one for each 4 KB that are
    /// begun, and at least one; half as much if the read is eventually consistent.
    #[must_use]
    pub fn read(bytes: u64, consistency: Consistency) -> Self {
        let strong = Self::whole(bytes.div_ceil(READ_BYTES).max(1));
        match consistency {
            Consistency::Strong => strong,
            Consistency::Eventual => Self(strong.0 / 2),
        }
    }

    /// The units of the same work in a transaction: twice as many.
    #[must_use]
    pub fn in_transaction(self) -> Self {
        Self(self.0.saturating_mul(2))
    }

    /// A part of these units: the share of `bytes` in `all`.
    #[must_use]
    pub fn share(self, bytes: u64, all: u64) -> Self {
        let part = u128::from(self.0) * u128::from(bytes) / u128::from(all.max(1));
        Self(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// The write units of an index for a write to its table, by partition of the index. `before` and `after` are the item's
/// entry in the index: its partition, its sort key, and the size of what the index projects. `same` is true if the
/// entry's projection did not change.
///
/// A new entry, a removed entry and a changed entry cost one write each; an entry that moves costs two, one where it
/// was and one where it goes; an unchanged entry costs nothing.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes>
pub fn index_write<K: PartialEq, S: PartialEq>(
    before: Option<(K, S, u64)>,
    after: Option<(K, S, u64)>,
    same: bool,
) -> Vec<(K, Units)> {
    match (before, after) {
        (Some(before), Some(after)) if before.0 == after.0 && before.1 == after.1 => {
            if same {
                return vec![];
            }
            vec![(after.0, Units::written(before.2.max(after.2)))]
        }
        (before, after) => {
            let entries = before.into_iter().chain(after);
            entries
                .map(|(partition, _, bytes)| (partition, Units::written(bytes)))
                .collect()
        }
    }
}
