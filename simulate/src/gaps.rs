//! A log that shows some records later than records that were appended after them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alpes_ports::{Log, LogError, SequenceNumber};
use async_trait::async_trait;
use simulation::Kernel;

/// The longest delay of a record, in milliseconds.
const LONGEST: u64 = 180_000;

/// A log that acknowledges some records at once and shows them seconds to minutes later. A real stream keeps the order
/// of a key; consumers must work without it.
pub struct Gaps {
    pub kernel: Kernel,
    pub inner: Arc<dyn Log>,
    pub one_in: u64,
    /// False once every record must be visible at once.
    pub open: Arc<AtomicBool>,
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
        self.kernel.spawn("gap", async move {
            kernel.sleep(pause).await;
            kernel.note(format_args!("a delayed record of {key} is visible now"));
            // The log in memory accepts every record that has a key.
            let _ = inner.append(&key, &data, None).await;
        });
        // A made-up sequence number, because the record has no place yet.
        Ok(SequenceNumber("49".into()))
    }
}
