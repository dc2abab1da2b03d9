//! Runs a seed to its end, and many seeds on all cores.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use jiff::Timestamp;

use crate::{Kernel, Trace};

/// How long the system may take to settle once faults have ceased, in milliseconds: longer than the pauses of 5 retries
/// in a row.
const BOUND: u64 = 60 * 60_000;
/// How often the check for settling runs, in milliseconds.
const LOOK: u64 = 20_000;
/// How long the system must stay settled, in milliseconds: longer than anything in flight can take.
const STAY: u64 = 100_000;

impl Kernel {
    /// The kernel of a seed. Its time begins at 2026-01-31T10:00:00Z. Neighbouring seeds give unrelated runs.
    #[must_use]
    pub fn of_seed(seed: u64, trace: Trace) -> Self {
        let start = Timestamp::from_second(1_769_853_600).unwrap_or_default();
        let mixed = (seed ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self::new(mixed, start, trace)
    }

    /// Runs until the system has settled and stays settled. Every 20 seconds of the kernel's time, `restless` returns
    /// why the system has not settled, and `operate` does what an operator would do about it.
    ///
    /// # Errors
    ///
    /// The reason that `restless` gives if the system has not settled after an hour.
    pub fn settle(
        &self,
        mut restless: impl FnMut() -> Option<String>,
        mut operate: impl FnMut(),
    ) -> Result<(), String> {
        let begun = self.elapsed();
        let mut settled_since = None;
        loop {
            let now = self.elapsed();
            match restless() {
                Some(why) if now - begun > BOUND => {
                    return Err(format!("it does not settle: {why}"));
                }
                Some(_) => settled_since = None,
                None if now - *settled_since.get_or_insert(now) >= STAY => return Ok(()),
                None => {}
            }
            operate();
            self.run_until(now + LOOK);
        }
    }
}

/// Plays `count` seeds from `first` on, on every core, until `play` returns true, which ends the search.
pub fn play_seeds(first: u64, count: u64, play: impl Fn(u64) -> bool + Sync) {
    let (next, enough) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        while !enough.load(Ordering::SeqCst) {
            let place = next.fetch_add(1, Ordering::SeqCst);
            if place >= count {
                return;
            }
            if play(first + place) {
                enough.store(true, Ordering::SeqCst);
            }
        }
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Mutex};

    use super::*;

    #[test]
    fn what_settles_must_stay_settled_and_what_does_not_is_named() {
        let kernel = Kernel::of_seed(1, Trace::default());
        let (mut looks, mut operated) = (0, 0);
        let busy = || {
            looks += 1;
            (looks == 1 || looks == 3).then(|| "busy".to_owned())
        };
        assert_eq!(kernel.settle(busy, || operated += 1), Ok(()));
        assert_eq!((looks, operated), (9, 8));
        // The system has settled at the fourth check, and stays settled for five more.
        assert_eq!(kernel.elapsed(), 3 * LOOK + STAY);
        let busy = kernel.settle(|| Some("busy".to_owned()), || ());
        assert_eq!(busy, Err("it does not settle: busy".to_owned()));
    }

    #[test]
    fn each_seed_is_played_once_until_one_is_enough() {
        let played = Mutex::new(vec![]);
        play_seeds(10, 100, |seed| {
            played.lock().unwrap().push(seed);
            false
        });
        let mut seeds = played.into_inner().unwrap();
        seeds.sort_unstable();
        assert_eq!(seeds, (10..110).collect::<Vec<_>>());
        let played = Mutex::new(BTreeSet::new());
        play_seeds(0, u64::MAX, |seed| {
            played.lock().unwrap().insert(seed);
            seed == 3
        });
        assert!(played.into_inner().unwrap().contains(&3));
    }
}
