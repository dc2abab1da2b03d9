//! Machines with a planted mistake. Each mistake is made from outside: a wrapper changes the times, amounts or answers
//! of a partition as the mistake in its code would.

use proptest::prelude::*;
use quotas::Millis;

use crate::{
    history::{Limited, laws, offers},
    partitions::Writes,
    runner,
};

/// A planted mistake.
#[derive(Clone, Copy, Debug)]
enum Bug {
    /// A new second forgives the debt of the one before.
    DebtForgiven,
    /// What a second leaves is saved.
    SecondsSaved,
    /// Large operations count as one unit.
    SizeIgnored,
    /// Operations cost twice as much outside of transactions too.
    AllTwice,
    /// Throttled operations are charged.
    ThrottledCharged,
    /// Seconds have 1,100 milliseconds.
    LongSeconds,
}

const BUGS: [Bug; 6] = [
    Bug::DebtForgiven,
    Bug::SecondsSaved,
    Bug::SizeIgnored,
    Bug::AllTwice,
    Bug::ThrottledCharged,
    Bug::LongSeconds,
];

struct Planted {
    bug: Bug,
    inner: Writes,
    second: u64,
    offered: u64,
    saved: u64,
}

impl Planted {
    fn new(bug: Bug) -> Self {
        Self {
            bug,
            inner: Writes::default(),
            second: 0,
            offered: 0,
            saved: 0,
        }
    }

    /// Notes a new second.
    fn turn(&mut self, now: Millis) {
        let second = now.0 / 1_000;
        if second == self.second {
            return;
        }
        match self.bug {
            Bug::DebtForgiven => self.inner = Writes::default(),
            Bug::SecondsSaved => self.saved += Self::LIMIT.saturating_sub(self.offered),
            _ => {}
        }
        (self.second, self.offered) = (second, 0);
    }
}

impl Limited for Planted {
    const LIMIT: u64 = Writes::LIMIT;
    const LARGEST: u64 = Writes::LARGEST;
    const MAY_OWE: bool = true;

    fn offer(&mut self, now: Millis, amount: u64) -> bool {
        self.turn(now);
        self.offered += amount;
        let (now, amount) = match self.bug {
            Bug::SizeIgnored => (now, 1),
            Bug::AllTwice => (now, 2 * amount),
            Bug::LongSeconds => (Millis(now.0 * 10 / 11), amount),
            _ => (now, amount),
        };
        let admitted = self.inner.offer(now, amount);
        match self.bug {
            Bug::ThrottledCharged if !admitted => self.inner.charge_anyway(now, amount),
            Bug::SecondsSaved if !admitted && self.saved >= amount => {
                self.saved -= amount;
                return true;
            }
            _ => {}
        }
        admitted
    }
}

#[test]
fn each_planted_mistake_is_found() {
    for bug in BUGS {
        let found = runner().run(&offers::<Planted>(), |offers| {
            laws(|| Planted::new(bug), &offers).map_err(TestCaseError::fail)
        });
        assert!(found.is_err(), "{bug:?} was not found");
    }
}
