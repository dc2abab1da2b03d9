//! `GetRecords`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use quotas::BYTES_A_READ;
use serde_json::{Value, json};

use super::{
    Kinesis,
    errors::{invalid_argument, no_shard_to_read},
    fields::{ARN, Fields, ITERATOR},
    iterators::Position,
    number::{Number, Sequence},
    shard::Shard,
    stream::Stream,
    streams::named_stream,
    tables::{self, Place, Stored},
    token,
};
use crate::{
    error::AwsError,
    input::{put, seconds},
    time::at_millis,
};

/// The most records of an answer.
const MOST_RECORDS: u32 = 10_000;
/// The most bytes of the data and keys of an answer.
const MOST_BYTES: usize = BYTES_A_READ;

/// Records of a shard.
pub(super) struct Batch {
    pub(super) records: Vec<Stored>,
    /// True if the shard has more records after these.
    more: bool,
}

impl Kinesis {
    pub(super) fn get_records(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["ShardIterator", "Limit", "StreamARN"])?;
        let now = self.now();
        let limit = fields
            .number("Limit", 1..=MOST_RECORDS)?
            .unwrap_or(MOST_RECORDS);
        let iterator = fields.required_text("ShardIterator", &ITERATOR)?;
        let iterator = Position::open(iterator, now)?;
        if fields.text("StreamARN", &ARN)?.is_some() && named_stream(fields)? != iterator.stream {
            return Err(invalid_argument(
                "The ShardIterator is not one of the stream with this StreamARN.",
            ));
        }
        let streams = self.streams();
        let stream = streams
            .get(&iterator.stream)
            .filter(|stream| stream.id == iterator.id);
        let stream = stream.ok_or_else(|| no_shard_to_read(iterator.shard, &iterator.stream))?;
        let shard = stream.readable(iterator.shard, now)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let batch = self.batch_within_quota(stream, shard, iterator.from, (limit, MOST_BYTES))?;
        describe(stream, shard, &batch, iterator, now)
    }

    /// As [`Self::batch`], by one of the reads that the standard consumers of a shard share.
    pub(super) fn batch_within_quota(
        &self,
        stream: &Stream,
        shard: &Shard,
        from: Number,
        limits: (usize, usize),
    ) -> Result<Batch, AwsError> {
        let Some(quota) = &self.quota else {
            return self.batch(stream, shard, from, limits);
        };
        quota.read(stream, shard.number)?;
        let batch = self.batch(stream, shard, from, limits)?;
        let sizes = batch
            .records
            .iter()
            .map(|record| record.data.len() + record.partition_key.len());
        quota.returned(stream, shard.number, sizes.sum());
        Ok(batch)
    }

    /// The records of a shard that are within the retention, from `from` on. `limits` are the most records, and the
    /// most bytes, but the first record is always there.
    pub(super) fn batch(
        &self,
        stream: &Stream,
        shard: &Shard,
        from: Number,
        limits: (usize, usize),
    ) -> Result<Batch, AwsError> {
        let from = from.max(stream.horizon(self.now()));
        let place = Place {
            stream: stream.id,
            shard: shard.number,
        };
        self.store.read(|connection| {
            let records = tables::read(connection, place, from, limits.0, limits.1)?;
            let last = tables::last_before(connection, place, Number::GREATEST)?;
            let end = records.last().map_or(from, |record| record.number.next());
            Ok(Batch {
                records,
                more: last >= Some(end),
            })
        })
    }
}

fn describe(
    stream: &Stream,
    shard: &Shard,
    batch: &Batch,
    iterator: Position,
    now: u64,
) -> Result<Value, AwsError> {
    let records = batch
        .records
        .iter()
        .map(|record| describe_record(stream, shard, record));
    let last = batch.records.last();
    let behind = last
        .filter(|_| batch.more)
        .map_or(0, |record| now.saturating_sub(record.number.millis()));
    let mut answer = json!({
        "Records": records.collect::<Vec<_>>(),
        "MillisBehindLatest": behind,
        "NextShardIterator": null,
    });
    if shard.closed.is_some() && !batch.more {
        put(&mut answer, "ChildShards", children(stream, shard));
    } else {
        let from = last.map_or(iterator.from, |record| record.number.next());
        let next = Position {
            from,
            issued: now,
            ..iterator
        };
        put(&mut answer, "NextShardIterator", token::seal(&next)?);
    }
    Ok(answer)
}

fn describe_record(stream: &Stream, shard: &Shard, record: &Stored) -> Value {
    let sequence = Sequence {
        number: record.number,
        stream: stream.id,
        shard: shard.number,
    };
    let mut described = json!({
        "SequenceNumber": sequence.to_string(),
        "ApproximateArrivalTimestamp": seconds(at_millis(record.number.millis())),
        "Data": STANDARD.encode(&record.data),
        "PartitionKey": &*record.partition_key,
    });
    if record.encrypted {
        put(&mut described, "EncryptionType", "KMS");
    }
    described
}

fn children(stream: &Stream, shard: &Shard) -> Value {
    let all = stream.shards.values();
    let children = all.filter(|child| child.parents().any(|parent| parent == shard.number));
    children.map(Shard::describe_as_child).collect()
}
