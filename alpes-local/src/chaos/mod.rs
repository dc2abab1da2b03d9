//! Chaos: the runtime makes the unkind choices that AWS documents it may make, so that functions which rely on luck
//! fail here and not on AWS.
//!
//! [`Chaos`] decides at each place by a generator of that place, which follows from the seed and from the place's name.
//! So a seed fixes all decisions, and one place does not disturb another. Real time and concurrency still vary, and
//! with them the calls that meet a decision.
//!
//! The places ask by one call each: [`Chaos::strikes`], [`Chaos::delay`] or [`Chaos::one_of`]. `rates` has the kinds
//! of trouble with their rates and AWS's pages.

mod clocks;
mod diary;
mod front;
mod parts;
mod random;
mod rates;
mod refusals;
mod repeating;

use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use self::{diary::Diary, front::Front, random::Random};
pub use self::{rates::Kind, repeating::Repeating};
use crate::{dynamodb::Replica, error::AwsError, http::Handler, store::Store};

/// So many occasions of a place in a row meet trouble at most. An SDK tries a call three times, so its last try
/// succeeds unless other calls of the same function interfere.
pub const MOST_IN_A_ROW: u32 = 2;
/// The longest delay, in milliseconds.
const LONGEST_DELAY: u64 = 1_000;

/// The decisions of a seed, and the log of what was done.
pub struct Chaos {
    seed: u64,
    places: Mutex<HashMap<String, Place>>,
    diary: Mutex<Diary>,
    /// True if reads may be stale.
    has_replica: AtomicBool,
}

/// The generator of a place.
struct Place {
    random: Random,
    /// How many occasions before the next one met trouble.
    in_a_row: u32,
}

impl Place {
    /// The trouble of the next occasion, if it meets one of these kinds.
    fn one_of(&mut self, kinds: &[Kind]) -> Option<Kind> {
        let mut roll = self.random.below(1_000);
        let mut found = None;
        for kind in kinds {
            let rate = kind.rate().per_mille;
            if roll < rate {
                found = Some(*kind);
                break;
            }
            roll -= rate;
        }
        let found = found.filter(|_| self.in_a_row < MOST_IN_A_ROW);
        self.in_a_row = if found.is_some() {
            self.in_a_row + 1
        } else {
            0
        };
        found
    }
}

impl Chaos {
    /// The decisions of this seed. `folder` is for the log, `chaos.log`.
    ///
    /// # Errors
    ///
    /// If the log cannot be opened.
    pub fn new(seed: u64, folder: &Path) -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            seed,
            places: Mutex::default(),
            diary: Mutex::new(Diary::open(folder)?),
            has_replica: AtomicBool::new(false),
        }))
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The line that people read when the runtime is up.
    #[must_use]
    pub fn welcome(&self) -> String {
        let stale = if self.has_replica.load(Ordering::Relaxed) {
            ""
        } else {
            "; the data is in memory, so no read is stale"
        };
        format!(
            "chaos of seed {}{stale}; logs/chaos.log tells each act",
            self.seed
        )
    }

    /// The number of acts, by the names of their kinds.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.diary().counts().clone()
    }

    /// Whether the next occasion of a place meets trouble of this kind. If so, it is in the log; `hit` names its target.
    pub fn strikes(&self, kind: Kind, place: &str, hit: &str) -> bool {
        let strikes = self.plans(kind, place);
        if strikes {
            self.note(kind, place, hit);
        }
        strikes
    }

    /// As [`Self::strikes`], for trouble that comes later, if at all. The caller writes the log by [`Self::note`].
    pub fn plans(&self, kind: Kind, place: &str) -> bool {
        let name = format!("{} {place}", kind.name());
        self.at(&name, |place| place.one_of(&[kind])).is_some()
    }

    /// Which of these kinds of trouble, if any, the next occasion of a place meets. The caller writes the log.
    pub fn one_of(&self, kinds: &[Kind], place: &str) -> Option<Kind> {
        self.at(place, |place| place.one_of(kinds))
    }

    /// How long the next occasion of a place waits, if it does: at most a second.
    pub fn delay(&self, kind: Kind, place: &str, hit: &str) -> Option<Duration> {
        if !self.plans(kind, place) {
            return None;
        }
        let millis = 1 + self.below(LONGEST_DELAY, &format!("{} length {place}", kind.name()));
        self.note(kind, place, &format!("{hit}, {millis} ms"));
        Some(Duration::from_millis(millis))
    }

    /// A number below `options`, for a choice that is no trouble by itself.
    pub fn below(&self, options: u64, place: &str) -> u64 {
        self.at(place, |place| place.random.below(options))
    }

    /// A number below `options` that depends on the seed and on the name only.
    #[must_use]
    pub fn always(&self, options: u64, name: &str) -> u64 {
        Random::of(self.seed, name).below(options)
    }

    /// Writes an act to the log.
    pub fn note(&self, kind: Kind, place: &str, hit: &str) {
        self.diary().note(kind, place, hit);
    }

    fn at<T>(&self, name: &str, ask: impl FnOnce(&mut Place) -> T) -> T {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = places.get_mut(name) {
            return ask(place);
        }
        let place = places.entry(name.to_owned()).or_insert(Place {
            random: Random::of(self.seed, name),
            in_a_row: 0,
        });
        ask(place)
    }

    fn diary(&self) -> MutexGuard<'_, Diary> {
        self.diary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handler of a runtime behind chaos. With a data folder, some reads are stale.
///
/// # Errors
///
/// If the store cannot be read.
pub fn before(
    runtime: Arc<dyn Handler>,
    chaos: &Arc<Chaos>,
    store: &Arc<Store>,
) -> Result<Arc<dyn Handler>, AwsError> {
    let replica = Replica::new(store)?;
    if let Some(replica) = &replica {
        tokio::spawn(replica.clone().keep_late());
    }
    chaos
        .has_replica
        .store(replica.is_some(), Ordering::Relaxed);
    Ok(Front::new(chaos.clone(), runtime, replica))
}

#[cfg(test)]
mod tests;
