//! A log in memory, with shards and opaque sequence numbers as in Kinesis.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use alpes_ports::{
    Clock, Log, LogBatch, LogError, LogReader, LogRecord, NewRecord, Position, SequenceNumber,
};

/// The most records that one read returns.
const READ_LIMIT: usize = 1_000;

#[derive(Default)]
struct Shard {
    records: Vec<LogRecord>,
    /// The number of records that were trimmed.
    trimmed: usize,
    /// The indexes of the shards that replaced this one: none while it is open, two after a split, one after a merge.
    children: Vec<usize>,
}

/// The twin of a Kinesis stream, whose shards can be split and merged.
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    /// The number of shards at the start.
    roots: usize,
    shards: Mutex<Vec<Shard>>,
}

impl MemoryLog {
    /// An empty log of `shards` shards, at least 1.
    #[must_use]
    pub fn new(shards: usize, clock: Arc<dyn Clock>) -> Self {
        let roots = shards.max(1);
        Self {
            clock,
            roots,
            shards: Mutex::new((0..roots).map(|_| Shard::default()).collect()),
        }
    }

    /// Every record, shard after shard.
    #[must_use]
    pub fn records(&self) -> Vec<LogRecord> {
        let shards = self.lock();
        let records = shards.iter().flat_map(|shard| &shard.records);
        records.cloned().collect()
    }

    /// The record with this sequence number.
    #[must_use]
    pub fn record(&self, number: &SequenceNumber) -> Option<LogRecord> {
        let shards = self.lock();
        let shard = number.0.get(2..14)?.parse::<usize>().ok()?;
        // Callers ask for recent records, so search from the end.
        let mut records = shards.get(shard)?.records.iter().rev();
        records.find(|record| record.sequence == *number).cloned()
    }

    /// The number of records.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().iter().map(|shard| shard.records.len()).sum()
    }

    /// The shards, open and closed, parents before their children.
    #[must_use]
    pub fn all_shards(&self) -> Vec<String> {
        (0..self.lock().len()).map(shard_name).collect()
    }

    /// The open shards: those that accept new records.
    #[must_use]
    pub fn open_shards(&self) -> Vec<String> {
        let shards = self.lock();
        let open = shards.iter().enumerate();
        let open = open.filter(|(_, shard)| shard.children.is_empty());
        open.map(|(index, _)| shard_name(index)).collect()
    }

    /// Splits an open shard. Two new shards take its place, each with a part of its keys.
    ///
    /// # Errors
    ///
    /// [`LogError::Refused`] if no shard has this name, or the shard is closed.
    pub fn split(&self, shard: &str) -> Result<[String; 2], LogError> {
        let mut shards = self.lock();
        let next = shards.len();
        let parent = open(&mut shards, shard)?;
        parent.children = vec![next, next + 1];
        shards.extend([Shard::default(), Shard::default()]);
        Ok([shard_name(next), shard_name(next + 1)])
    }

    /// Merges two open shards into a new one.
    ///
    /// # Errors
    ///
    /// [`LogError::Refused`] if a name is unknown, a shard is closed, or both names are the same.
    pub fn merge(&self, parents: [&str; 2]) -> Result<String, LogError> {
        let mut shards = self.lock();
        let next = shards.len();
        let [one, other] = parents;
        if one == other {
            return Err(LogError::Refused("a shard has no second half".into()));
        }
        open(&mut shards, one)?;
        open(&mut shards, other)?.children = vec![next];
        open(&mut shards, one)?.children = vec![next];
        shards.push(Shard::default());
        Ok(shard_name(next))
    }

    /// Drops the records that arrived before `kept_since`: in each shard those before the first record to keep. Returns
    /// the number of dropped records.
    pub fn trim(&self, kept_since: Timestamp) -> usize {
        let mut shards = self.lock();
        let trimmed = shards.iter_mut().map(|shard| {
            let old = |record: &&LogRecord| record.arrived < kept_since;
            let count = shard.records.iter().take_while(old).count();
            shard.records.drain(..count);
            shard.trimmed += count;
            count
        });
        trimmed.sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Shard>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index of the open shard for a key.
    fn place(&self, shards: &[Shard], key: &str) -> usize {
        let hash = hash(key);
        let mut index = usize::try_from(hash % self.roots as u64).unwrap_or(0);
        // Similar keys have the same highest bits in their hashes, so mix the bits.
        let mut bits = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        loop {
            match shards.get(index).map(|shard| shard.children.as_slice()) {
                Some([child]) => index = *child,
                Some([left, right]) => {
                    // Each split divides the keys by another bit of the hash.
                    bits = bits.rotate_left(1);
                    index = if bits & 1 == 0 { *left } else { *right };
                }
                _ => return index,
            }
        }
    }
}

fn open<'a>(shards: &'a mut [Shard], name: &str) -> Result<&'a mut Shard, LogError> {
    let mut named = shards.iter_mut().enumerate();
    let named = named.find(|(index, _)| shard_name(*index) == name);
    let open = named.map(|(_, shard)| shard);
    open.filter(|shard| shard.children.is_empty())
        .ok_or_else(|| LogError::Refused(format!("no open shard {name}")))
}

/// The hash FNV-1a. It is stable, so a key is in the same shard in every run.
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
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        let NewRecord {
            partition_key,
            data,
            ..
        } = record;
        if partition_key.is_empty() || partition_key.chars().count() > 256 {
            return Err(LogError::Refused(
                "a partition key has 1 to 256 characters".into(),
            ));
        }
        let mut shards = self.lock();
        let index = self.place(&shards, partition_key);
        let Some(shard) = shards.get_mut(index) else {
            return Err(LogError::Refused("no such shard".into()));
        };
        let place = shard.trimmed + shard.records.len();
        let sequence = SequenceNumber(format!("49{index:012}{place:042}"));
        shard.records.push(LogRecord {
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
        Ok(self.all_shards())
    }

    async fn read(&self, shard: &str, from: &Position) -> Result<LogBatch, LogError> {
        let shards = self.lock();
        let Some(Shard {
            records,
            trimmed,
            children,
        }) = (0..shards.len())
            .find(|index| shard_name(*index) == shard)
            .and_then(|i| shards.get(i))
        else {
            return Err(LogError::Refused(format!("no shard {shard}")));
        };
        let start = match from {
            Position::Oldest => 0,
            Position::Newest => records.len(),
            Position::Cursor(cursor) => cursor
                .parse::<usize>()
                .map_err(|_| LogError::Refused(format!("no cursor {cursor}")))?
                .saturating_sub(*trimmed),
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
        let at_tip = end >= records.len();
        let finished = at_tip && !children.is_empty();
        Ok(LogBatch {
            records: found,
            next: (!finished).then(|| Position::Cursor((trimmed + end).to_string())),
            at_tip,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;

    use super::*;
    use crate::world;

    #[test]
    fn what_is_trimmed_is_gone_and_places_stay_as_they_are() {
        let (world, clock) = world(1);
        let log = MemoryLog::new(1, world.clock.clone());
        let append = |data: &[u8]| block_on(log.append(NewRecord::new("key", data))).unwrap();
        let shard = "shardId-000000000000";
        let first = append(b"1");
        let half = block_on(log.read(shard, &Position::Oldest)).unwrap();
        clock.advance(Duration::from_hours(1));
        let second = append(b"2");
        assert_eq!(log.trim(world.clock.now()), 1);
        assert!(log.record(&first).is_none() && log.record(&second).is_some());
        let third = append(b"3");
        assert!(first.0 < second.0 && second.0 < third.0);
        for from in [Position::Oldest, half.next.unwrap()] {
            let rest = block_on(log.read(shard, &from)).unwrap();
            let data: Vec<_> = rest.records.iter().map(|one| &*one.data).collect();
            assert_eq!(data, [b"2", b"3"]);
        }
        assert!(block_on(log.read(shard, &Position::After(first))).is_err());
    }

    fn read_all(log: &MemoryLog, shard: &str) -> (Vec<String>, Option<Position>) {
        let batch = block_on(log.read(shard, &Position::Oldest)).unwrap();
        assert!(batch.at_tip);
        let keys = batch.records.into_iter().map(|record| record.partition_key);
        (keys.collect(), batch.next)
    }

    #[test]
    fn keys_go_over_to_the_shards_that_take_the_place_of_theirs() {
        let log = MemoryLog::new(1, world(1).0.clock);
        let keys: Vec<_> = (0..50).map(|key| format!("key-{key}")).collect();
        let put = || {
            for key in &keys {
                let number = block_on(log.append(NewRecord::new(key, b"1"))).unwrap();
                assert_eq!(&log.record(&number).unwrap().partition_key, key);
            }
        };
        put();
        let root = "shardId-000000000000";
        let [left, right] = log.split(root).unwrap();
        assert!(log.split(root).is_err());
        put();
        assert_eq!(read_all(&log, root), (keys.clone(), None));
        let halves = [&left, &right].map(|half| read_all(&log, half).0);
        assert!(halves.iter().all(|half| half.len() > 10));
        assert_eq!(halves.iter().map(Vec::len).sum::<usize>(), keys.len());

        assert!(log.merge([&left, &left]).is_err());
        let merged = log.merge([&left, &right]).unwrap();
        assert_eq!(log.open_shards(), [merged.as_str()]);
        put();
        let (found, next) = read_all(&log, &merged);
        assert_eq!(found, keys);
        assert!(next.is_some());
        assert_eq!(log.count(), 150);
    }
}
