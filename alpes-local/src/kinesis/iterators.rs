//! `GetShardIterator`: positions in shards.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Kinesis,
    errors::{invalid_argument, no_shard_to_read},
    fields::{Fields, NAME, SEQUENCE_NUMBER},
    number::{Number, Sequence},
    shard::{ShardNumber, shard_number},
    stream::Stream,
    streams::named_stream,
    token::{self, LIFE_MILLIS},
};
use crate::{error::AwsError, names::ACCOUNT, time::at_millis};

/// The contents of a shard iterator.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    pub(super) stream: String,
    /// The stream's id, so that an iterator is not used for a later stream of the same name.
    pub(super) id: Number,
    pub(super) shard: ShardNumber,
    /// The number of the first record to read, or any number between it and the one before.
    pub(super) from: Number,
    pub(super) issued: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    AfterSequenceNumber,
    Latest,
    AtTimestamp,
    AtSequenceNumber,
    TrimHorizon,
}

const TYPES: &[(&str, Type)] = &[
    ("AFTER_SEQUENCE_NUMBER", Type::AfterSequenceNumber),
    ("LATEST", Type::Latest),
    ("AT_TIMESTAMP", Type::AtTimestamp),
    ("AT_SEQUENCE_NUMBER", Type::AtSequenceNumber),
    ("TRIM_HORIZON", Type::TrimHorizon),
];

impl Kinesis {
    pub(super) fn get_shard_iterator(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[
            "StreamName",
            "StreamARN",
            "ShardId",
            "ShardIteratorType",
            "StartingSequenceNumber",
            "Timestamp",
        ])?;
        let name = named_stream(fields)?;
        let id = fields.required_text("ShardId", &NAME)?;
        let number = shard_number(id, name)?;
        let now = self.now();
        let streams = self.streams();
        let stream = streams
            .get(name)
            .ok_or_else(|| no_shard_to_read(number, name))?;
        let shard = stream.readable(number, now)?.number;
        let iterator = Position {
            stream: stream.name.clone(),
            id: stream.id,
            shard,
            from: self.start(fields, stream, shard)?,
            issued: now,
        };
        Ok(json!({ "ShardIterator": token::seal(&iterator)? }))
    }

    fn start(
        &self,
        fields: &Fields<'_>,
        stream: &Stream,
        shard: ShardNumber,
    ) -> Result<Number, AwsError> {
        let kind = fields.choice("ShardIteratorType", TYPES)?;
        let kind = fields.required("ShardIteratorType", kind)?;
        let sequence = fields.text("StartingSequenceNumber", &SEQUENCE_NUMBER)?;
        match (kind, sequence) {
            (Type::AtSequenceNumber, Some(digits)) => parse(digits, stream, shard),
            (Type::AfterSequenceNumber, Some(digits)) => {
                parse(digits, stream, shard).map(Number::next)
            }
            (Type::TrimHorizon, None) => Ok(Number::default()),
            (Type::Latest, None) => Ok(self.numbers.last().next()),
            (Type::AtTimestamp, None) => self.at_time(fields),
            (kind, sequence) => Err(contradiction(kind, sequence.is_some())),
        }
    }

    fn at_time(&self, fields: &Fields<'_>) -> Result<Number, AwsError> {
        let now = self.now();
        match fields.time("Timestamp")? {
            None => Err(invalid_argument(
                "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no \
                 timestamp parameter.",
            )),
            Some(time) if time > now => Err(invalid_argument(format!(
                "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. \
                 timestampInMillis: {time}, currentTimestampInMillis: {now}"
            ))),
            Some(time) => Ok(Number::first_at(time)),
        }
    }
}

impl Position {
    /// Reads a shard iterator, and checks its age.
    pub(super) fn open(iterator: &str, now: u64) -> Result<Self, AwsError> {
        let opened: Option<Self> = token::open(iterator);
        let opened = opened.ok_or_else(|| invalid_argument("Invalid ShardIterator."))?;
        if now.saturating_sub(opened.issued) > LIFE_MILLIS {
            return Err(expired(opened.issued, now));
        }
        Ok(opened)
    }
}

fn parse(digits: &str, stream: &Stream, shard: ShardNumber) -> Result<Number, AwsError> {
    let used = format!(
        "StartingSequenceNumber {digits} used in GetShardIterator on shard {shard} in stream {} under account {ACCOUNT} \
         is invalid",
        stream.name
    );
    let Some(sequence) = Sequence::parse(digits) else {
        return Err(invalid_argument(format!("{used}.")));
    };
    if sequence.stream != stream.id {
        return Err(invalid_argument(format!(
            "{used} because it did not come from this stream."
        )));
    }
    if sequence.shard != shard {
        return Err(invalid_argument(format!(
            "Invalid StartingSequenceNumber. It encodes {}, while it was used in a call to a shard with {shard}",
            sequence.shard
        )));
    }
    Ok(sequence.number)
}

fn contradiction(kind: Type, has_sequence: bool) -> AwsError {
    let named = TYPES.iter().find(|(_, known)| *known == kind);
    let word = named.map_or("", |(word, _)| word);
    let and = if has_sequence { "also a" } else { "no" };
    invalid_argument(format!(
        "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) \
         TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified {word} and {and} \
         StartingSequenceNumber."
    ))
}

fn expired(issued: u64, now: u64) -> AwsError {
    let (issued, now) = (in_words(issued), in_words(now));
    AwsError::client(
        "ExpiredIteratorException",
        format!(
            "Iterator expired. The iterator was created at time {issued} while right now it is {now} which is further \
             in the future than the tolerated delay of {LIFE_MILLIS} milliseconds."
        ),
    )
}

/// A time as this error has it: `Thu Jan 22 01:22:02 UTC 2015`.
fn in_words(millis: u64) -> String {
    at_millis(millis)
        .strftime("%a %b %d %H:%M:%S UTC %Y")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expired_iterator_says_when_it_was_made() {
        let made = 1_421_889_722_000;
        let iterator = Position {
            stream: "s".to_owned(),
            id: Number::default(),
            shard: ShardNumber(0),
            from: Number::default(),
            issued: made,
        };
        let token = token::seal(&iterator).unwrap();
        assert!(Position::open(&token, made + LIFE_MILLIS).is_ok());
        let error = Position::open(&token, made + LIFE_MILLIS + 1)
            .err()
            .unwrap();
        assert_eq!(error.code, "ExpiredIteratorException");
        let created =
            "Iterator expired. The iterator was created at time Thu Jan 22 01:22:02 UTC 2015 while";
        assert!(error.message.starts_with(created), "{}", error.message);
        for garbage in ["AAAA", &token[4..], &token.to_lowercase()] {
            let error = Position::open(garbage, made).err().unwrap();
            assert_eq!(error.message, "Invalid ShardIterator.");
        }
    }
}
