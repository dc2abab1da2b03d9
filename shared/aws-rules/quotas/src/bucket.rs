//! An amount that each second of the clock renews.

use crate::Millis;

/// What is left of a limit. It may be negative: a debt, which the following seconds pay.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    a_second: i64,
    most: i64,
    left: i64,
    second: u64,
}

impl Bucket {
    /// A full bucket that gets `a_second` with each second of the clock, up to `most`.
    pub(crate) fn new(a_second: i64, most: i64) -> Self {
        Self {
            a_second,
            most,
            left: most,
            second: 0,
        }
    }

    /// A full bucket that saves nothing from one second to the next.
    pub(crate) fn of_a_second(limit: i64) -> Self {
        Self::new(limit, limit)
    }

    /// What is left now.
    pub(crate) fn left(&mut self, now: Millis) -> i64 {
        let second = now.second();
        let passed = second.saturating_sub(self.second);
        // If the clock was set back, the bucket goes on from there. Otherwise a debt would last until the clock shows
        // the old time again.
        self.second = second;
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let gained = self.a_second.saturating_mul(passed);
        self.left = self.left.saturating_add(gained).min(self.most);
        self.left
    }

    /// True if this amount can be taken whole. A full bucket gives even more than it has, so that a single large
    /// amount does not wait forever.
    pub(crate) fn has(&mut self, now: Millis, amount: i64) -> bool {
        let left = self.left(now);
        amount <= left || left == self.most
    }

    /// Takes an amount, even if it makes a debt.
    pub(crate) fn charge(&mut self, now: Millis, amount: i64) {
        self.left = self.left(now).saturating_sub(amount);
    }

    /// Gives back what was charged in vain.
    pub(crate) fn refund(&mut self, now: Millis, amount: i64) {
        self.left = self.left(now).saturating_add(amount).min(self.most);
    }

    /// True if a new bucket would be the same.
    pub(crate) fn is_full(&mut self, now: Millis) -> bool {
        self.left(now) == self.most
    }
}
