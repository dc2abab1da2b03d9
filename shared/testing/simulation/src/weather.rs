//! Effects that take time and fail at random.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::{Course, Fault, Kernel};

/// The frequency of each fault: the value `n` means one effect in `n` on average, and 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weather {
    /// The frequency of [`Fault::FailBefore`].
    pub fail_before: u64,
    /// The frequency of [`Fault::FailAfter`].
    pub fail_after: u64,
    /// The frequency of [`Fault::Twice`].
    pub twice: u64,
    /// The frequency of [`Fault::Late`].
    pub late: u64,
    /// The frequency of [`Fault::KillBefore`].
    pub kill_before: u64,
    /// The frequency of [`Fault::KillAfter`].
    pub kill_after: u64,
    /// On average one effect in `slow` takes seconds, up to 20.
    pub slow: u64,
    /// The prefix of the effects that meet faults; an empty prefix covers all effects.
    pub over: &'static str,
    /// The longest delay of a late effect, in seconds.
    pub late_by: u64,
}

impl Weather {
    fn faults(&self) -> [(Fault, u64, &'static str); 6] {
        [
            (Fault::FailBefore, self.fail_before, "fails before"),
            (Fault::FailAfter, self.fail_after, "fails after"),
            (Fault::Twice, self.twice, "happens twice"),
            (Fault::Late, self.late, "happens late"),
            (Fault::KillBefore, self.kill_before, "kills before"),
            (Fault::KillAfter, self.kill_after, "kills after"),
        ]
    }
}

/// Decides how long each effect in a [`Kernel`]'s world takes, and which fault the effect meets. Clones share one
/// weather.
#[derive(Clone)]
pub struct Sky {
    kernel: Kernel,
    weather: Arc<Mutex<Weather>>,
    /// The prefix of the effects that are refused; `None` if no effect is refused.
    throttled: Arc<Mutex<Option<&'static str>>>,
}

impl Sky {
    /// A sky with this weather.
    #[must_use]
    pub fn new(kernel: Kernel, weather: Weather) -> Self {
        Self {
            kernel,
            weather: Arc::new(Mutex::new(weather)),
            throttled: Arc::default(),
        }
    }

    /// From now on, effects whose names begin with `effects` are refused, as by a service that throttles. `None` ends
    /// the throttling.
    pub fn throttle(&self, effects: Option<&'static str>) {
        let own = self.throttled.lock();
        *own.unwrap_or_else(PoisonError::into_inner) = effects;
    }

    fn is_throttled(&self, what: &str) -> bool {
        let own = self.throttled.lock();
        let own = own.unwrap_or_else(PoisonError::into_inner);
        own.is_some_and(|effects| what.starts_with(effects))
    }

    /// Sets the weather from now on.
    pub fn set(&self, weather: Weather) {
        let own = self.weather.lock();
        *own.unwrap_or_else(PoisonError::into_inner) = weather;
    }

    fn weather(&self) -> Weather {
        let own = self.weather.lock();
        *own.unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Course for Sky {
    async fn before(&self, what: &str) -> Option<Fault> {
        let (dice, mut weather) = (self.kernel.dice(), self.weather());
        if !what.starts_with(weather.over) {
            weather = Weather::default();
        }
        let slow = dice.one_in(weather.slow);
        let pause = if slow {
            self.kernel.count("fault", "slow");
            // The delay in milliseconds. Some delays are longer than an invocation's timeout.
            dice.below(if dice.one_in(4) { 20_000 } else { 3_000 })
        } else {
            dice.below(8)
        };
        self.kernel.sleep(Duration::from_millis(pause)).await;
        if self.is_throttled(what) {
            self.kernel.count("fault", "throttled");
            self.kernel.note(format_args!("{what}: throttled"));
            return Some(Fault::FailBefore);
        }
        let mut faults = weather.faults().into_iter();
        let found = faults.find(|(_, one_in, _)| dice.one_in(*one_in));
        let deadly = |fault| matches!(fault, Fault::KillBefore | Fault::KillAfter);
        let found = found.filter(|(fault, ..)| !deadly(*fault) || self.kernel.is_mortal());
        let Some((fault, _, name)) = found else {
            self.kernel.note(what);
            return None;
        };
        self.kernel.count("fault", name);
        self.kernel.note(format_args!("{what}: {name}"));
        Some(fault)
    }

    async fn after(&self) {
        let pause = self.kernel.dice().below(4);
        self.kernel.sleep(Duration::from_millis(pause)).await;
    }

    async fn die(&self) {
        self.kernel.die().await;
    }

    fn later(&self, work: BoxFuture<'static, ()>) {
        let kernel = self.kernel.clone();
        let dice = kernel.dice();
        let longest = self.weather().late_by * 1_000;
        let pause = if dice.one_in(3) { longest } else { 500 };
        let pause = Duration::from_millis(dice.below(pause));
        self.kernel.spawn("late", async move {
            kernel.sleep(pause).await;
            work.await;
            kernel.note("a late effect has happened");
        });
    }
}
