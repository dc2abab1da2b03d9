//! The functions by which other parts of the runtime use streams, without requests.

use std::time::Duration;

use quotas::{BYTES_A_READ, RECORDS_A_READ};
use source_mapping::{Millis, Record, SequenceNumber, ShardId};
use tokio::sync::watch;

use super::{
    Kinesis, consumers,
    errors::{invalid, invalid_argument},
    fields::NAME,
    find_stream,
    number::{Number, Sequence},
    reading::Batch,
    reshard::Reshard,
    resharding::scale_within_limits,
    retention::check_retention,
    shard::{Shard, ShardNumber, shard_number},
    stream::{Mode, Stream},
    streams::NewStream,
    tables::{self, Place, Stored},
};
use crate::{error::AwsError, names::last_part};

/// A shard of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardInfo {
    /// The id.
    pub id: ShardId,
    /// The shards that it replaced: none for a first shard, one after a split, two after a merge. They may have expired
    /// since, and are then missing from [`Kinesis::topology`].
    pub parents: Vec<ShardId>,
    /// True if it takes no more records.
    pub closed: bool,
    /// The first and the last hash of the keys whose records it takes.
    pub hashes: (u128, u128),
}

/// A stream as the admin API shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamInfo {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The mode.
    pub mode: Mode,
    /// The time for which records are kept, in hours.
    pub retention_hours: u32,
    /// The time of creation.
    pub created: Millis,
    /// The shards, in order of creation.
    pub shards: Vec<ShardStatus>,
    /// The names of the consumers with enhanced fan-out, in order.
    pub consumers: Vec<String>,
}

/// A shard with its records counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardStatus {
    /// The shard.
    pub shard: ShardInfo,
    /// The count of its records. Records older than the retention may count for a minute more.
    pub records: u64,
    /// The sequence number of its last record.
    pub last: Option<SequenceNumber>,
}

/// In all these functions `stream` is a stream's name or its ARN.
impl Kinesis {
    /// Creates a stream, or changes it to have this mode, retention, count of open shards (if it is provisioned) and at
    /// least these consumers. Settings that are right already stay as they are.
    ///
    /// # Errors
    ///
    /// The errors of the operations by which one would do the same; `LimitExceededException` for more than twice or
    /// less than half the open shards of an existing stream.
    pub fn ensure(
        &self,
        name: &str,
        shards: u32,
        mode: Mode,
        retention_hours: u32,
        consumers: &[String],
    ) -> Result<(), AwsError> {
        check_wanted(name, shards, mode, retention_hours)?;
        let tags = vec![];
        let known = self.streams().contains_key(name);
        if !known {
            self.create(&NewStream {
                name,
                mode,
                shards,
                tags,
            })?;
        }
        let now_millis = self.now();
        // Records that are too old by now must not come back by a longer retention.
        self.trim(now_millis)?;
        self.change(name, |stream| {
            stream.mode = mode;
            stream.retention_hours = retention_hours;
            let wanted = usize::try_from(shards).unwrap_or(usize::MAX);
            if mode == Mode::OnDemand || stream.open_count() == wanted {
                return Ok(());
            }
            let numbers = &self.numbers;
            scale_within_limits(
                &mut Reshard {
                    stream,
                    numbers,
                    now_millis,
                },
                shards,
            )
        })?;
        self.ensure_consumers(name, consumers)
    }

    /// The names of all streams, in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.streams().keys().cloned().collect()
    }

    /// The shards in order of creation, so that parents come before their children. Expired shards are left out.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if there is no such stream.
    pub fn topology(&self, stream: &str) -> Result<Vec<ShardInfo>, AwsError> {
        self.with(stream, |stream| {
            let shards = stream.visible(self.now());
            Ok(shards.map(ShardInfo::of).collect())
        })
    }

    /// The first records of a shard after the one with the number `after`, or from the oldest record on. At most
    /// `at_most_records`, and at most `at_most_bytes` of data and keys; a first record that is larger comes alone.
    /// Records older than the retention are passed over.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if there is no such stream or shard; `InvalidArgumentException` if `after` is not a
    /// sequence number of this store.
    pub fn read_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        at_most_records: usize,
        at_most_bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        let limits = (at_most_records, at_most_bytes);
        self.records_after(stream, shard, after, |stream, shard, from| {
            self.batch(stream, shard, from, limits)
        })
    }

    /// As [`Self::read_after`], by one of the reads that the standard consumers of a shard share: it counts for the
    /// shard's quota, and returns at most what `GetRecords` returns.
    ///
    /// # Errors
    ///
    /// As for [`Self::read_after`], and `ProvisionedThroughputExceededException` beyond the quota.
    pub fn poll_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        at_most_records: usize,
        at_most_bytes: usize,
    ) -> Result<Vec<Record>, AwsError> {
        let limits = (
            at_most_records.min(RECORDS_A_READ),
            at_most_bytes.min(BYTES_A_READ),
        );
        self.records_after(stream, shard, after, |stream, shard, from| {
            self.batch_within_quota(stream, shard, from, limits)
        })
    }

    fn records_after(
        &self,
        stream: &str,
        shard: &ShardId,
        after: Option<&SequenceNumber>,
        read: impl FnOnce(&Stream, &Shard, Number) -> Result<Batch, AwsError>,
    ) -> Result<Vec<Record>, AwsError> {
        let from = after.map(|after| number_in(after).map(Number::next));
        let from = from.transpose()?.unwrap_or_default();
        self.with(stream, |stream| {
            let shard = stream.named(&shard.to_string(), self.now())?;
            let batch = read(stream, shard, from)?;
            let place = Place {
                stream: stream.id,
                shard: shard.number,
            };
            batch
                .records
                .into_iter()
                .map(|record| record_of(place, record))
                .collect()
        })
    }

    /// The sequence number of a shard's last record; `None` if it has none. A reader from `LATEST` reads after it.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if there is no such stream.
    pub fn latest(
        &self,
        stream: &str,
        shard: &ShardId,
    ) -> Result<Option<SequenceNumber>, AwsError> {
        self.last_before(stream, shard, Number::GREATEST)
    }

    /// The sequence number of a shard's last record that arrived before this time, in milliseconds since 1970; `None`
    /// if there is none. A reader from `AT_TIMESTAMP` reads after it.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if there is no such stream.
    pub fn before_time(
        &self,
        stream: &str,
        shard: &ShardId,
        millis: u64,
    ) -> Result<Option<SequenceNumber>, AwsError> {
        self.last_before(stream, shard, Number::first_at(millis))
    }

    fn last_before(
        &self,
        stream: &str,
        shard: &ShardId,
        before: Number,
    ) -> Result<Option<SequenceNumber>, AwsError> {
        self.with(stream, |stream| {
            let id = shard.to_string();
            let number = shard_number(&id, &stream.name)?;
            let place = Place {
                stream: stream.id,
                shard: number,
            };
            let last = self
                .store
                .read(|connection| tables::last_before(connection, place, before))?;
            last.map(|last| sequence_number(place, last)).transpose()
        })
    }

    /// A channel whose value changes whenever records arrive or the stream changes, after the commit. It closes when
    /// the stream is deleted.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if there is no such stream.
    pub fn changes(&self, stream: &str) -> Result<watch::Receiver<u64>, AwsError> {
        self.with(stream, |stream| Ok(stream.listen()))
    }

    /// A stream with its shards, whose records are counted.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if there is no such stream.
    pub fn describe(&self, stream: &str) -> Result<StreamInfo, AwsError> {
        self.trim_if_due()?;
        self.with(stream, |stream| {
            let shards = stream.visible(self.now());
            Ok(StreamInfo {
                name: stream.name.clone(),
                arn: stream.arn(),
                mode: stream.mode,
                retention_hours: stream.retention_hours,
                created: Millis(stream.id.millis()),
                shards: shards
                    .map(|shard| self.status(stream, shard))
                    .collect::<Result<_, _>>()?,
                consumers: self
                    .store
                    .read(|connection| consumers::names(connection, stream.id))?,
            })
        })
    }

    /// The time for which records are kept.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` if there is no such stream.
    pub fn retention(&self, stream: &str) -> Result<Duration, AwsError> {
        self.with(stream, |stream| {
            Ok(Duration::from_hours(stream.retention_hours.into()))
        })
    }

    fn status(&self, stream: &Stream, shard: &Shard) -> Result<ShardStatus, AwsError> {
        let place = Place {
            stream: stream.id,
            shard: shard.number,
        };
        self.store.read(|connection| {
            let last = tables::last_before(connection, place, Number::GREATEST)?;
            Ok(ShardStatus {
                shard: ShardInfo::of(shard),
                records: self.counts.get(connection, place)?,
                last: last.map(|last| sequence_number(place, last)).transpose()?,
            })
        })
    }

    fn with<T>(
        &self,
        stream: &str,
        act: impl FnOnce(&Stream) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        act(find_stream(&self.streams(), last_part(stream))?)
    }
}

impl ShardInfo {
    fn of(shard: &Shard) -> Self {
        Self {
            id: shard.number.id(),
            parents: shard.parents().map(ShardNumber::id).collect(),
            closed: shard.closed.is_some(),
            hashes: (shard.hashes.first, shard.hashes.last),
        }
    }
}

fn check_wanted(name: &str, shards: u32, mode: Mode, retention_hours: u32) -> Result<(), AwsError> {
    if let Some(constraint) = NAME.broken_by(name) {
        return Err(invalid(format!("The stream's name {name:?}: {constraint}")));
    }
    if mode == Mode::Provisioned && shards == 0 {
        return Err(invalid(format!(
            "The stream {name}: ShardCount must be at least 1."
        )));
    }
    check_retention(retention_hours)
}

fn number_in(sequence: &SequenceNumber) -> Result<Number, AwsError> {
    let parsed = Sequence::parse(sequence.as_str()).map(|sequence| sequence.number);
    parsed.ok_or_else(|| {
        invalid_argument(format!(
            "{sequence} is not a sequence number of this store."
        ))
    })
}

fn record_of(place: Place, record: Stored) -> Result<Record, AwsError> {
    Ok(Record {
        sequence: sequence_number(place, record.number)?,
        partition_key: record.partition_key,
        data: record.data,
        arrived: Millis(record.number.millis()),
    })
}

fn sequence_number(place: Place, number: Number) -> Result<SequenceNumber, AwsError> {
    let Place { stream, shard } = place;
    let digits = Sequence {
        number,
        stream,
        shard,
    }
    .to_string();
    SequenceNumber::parse(&digits)
        .ok_or_else(|| AwsError::internal(format!("{digits} are not digits")))
}
