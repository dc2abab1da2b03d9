//! A log that shows some records later than records that were appended after them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use alpes_ports::{Log, LogError, NewRecord, SequenceNumber};
use async_trait::async_trait;
use simulation::Kernel;

/// The longest delay of a record, in milliseconds.
const LONGEST: u64 = 180_000;

/// A log that acknowledges some records at once and shows them seconds to minutes later. A real Kinesis stream keeps
/// the order of a key's records; consumers must work without this order.
pub struct Gaps {
    kernel: Kernel,
    inner: Arc<dyn Log>,
    one_in: u64,
    open: AtomicBool,
    delayed: Arc<AtomicUsize>,
}

impl Gaps {
    /// Delays one record in `one_in` on average; none if `one_in` is 0.
    pub fn new(kernel: Kernel, inner: Arc<dyn Log>, one_in: u64) -> Self {
        Self {
            kernel,
            inner,
            one_in,
            open: AtomicBool::new(one_in > 0),
            delayed: Arc::default(),
        }
    }

    /// Makes every later record visible at once. Records that are delayed already still become visible after their
    /// delays.
    pub fn close(&self) {
        self.open.store(false, Ordering::SeqCst);
    }

    /// The number of records that were acknowledged and are not visible yet.
    pub fn delayed(&self) -> usize {
        self.delayed.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Log for Gaps {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        let dice = self.kernel.dice();
        if !self.open.load(Ordering::SeqCst) || !dice.one_in(self.one_in) {
            return self.inner.append(record).await;
        }
        self.kernel.count("fault", "gap");
        let longest = if dice.one_in(3) { LONGEST } else { 5_000 };
        let pause = Duration::from_millis(dice.below(longest));
        let (kernel, inner) = (self.kernel.clone(), self.inner.clone());
        let (key, data) = (record.partition_key.to_owned(), record.data.to_vec());
        self.delayed.fetch_add(1, Ordering::SeqCst);
        let delayed = self.delayed.clone();
        self.kernel.spawn("gap", async move {
            kernel.sleep(pause).await;
            kernel.note(format_args!("a delayed record of {key} is visible now"));
            // The log in memory accepts every record that has a key.
            let _ = inner.append(NewRecord::new(&key, &data)).await;
            delayed.fetch_sub(1, Ordering::SeqCst);
        });
        // Return a made-up sequence number, because the record has no place in the log yet.
        Ok(SequenceNumber("49".into()))
    }
}
