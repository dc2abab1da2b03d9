//! The records that a reader has given to its machine.

use std::collections::VecDeque;

use source_mapping::{Millis, PAYLOAD_LIMIT, Record, SequenceNumber, Settings};

/// So many records beyond the checkpoint are in memory, if the settings need no more. A machine may have twice as many,
/// and a runtime has a machine for each shard of each mapping.
const RECORDS: usize = 1_000;
/// So many bytes of records beyond the checkpoint are in memory, if the settings need no more.
const BYTES: usize = 8 * 1024 * 1024;
/// The size of the largest record, with its key.
const LARGEST: usize = 1024 * 1024 + 4 * 256;

/// A record in memory that is not settled yet.
#[derive(Debug)]
struct Waiting {
    sequence: SequenceNumber,
    bytes: usize,
    arrived: Millis,
}

/// The records that a machine has, from the checkpoint on. A machine keeps all records that it ever had, so the window
/// also says when it is time for a new machine.
#[derive(Debug)]
pub(super) struct Window {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// The last record that the machine has, or the position at which the machine began.
    last: Option<SequenceNumber>,
    /// All records up to this one are settled.
    settled: Option<SequenceNumber>,
    most_records: usize,
    most_bytes: usize,
    machine_records: usize,
    machine_bytes: usize,
}

impl Window {
    pub(super) fn new(after: Option<SequenceNumber>, settings: &Settings) -> Self {
        // A batch of each lane must fit.
        let lanes = settings.parallelization_factor;
        Self {
            waiting: VecDeque::new(),
            bytes: 0,
            last: after.clone(),
            settled: after,
            most_records: RECORDS.max(lanes * settings.batch_size),
            most_bytes: BYTES.max(lanes * PAYLOAD_LIMIT),
            machine_records: 0,
            machine_bytes: 0,
        }
    }

    /// How many records and bytes may follow; `None` if the window is full, or the machine has had so many records
    /// that it must be replaced first.
    pub(super) fn room(&self) -> Option<(usize, usize)> {
        let records = self.most_records.saturating_sub(self.waiting.len());
        let bytes = self.most_bytes.saturating_sub(self.bytes);
        let worn = self.machine_records >= 2 * self.most_records
            || self.machine_bytes >= 2 * self.most_bytes;
        // Room for less than the largest record could be too little for the next one.
        (records > 0 && bytes >= LARGEST && !worn).then_some((records, bytes))
    }

    /// The record after which to read.
    pub(super) fn last(&self) -> Option<&SequenceNumber> {
        self.last.as_ref()
    }

    /// The checkpoint.
    pub(super) fn settled(&self) -> Option<&SequenceNumber> {
        self.settled.as_ref()
    }

    /// Counts records that the machine receives.
    pub(super) fn add(&mut self, records: &[Record]) {
        for record in records {
            let bytes = record.data.len() + record.partition_key.len();
            self.bytes += bytes;
            self.machine_bytes += bytes;
            self.waiting.push_back(Waiting {
                sequence: record.sequence.clone(),
                bytes,
                arrived: record.arrived,
            });
        }
        self.machine_records += records.len();
        if let Some(last) = records.last() {
            self.last = Some(last.sequence.clone());
        }
    }

    /// Moves the checkpoint.
    pub(super) fn settle(&mut self, through: SequenceNumber) {
        while let Some(first) = self.waiting.pop_front_if(|first| first.sequence <= through) {
            self.bytes -= first.bytes;
        }
        self.settled = Some(through);
    }

    /// The number of records that are not settled.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The time at which the oldest unsettled record arrived.
    pub(super) fn oldest(&self) -> Option<Millis> {
        self.waiting.front().map(|first| first.arrived)
    }

    /// True if all records are settled and the machine has had so many that a new one saves memory.
    pub(super) fn wants_new_machine(&self) -> bool {
        let many = self.machine_records >= self.most_records / 2
            || self.machine_bytes >= self.most_bytes / 2;
        many && self.waiting.is_empty()
    }

    /// Begins with a new machine.
    pub(super) fn renew(&mut self) {
        (self.machine_records, self.machine_bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use source_mapping::StartingPosition;

    use super::*;

    fn records(numbers: std::ops::RangeInclusive<u64>, bytes: usize) -> Vec<Record> {
        let record = |number: u64| Record {
            sequence: number.into(),
            partition_key: "".into(),
            data: vec![0; bytes].into(),
            arrived: Millis(number),
        };
        numbers.map(record).collect()
    }

    #[test]
    fn a_window_is_bounded_by_number_and_by_size_and_advances_with_the_checkpoint() {
        let settings = Settings::new(StartingPosition::TrimHorizon);
        let mut window = Window::new(None, &settings);
        window.add(&records(1..=1_000, 1));
        assert_eq!(window.room(), None);
        window.settle(400.into());
        assert_eq!(window.room().unwrap().0, 400);
        assert_eq!((window.len(), window.oldest()), (600, Some(Millis(401))));

        let mut window = Window::new(Some(7.into()), &settings);
        window.add(&records(8..=15, 1024 * 1024));
        assert_eq!(
            window.room(),
            None,
            "less room than the largest record needs"
        );
        window.settle(8.into());
        window.settle(10.into());
        assert!(window.room().is_some());
        assert_eq!(window.last(), Some(&15.into()));
        assert_eq!(window.settled(), Some(&10.into()));
    }

    #[test]
    fn a_machine_that_had_many_records_is_replaced() {
        let settings = Settings::new(StartingPosition::TrimHorizon);
        let mut window = Window::new(None, &settings);
        for first in [1, 1_001] {
            window.add(&records(first..=first + 999, 1));
            assert!(!window.wants_new_machine(), "records are unsettled");
            window.settle((first + 999).into());
        }
        assert_eq!(window.room(), None);
        assert!(window.wants_new_machine());
        window.renew();
        assert!(window.room().is_some());
        assert!(!window.wants_new_machine());
    }
}
