//! `PutRecord` and `PutRecords`.

use serde_json::{Value, json};

use super::{
    Kinesis,
    errors::{invalid_argument, no_stream},
    fields::{Fields, HASH_KEY, PARTITION_KEY, SEQUENCE_NUMBER},
    find_stream, hash,
    number::Sequence,
    stream::Stream,
    streams::named_stream,
    tables::{self, Place},
};
use crate::{error::AwsError, input::put, names::ACCOUNT};

/// The most bytes of a record's data: AWS's default of 1 MiB, and also what event source mappings take.
const DATA_LIMIT: usize = 1 << 20;
/// The most bytes of all data and keys of a `PutRecords` request.
const REQUEST_LIMIT: usize = 10 << 20;

/// The place of a record that was appended, or the error of one that was throttled.
type Appended = Result<Sequence, AwsError>;

/// A record to append.
struct Entry<'a> {
    partition_key: &'a str,
    hash: u128,
    data: Vec<u8>,
}

impl Kinesis {
    pub(super) fn put_record(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[
            "StreamName",
            "StreamARN",
            "Data",
            "PartitionKey",
            "ExplicitHashKey",
            "SequenceNumberForOrdering",
        ])?;
        let stream = named_stream(fields)?;
        let entry = Entry::of(fields)?;
        if let Some(digits) = fields.text("SequenceNumberForOrdering", &SEQUENCE_NUMBER)? {
            self.check_ordering(digits, stream)?;
        }
        let (appended, encrypted) = self.append(stream, &[entry])?;
        let appended = appended.into_iter().next();
        let place = appended.ok_or_else(|| no_stream(stream))??;
        Ok(with_encryption(describe(&place), encrypted))
    }

    pub(super) fn put_records(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN", "Records"])?;
        let stream = named_stream(fields)?;
        let records = fields.required_structures("Records", 1..=500)?;
        let entries = records.iter().map(|record| {
            record.only(&["Data", "PartitionKey", "ExplicitHashKey"])?;
            Entry::of(record)
        });
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        if entries.iter().map(Entry::size).sum::<usize>() > REQUEST_LIMIT {
            return Err(invalid_argument("Records size exceeds 10 MB limit"));
        }
        let (appended, encrypted) = self.append(stream, &entries)?;
        // One transaction takes all records that the quotas admit, so that no record fails alone for another reason.
        let failed = appended.iter().filter(|record| record.is_err()).count();
        let records: Vec<_> = appended.iter().map(describe_result).collect();
        let answer = json!({ "FailedRecordCount": failed, "Records": records });
        Ok(with_encryption(answer, encrypted))
    }

    /// Appends the records that the quotas admit, in one transaction. Also says whether they are encrypted.
    fn append(
        &self,
        stream: &str,
        entries: &[Entry<'_>],
    ) -> Result<(Vec<Appended>, bool), AwsError> {
        let appended = {
            let streams = self.streams();
            let stream = find_stream(&streams, stream)?;
            let appended = self.append_to(stream, entries)?;
            stream.announce();
            (appended, stream.encryption_key.is_some())
        };
        // The records are stored. If old records could not be deleted, the next minute tries again.
        let _ = self.trim_if_due();
        Ok(appended)
    }

    fn append_to(&self, stream: &Stream, entries: &[Entry<'_>]) -> Result<Vec<Appended>, AwsError> {
        let encrypted = stream.encryption_key.is_some();
        let appended = self.store.write(|transaction| {
            let places = entries.iter().map(|entry| {
                let shard = stream.shard_for(entry.hash)?.number;
                if let Some(quota) = &self.quota
                    && let Err(throttled) = quota.put(stream, shard, entry.size())
                {
                    return Ok(Err(throttled));
                }
                let place = Place {
                    stream: stream.id,
                    shard,
                };
                // The transaction is alone, so numbers ascend in the order in which readers see the records.
                let number = self.numbers.next(self.now());
                let Entry {
                    partition_key,
                    data,
                    ..
                } = entry;
                tables::append(transaction, place, number, encrypted, partition_key, data)?;
                self.counts.added(place);
                Ok(Ok(Sequence {
                    number,
                    stream: stream.id,
                    shard,
                }))
            });
            places.collect::<Result<Vec<_>, AwsError>>()
        });
        if appended.is_err() {
            self.counts.forget();
        }
        appended
    }

    fn check_ordering(&self, digits: &str, stream: &str) -> Result<(), AwsError> {
        let sequence = Sequence::parse(digits);
        match sequence.filter(|sequence| sequence.number <= self.numbers.last()) {
            Some(_) => Ok(()),
            None => Err(invalid_argument(format!(
                "ExclusiveMinimumSequenceNumber {digits} used in PutRecord on stream {stream} under account {ACCOUNT} \
                 is invalid."
            ))),
        }
    }
}

impl<'a> Entry<'a> {
    fn of(fields: &Fields<'a>) -> Result<Self, AwsError> {
        let data = fields.required_blob("Data")?;
        if data.len() > DATA_LIMIT {
            let length = data.len();
            let shown = format!("'java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]'");
            let constraint = format!("Member must have length less than or equal to {DATA_LIMIT}");
            return Err(fields.violation("Data", &shown, &constraint));
        }
        let partition_key = fields.required_text("PartitionKey", &PARTITION_KEY)?;
        let explicit = fields.text("ExplicitHashKey", &HASH_KEY)?;
        let hash = match explicit {
            Some(digits) => explicit_hash(digits)?,
            None => hash::of_key(partition_key),
        };
        Ok(Self {
            partition_key,
            hash,
            data,
        })
    }

    fn size(&self) -> usize {
        self.partition_key.len() + self.data.len()
    }
}

fn explicit_hash(digits: &str) -> Result<u128, AwsError> {
    digits.parse().map_err(|_| {
        invalid_argument(format!(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was {digits}"
        ))
    })
}

fn describe(place: &Sequence) -> Value {
    json!({ "ShardId": place.shard.to_string(), "SequenceNumber": place.to_string() })
}

fn describe_result(appended: &Appended) -> Value {
    match appended {
        Ok(place) => describe(place),
        Err(error) => json!({ "ErrorCode": error.code, "ErrorMessage": error.message }),
    }
}

fn with_encryption(mut answer: Value, encrypted: bool) -> Value {
    if encrypted {
        put(&mut answer, "EncryptionType", "KMS");
    }
    answer
}
