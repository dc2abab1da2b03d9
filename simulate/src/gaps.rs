//! A log that tells of one record later than of those that were appended after it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alpes_ports::{Log, LogError, SequenceNumber};
use async_trait::async_trait;
use simulation::Kernel;

/// How long a record may be kept back.
const LONGEST: u64 = 180_000;

/// A log that acknowledges some records and has them later, for seconds to minutes. It is worse than what a stream may do: whoever
/// listens to it needs no order.
pub struct Gaps {
    kernel: Kernel,
    inner: Arc<dyn Log>,
    one_in: u64,
    open: AtomicBool,
    kept_back: Arc<AtomicUsize>,
}

impl Gaps {
    /// Keeps one record in so many back; none if that is 0.
    pub fn new(kernel: Kernel, inner: Arc<dyn Log>, one_in: u64) -> Self {
        Self {
            kernel,
            inner,
            one_in,
            open: AtomicBool::new(one_in > 0),
            kept_back: Arc::default(),
        }
    }

    /// From now on every record is there at once. Those that are kept back still come in their time.
    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// How many records were acknowledged and are not there yet.
    pub fn kept_back(&self) -> usize {
        self.kept_back.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Log for Gaps {
    async fn append(
        &self,
        partition_key: &str,
        data: &[u8],
        after: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError> {
        let dice = self.kernel.dice();
        if !self.open.load(Ordering::SeqCst) || !dice.one_in(self.one_in) {
            return self.inner.append(partition_key, data, after).await;
        }
        self.kernel.count("fault", "gap");
        let longest = if dice.one_in(3) { LONGEST } else { 5_000 };
        let pause = Duration::from_millis(dice.below(longest));
        let (kernel, inner) = (self.kernel.clone(), self.inner.clone());
        let (key, data) = (partition_key.to_owned(), data.to_vec());
        self.kept_back.fetch_add(1, Ordering::SeqCst);
        let kept_back = self.kept_back.clone();
        self.kernel.spawn("gap", async move {
            kernel.sleep(pause).await;
            kernel.note(format_args!("a record of {key} is there at last"));
            // What is in memory takes every record that has a key.
            let _ = inner.append(&key, &data, None).await;
            kept_back.fetch_sub(1, Ordering::SeqCst);
        });
        // Nobody can tell its place from this.
        Ok(SequenceNumber("49".into()))
    }
}
