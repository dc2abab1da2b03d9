//! A log in memory, with shards and opaque sequence numbers as Kinesis has them.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::{Clock, Log, LogBatch, LogError, LogReader, LogRecord, Position, SequenceNumber};

/// How many records one read returns at most.
const READ_LIMIT: usize = 1_000;

/// The twin of a Kinesis stream with a fixed number of shards.
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    shards: Mutex<Vec<Vec<LogRecord>>>,
}

impl MemoryLog {
    /// An empty log of `shards` shards, at least one.
    #[must_use]
    pub fn new(shards: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            shards: Mutex::new(vec![vec![]; shards.max(1)]),
        }
    }

    /// Every record, shard after shard.
    #[must_use]
    pub fn records(&self) -> Vec<LogRecord> {
        self.lock().iter().flatten().cloned().collect()
    }

    /// How many records there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().iter().map(Vec::len).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Vec<LogRecord>>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// FNV-1a: stable, so that a key is in the same shard in every run.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn shard_name(index: usize) -> String {
    format!("shardId-{index:012}")
}

#[async_trait]
impl Log for MemoryLog {
    async fn append(
        &self,
        partition_key: &str,
        data: &[u8],
        _after: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError> {
        if partition_key.is_empty() || partition_key.chars().count() > 256 {
            return Err(LogError::Refused(
                "a partition key has 1 to 256 characters".into(),
            ));
        }
        let mut shards = self.lock();
        let count = shards.len();
        let index = usize::try_from(hash(partition_key) % count as u64).unwrap_or(0);
        let Some(shard) = shards.get_mut(index) else {
            return Err(LogError::Refused("no such shard".into()));
        };
        let sequence = SequenceNumber(format!("49{index:012}{:042}", shard.len()));
        shard.push(LogRecord {
            shard: shard_name(index),
            sequence: sequence.clone(),
            partition_key: partition_key.to_owned(),
            data: data.to_vec(),
            arrived: self.clock.now(),
        });
        Ok(sequence)
    }
}

#[async_trait]
impl LogReader for MemoryLog {
    async fn shards(&self) -> Result<Vec<String>, LogError> {
        Ok((0..self.lock().len()).map(shard_name).collect())
    }

    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError> {
        let shards = self.lock();
        let Some(records) = (0..shards.len())
            .find(|index| shard_name(*index) == shard)
            .and_then(|i| shards.get(i))
        else {
            return Err(LogError::Refused(format!("no shard {shard}")));
        };
        let start = match from {
            Position::Oldest => 0,
            Position::Newest => records.len(),
            Position::Cursor(cursor) => cursor
                .parse()
                .map_err(|_| LogError::Refused(format!("no cursor {cursor}")))?,
            Position::After(sequence) => records
                .iter()
                .position(|record| record.sequence == *sequence)
                .map(|place| place + 1)
                .ok_or_else(|| LogError::Refused(format!("no record {}", sequence.0)))?,
        };
        let found: Vec<_> = records
            .iter()
            .skip(start)
            .take(READ_LIMIT)
            .cloned()
            .collect();
        let end = start + found.len();
        Ok(LogBatch {
            records: found,
            next: Some(Position::Cursor(end.to_string())),
            at_tip: end >= records.len(),
        })
    }
}
