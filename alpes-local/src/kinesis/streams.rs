//! Creating, deleting and listing streams, and their mode.

use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Kinesis, consumers,
    errors::{in_use, invalid, invalid_argument, no_stream},
    fields::{ARN, Fields, NAME, TOKEN},
    find_stream, limits,
    reshard::Reshard,
    stream::{Mode, Stream, stream_arn},
    tables, tags, token,
};
use crate::{
    error::AwsError,
    input::{put, seconds},
    names::{ACCOUNT, last_part},
    time::at_millis,
    waiting::aside,
};

pub(super) const MODES: &[(&str, Mode)] = &[
    ("PROVISIONED", Mode::Provisioned),
    ("ON_DEMAND", Mode::OnDemand),
];
/// The retention of a new stream.
const FIRST_RETENTION_HOURS: u32 = 24;
/// The shards of a stream on demand.
const ON_DEMAND_SHARDS: u32 = 4;
const MOST_LISTED: u32 = 100;

/// A stream to create.
pub(super) struct NewStream<'a> {
    pub(super) name: &'a str,
    pub(super) mode: Mode,
    /// The count of shards of a provisioned stream.
    pub(super) shards: u32,
    pub(super) tags: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct NextStreams {
    after_stream: String,
    issued: u64,
}

impl Kinesis {
    pub(super) fn create_stream(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[
            "StreamName",
            "ShardCount",
            "StreamModeDetails",
            "Tags",
            "MaxRecordSizeInKiB",
        ])?;
        let name = fields.required_text("StreamName", &NAME)?;
        let shards = fields.number("ShardCount", 1..=u32::MAX)?;
        if fields
            .number("MaxRecordSizeInKiB", 1024..=10_240)?
            .unwrap_or(1024)
            != 1024
        {
            return Err(invalid(
                "MaxRecordSizeInKiB must be 1024: larger records are not supported.",
            ));
        }
        let (mode, shards) = mode_and_shards(mode(fields)?, shards)?;
        let tags = tags::read(fields)?;
        self.create(&NewStream {
            name,
            mode,
            shards,
            tags,
        })?;
        Ok(json!({}))
    }

    pub(super) fn create(&self, new: &NewStream<'_>) -> Result<(), AwsError> {
        let mut streams = self.streams_to_change();
        if streams.contains_key(new.name) {
            return Err(in_use(format!(
                "Stream {} under account {ACCOUNT} already exists.",
                new.name
            )));
        }
        let now = self.now();
        let id = self.numbers.next(now);
        let mut stream = Stream::new(id, new.name, new.mode, FIRST_RETENTION_HOURS);
        let first = match new.mode {
            Mode::Provisioned => new.shards,
            Mode::OnDemand => ON_DEMAND_SHARDS,
        };
        limits::check_more_shards(&streams, usize::try_from(first).unwrap_or(usize::MAX))?;
        if new.mode == Mode::OnDemand {
            limits::check_one_more_on_demand(&streams)?;
        }
        let numbers = &self.numbers;
        Reshard {
            stream: &mut stream,
            numbers,
            now_millis: now,
        }
        .open_first(first);
        self.store.write(|transaction| {
            tables::save(transaction, None, &stream)?;
            tags::add(transaction, &stream.arn(), &new.tags)
        })?;
        streams.insert(new.name.to_owned(), stream);
        Ok(())
    }

    pub(super) fn delete_stream(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamName", "StreamARN", "EnforceConsumerDeletion"])?;
        let name = named_stream(fields)?;
        let with_consumers = fields.flag("EnforceConsumerDeletion")?;
        let mut streams = self.streams_to_change();
        let stream = find_stream(&streams, name)?;
        let delete = |transaction: &Transaction<'_>| {
            let consumers = consumers::names(transaction, stream.id)?;
            if !consumers.is_empty() && !with_consumers {
                return Err(in_use(format!(
                    "Stream {name} under account {ACCOUNT} has registered consumers: {}. Deregister them, or set \
                     EnforceConsumerDeletion.",
                    consumers.join(", ")
                )));
            }
            tags::forget_stream(transaction, &stream.arn())?;
            consumers::delete_all(transaction, stream.id)?;
            Ok(tables::delete_stream(transaction, stream.id)?)
        };
        aside(|| self.store.write(delete))?;
        self.counts.forget();
        streams.remove(name);
        Ok(json!({}))
    }

    pub(super) fn list_streams(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["Limit", "ExclusiveStartStreamName", "NextToken"])?;
        let limit = fields
            .number("Limit", 1..=10_000)?
            .unwrap_or(MOST_LISTED)
            .min(MOST_LISTED);
        let after = match fields.text("NextToken", &TOKEN)? {
            Some(token) => Some(self.opened(token)?),
            None => fields
                .text("ExclusiveStartStreamName", &NAME)?
                .map(str::to_owned),
        };
        let streams = self.streams();
        let following = streams
            .values()
            .filter(|stream| Some(&stream.name) > after.as_ref());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let listed: Vec<_> = following.clone().take(limit).collect();
        let more = following.count() > listed.len();
        let mut answer = json!({
            "StreamNames": listed.iter().map(|stream| &stream.name).collect::<Vec<_>>(),
            "StreamSummaries": listed.iter().map(|stream| summary(stream)).collect::<Vec<_>>(),
            "HasMoreStreams": more,
        });
        if let Some(last) = listed.last().filter(|_| more) {
            let next = NextStreams {
                after_stream: last.name.clone(),
                issued: self.now(),
            };
            put(&mut answer, "NextToken", token::seal(&next)?);
        }
        Ok(answer)
    }

    fn opened(&self, token: &str) -> Result<String, AwsError> {
        let next: Option<NextStreams> = token::open(token);
        let next = next.ok_or_else(|| invalid_argument("Invalid NextToken."))?;
        token::check_age(next.issued, self.now())?;
        Ok(next.after_stream)
    }

    pub(super) fn update_mode(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&["StreamARN", "StreamModeDetails"])?;
        let name = stream_by_arn(fields)?;
        let mode = fields.required("StreamModeDetails", mode(fields)?)?;
        self.change(name, |stream| {
            stream.mode = mode;
            Ok(())
        })?;
        Ok(json!({}))
    }
}

/// The stream that a request names by `StreamName`, `StreamARN` or both.
pub(super) fn named_stream<'a>(fields: &Fields<'a>) -> Result<&'a str, AwsError> {
    let name = fields.text("StreamName", &NAME)?;
    let arn = fields.text("StreamARN", &ARN)?;
    let in_arn = arn.map(|arn| name_in_arn(fields, arn)).transpose()?;
    match (name, in_arn) {
        (Some(name), Some(other)) if name != other => Err(invalid_argument(format!(
            "StreamName {name} and StreamARN {} are different streams.",
            stream_arn(other)
        ))),
        (Some(name), _) | (None, Some(name)) => Ok(name),
        (None, None) => Err(invalid_argument(
            "Either StreamName or StreamARN must be specified.",
        )),
    }
}

/// The stream of a request that must name it by `StreamARN`.
pub(super) fn stream_by_arn<'a>(fields: &Fields<'a>) -> Result<&'a str, AwsError> {
    let arn = fields.required_text("StreamARN", &ARN)?;
    name_in_arn(fields, arn)
}

fn name_in_arn<'a>(fields: &Fields<'_>, arn: &'a str) -> Result<&'a str, AwsError> {
    match arn.strip_prefix(&stream_arn("")) {
        Some(name) => Ok(name),
        None if arn.contains(":kinesis:") && arn.contains(":stream/") => {
            Err(no_stream(last_part(arn)))
        }
        None => {
            let pattern = "Member must satisfy regular expression pattern: arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+";
            Err(fields.violation("StreamARN", &format!("'{arn}'"), pattern))
        }
    }
}

fn mode(fields: &Fields<'_>) -> Result<Option<Mode>, AwsError> {
    let Some(details) = fields.structure("StreamModeDetails")? else {
        return Ok(None);
    };
    details.only(&["StreamMode"])?;
    let mode = details.choice("StreamMode", MODES)?;
    details.required("StreamMode", mode).map(Some)
}

/// AWS's rules for the two parameters: without both, the stream is on demand.
fn mode_and_shards(mode: Option<Mode>, shards: Option<u32>) -> Result<(Mode, u32), AwsError> {
    match (mode, shards) {
        (None | Some(Mode::Provisioned), Some(shards)) => Ok((Mode::Provisioned, shards)),
        (None | Some(Mode::OnDemand), None) => Ok((Mode::OnDemand, ON_DEMAND_SHARDS)),
        (Some(Mode::Provisioned), None) => Err(invalid_argument(
            "ShardCount must be specified for a stream in PROVISIONED mode.",
        )),
        (Some(Mode::OnDemand), Some(_)) => Err(invalid_argument(
            "ShardCount must not be specified for a stream in ON_DEMAND mode.",
        )),
    }
}

fn summary(stream: &Stream) -> Value {
    json!({
        "StreamName": stream.name,
        "StreamARN": stream.arn(),
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": { "StreamMode": stream.mode.as_str() },
        "StreamCreationTimestamp": seconds(at_millis(stream.id.millis())),
    })
}
