//! A machine for each key, in bounded memory.

use std::collections::BTreeMap;

use crate::Millis;

/// A machine that is made when its key is first used.
pub trait Machine: Default {
    /// True if a new machine would do the same from now on.
    fn is_idle(&mut self, now: Millis) -> bool;
}

/// A machine for each key. Idle machines are forgotten once a second, which changes nothing. So there are only machines
/// of keys that were used within the last second, or that still pay a debt.
#[derive(Clone, Debug)]
pub struct PerKey<K, M> {
    machines: BTreeMap<K, M>,
    swept: u64,
}

impl<K, M> Default for PerKey<K, M> {
    fn default() -> Self {
        Self {
            machines: BTreeMap::new(),
            swept: 0,
        }
    }
}

impl<K: Ord + Clone, M: Machine> PerKey<K, M> {
    /// The machine of a key.
    pub fn of(&mut self, now: Millis, key: &K) -> &mut M {
        if now.second() != self.swept {
            self.swept = now.second();
            self.machines.retain(|_, machine| !machine.is_idle(now));
        }
        self.machines.entry(key.clone()).or_default()
    }

    /// The count of machines in memory.
    #[must_use]
    pub fn len(&self) -> usize {
        self.machines.len()
    }

    /// True if no machine is in memory.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty()
    }
}
