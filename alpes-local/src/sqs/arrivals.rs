//! Wakes receivers that wait for messages.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::watch;

/// Counts, for each queue, the times that messages may have become visible.
#[derive(Default)]
pub(super) struct Arrivals(Mutex<HashMap<String, watch::Sender<u64>>>);

impl Arrivals {
    /// A receiver that sees each later arrival in a queue.
    pub fn watch(&self, queue: &str) -> watch::Receiver<u64> {
        self.with(queue, watch::Sender::subscribe)
    }

    /// Messages have arrived in a queue.
    pub fn arrived(&self, queue: &str) {
        self.with(queue, |sender| {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        });
    }

    fn with<T>(&self, queue: &str, act: impl FnOnce(&watch::Sender<u64>) -> T) -> T {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(queues.entry(queue.to_owned()).or_default())
    }
}
