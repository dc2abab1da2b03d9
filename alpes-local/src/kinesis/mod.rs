//! Kinesis data streams, in the store.
//!
//! Streams behave as on AWS, with these differences: they are ACTIVE at once, and reads and writes are throttled only
//! with the option `--quotas aws`.
//! `SubscribeToShard` is refused: only event source mappings read by enhanced fan-out here, through
//! [`Kinesis::read_after`].

mod append;
mod consumers;
mod counts;
mod describe;
mod encryption;
mod errors;
mod fields;
mod hash;
mod iterators;
mod limits;
mod list_shards;
mod number;
pub(crate) mod quota;
mod reading;
mod reshard;
mod resharding;
mod retention;
mod shard;
mod stream;
mod streams;
mod tables;
mod tags;
mod token;
mod typed;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::{Connection, Transaction};
use serde_json::{Map, Value};

use self::{
    counts::Counts,
    errors::no_stream,
    fields::Fields,
    number::{Number, Numbers},
    quota::Quota,
    stream::Stream,
    tables::Place,
};
use crate::{
    clock::{Clock, SystemClock},
    error::AwsError,
    store::Store,
    throttling::Throttling,
    waiting::{aside, lock_to_read, lock_to_write},
};

pub(crate) use self::token::stream_of_token;
pub use self::{
    stream::Mode,
    typed::{ShardInfo, ShardStatus, StreamInfo},
};

/// The time between two deletions of expired records.
const TRIM_EVERY_MILLIS: u64 = 60_000;

type Streams = BTreeMap<String, Stream>;
type Operation = fn(&Kinesis, &Fields<'_>) -> Result<Value, AwsError>;

/// Kinesis data streams.
///
/// The settings and shards of streams are in memory too. Records are appended while the lock of `streams` is held for
/// reading, and streams change while it is held for writing. So no record goes to a shard that was closed meanwhile.
pub struct Kinesis {
    store: Arc<Store>,
    streams: RwLock<Streams>,
    numbers: Numbers,
    counts: Counts,
    /// The time of the last deletion of expired records.
    trimmed: AtomicU64,
    clock: Arc<dyn Clock>,
    /// AWS's quotas on shards, if they are enforced.
    quota: Option<Quota>,
}

impl Kinesis {
    /// The streams in this store.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn new(store: Arc<Store>) -> Result<Arc<Self>, AwsError> {
        Self::with_quotas(store, None)
    }

    /// The streams in this store, within AWS's quotas if `throttling` is there.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn with_quotas(
        store: Arc<Store>,
        throttling: Option<Arc<Throttling>>,
    ) -> Result<Arc<Self>, AwsError> {
        Self::with_clock(store, Arc::new(SystemClock), throttling)
    }

    pub(crate) fn with_clock(
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        throttling: Option<Arc<Throttling>>,
    ) -> Result<Arc<Self>, AwsError> {
        for schema in [tables::SCHEMA, consumers::SCHEMA, tags::SCHEMA] {
            store.schema(schema)?;
        }
        let (streams, last) = store.read(|connection| {
            let streams = tables::load(connection)?;
            let last = greatest_number(connection, &streams)?;
            Ok::<_, AwsError>((streams, last))
        })?;
        let named = streams
            .into_iter()
            .map(|stream| (stream.name.clone(), stream));
        let kinesis = Self {
            store,
            streams: RwLock::new(named.collect()),
            numbers: Numbers::after(last),
            counts: Counts::default(),
            trimmed: AtomicU64::new(0),
            clock,
            quota: throttling.map(Quota::new),
        };
        kinesis.trim_if_due()?;
        Ok(Arc::new(kinesis))
    }

    /// Answers a request in AWS's JSON, with blobs in base64. `operation` is the part of `X-Amz-Target` after the dot.
    ///
    /// # Errors
    ///
    /// The operation's errors, and `UnknownOperationException`.
    pub fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        let run = find(operation)?;
        match input {
            Value::Object(members) => run(self, &Fields::of(&members)),
            Value::Null => run(self, &Fields::of(&Map::new())),
            _ => Err(AwsError::client(
                "SerializationException",
                "the request must be a structure",
            )),
        }
    }

    fn now(&self) -> u64 {
        self.clock.millis()
    }

    fn streams(&self) -> RwLockReadGuard<'_, Streams> {
        lock_to_read(&self.streams)
    }

    fn streams_to_change(&self) -> RwLockWriteGuard<'_, Streams> {
        lock_to_write(&self.streams)
    }

    /// Changes a stream: first a clone, then the store, then the memory.
    fn change<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Stream) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut streams = self.streams_to_change();
        let before = find_stream(&streams, name)?;
        let mut after = before.clone();
        let result = change(&mut after)?;
        let more = after.open_count().saturating_sub(before.open_count());
        limits::check_more_shards(&streams, more)?;
        if after.mode == Mode::OnDemand && before.mode != Mode::OnDemand {
            limits::check_one_more_on_demand(&streams)?;
        }
        self.store
            .write(|transaction| tables::save(transaction, Some(before), &after))?;
        after.announce();
        streams.insert(name.to_owned(), after);
        Ok(result)
    }

    /// Deletes the records and shards that are older than the retention, at most once a minute. Until then reads pass
    /// over them.
    fn trim_if_due(&self) -> Result<(), AwsError> {
        let now = self.now();
        let last = self.trimmed.load(Ordering::Relaxed);
        if now.saturating_sub(last) < TRIM_EVERY_MILLIS {
            return Ok(());
        }
        let claimed =
            self.trimmed
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        if claimed.is_err() {
            return Ok(());
        }
        self.trim(now)
    }

    fn trim(&self, now: u64) -> Result<(), AwsError> {
        let mut streams = self.streams_to_change();
        for stream in streams.values_mut() {
            let horizon = stream.horizon(now);
            let mut after = stream.clone();
            after.expire(horizon);
            let trim = |transaction: &Transaction<'_>| {
                let mut deleted = 0;
                for shard in stream.shards.keys() {
                    let place = Place {
                        stream: stream.id,
                        shard: *shard,
                    };
                    deleted += tables::trim(transaction, place, horizon)?;
                }
                if deleted > 0 {
                    self.counts.forget();
                }
                if after.shards == stream.shards {
                    return Ok(());
                }
                tables::save(transaction, Some(stream), &after)
            };
            aside(|| self.store.write(trim))?;
            *stream = after;
        }
        Ok(())
    }
}

fn find_stream<'s>(streams: &'s Streams, name: &str) -> Result<&'s Stream, AwsError> {
    streams.get(name).ok_or_else(|| no_stream(name))
}

/// The greatest number in the store. New numbers continue after it even if the clock went back.
fn greatest_number(connection: &Connection, streams: &[Stream]) -> rusqlite::Result<Number> {
    let mut greatest = Number::default();
    for stream in streams {
        greatest = greatest.max(stream.id);
        for shard in stream.shards.values() {
            let place = Place {
                stream: stream.id,
                shard: shard.number,
            };
            let last = tables::last_before(connection, place, Number::GREATEST)?;
            let numbers = [Some(shard.opened), shard.closed, last];
            greatest = numbers.into_iter().flatten().fold(greatest, Number::max);
        }
    }
    Ok(greatest)
}

fn find(operation: &str) -> Result<Operation, AwsError> {
    Ok(match operation {
        "AddTagsToStream" => Kinesis::add_tags_to_stream,
        "CreateStream" => Kinesis::create_stream,
        "DecreaseStreamRetentionPeriod" => Kinesis::decrease_retention,
        "DeleteStream" => Kinesis::delete_stream,
        "DeregisterStreamConsumer" => Kinesis::deregister_consumer,
        "DescribeLimits" => Kinesis::describe_limits,
        "DescribeStream" => Kinesis::describe_stream,
        "DescribeStreamConsumer" => Kinesis::describe_consumer,
        "DescribeStreamSummary" => Kinesis::describe_stream_summary,
        "GetRecords" => Kinesis::get_records,
        "GetShardIterator" => Kinesis::get_shard_iterator,
        "IncreaseStreamRetentionPeriod" => Kinesis::increase_retention,
        "ListShards" => Kinesis::list_shards,
        "ListStreamConsumers" => Kinesis::list_consumers,
        "ListStreams" => Kinesis::list_streams,
        "ListTagsForResource" => Kinesis::list_tags_for_resource,
        "ListTagsForStream" => Kinesis::list_tags_for_stream,
        "MergeShards" => Kinesis::merge_shards,
        "PutRecord" => Kinesis::put_record,
        "PutRecords" => Kinesis::put_records,
        "RegisterStreamConsumer" => Kinesis::register_consumer,
        "RemoveTagsFromStream" => Kinesis::remove_tags_from_stream,
        "SplitShard" => Kinesis::split_shard,
        "StartStreamEncryption" => Kinesis::start_encryption,
        "StopStreamEncryption" => Kinesis::stop_encryption,
        "TagResource" => Kinesis::tag_resource,
        "UntagResource" => Kinesis::untag_resource,
        "UpdateShardCount" => Kinesis::update_shard_count,
        "UpdateStreamMode" => Kinesis::update_mode,
        "SubscribeToShard" => {
            return Err(AwsError::client(
                "UnknownOperationException",
                "SubscribeToShard is not supported here: only event source mappings read by enhanced fan-out. Read \
                 with GetShardIterator and GetRecords.",
            ));
        }
        _ => {
            return Err(AwsError::client(
                "UnknownOperationException",
                format!("Kinesis has no operation {operation} here."),
            ));
        }
    })
}
