//! `ListShards`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Kinesis,
    describe::page,
    errors::{invalid_argument, no_stream},
    fields::{Fields, NAME, TOKEN},
    find_stream,
    number::Number,
    shard::{Shard, ShardNumber, shard_number},
    stream::Stream,
    streams::named_stream,
    token,
};
use crate::{error::AwsError, input::put};

const MOST_LISTED: u32 = 1000;

/// The shards that a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
enum Filter {
    /// The shards within the retention: `FROM_TRIM_HORIZON`.
    All,
    /// The shards that were open at the time of the oldest record that the stream may have.
    AtTrimHorizon,
    AtLatest,
    AtTime(u64),
    FromTime(u64),
}

#[derive(Clone, Copy)]
enum FilterType {
    AfterShard,
    Plain(Filter),
    AtTime,
    FromTime,
}

const FILTER_TYPES: &[(&str, FilterType)] = &[
    ("AFTER_SHARD_ID", FilterType::AfterShard),
    ("AT_TRIM_HORIZON", FilterType::Plain(Filter::AtTrimHorizon)),
    ("FROM_TRIM_HORIZON", FilterType::Plain(Filter::All)),
    ("AT_LATEST", FilterType::Plain(Filter::AtLatest)),
    ("AT_TIMESTAMP", FilterType::AtTime),
    ("FROM_TIMESTAMP", FilterType::FromTime),
];

/// The shards to list. It is also the contents of `NextToken`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    listed_stream: String,
    after: Option<ShardNumber>,
    filter: Filter,
    issued: u64,
}

impl Kinesis {
    pub(super) fn list_shards(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        fields.only(&[
            "StreamName",
            "StreamARN",
            "NextToken",
            "ExclusiveStartShardId",
            "MaxResults",
            "StreamCreationTimestamp",
            "ShardFilter",
        ])?;
        let limit = fields
            .number("MaxResults", 1..=10_000)?
            .unwrap_or(MOST_LISTED)
            .min(MOST_LISTED);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let listing = match fields.text("NextToken", &TOKEN)? {
            Some(token) => self.continued(fields, token)?,
            None => self.begun(fields)?,
        };
        self.list(listing, limit)
    }

    fn list(&self, listing: Listing, limit: usize) -> Result<Value, AwsError> {
        let now = self.now();
        let streams = self.streams();
        let stream = find_stream(&streams, &listing.listed_stream)?;
        let wanted = |shard: &Shard| {
            Some(shard.number) > listing.after && listing.filter.accepts(shard, stream, now)
        };
        let (shards, more) = page(stream, now, wanted, limit);
        let described: Vec<_> = shards
            .iter()
            .map(|shard| shard.describe(stream.id))
            .collect();
        let mut answer = json!({ "Shards": described });
        if let Some(last) = shards.last().filter(|_| more) {
            let after = Some(last.number);
            let next = Listing {
                after,
                issued: now,
                ..listing
            };
            put(&mut answer, "NextToken", token::seal(&next)?);
        }
        Ok(answer)
    }

    fn continued(&self, fields: &Fields<'_>, token: &str) -> Result<Listing, AwsError> {
        const ALONE: [&str; 5] = [
            "StreamName",
            "StreamARN",
            "ExclusiveStartShardId",
            "StreamCreationTimestamp",
            "ShardFilter",
        ];
        if let Some(other) = ALONE.into_iter().find(|name| fields.has(name)) {
            return Err(invalid_argument(format!(
                "NextToken and {other} cannot be provided together."
            )));
        }
        let listing: Option<Listing> = token::open(token);
        let listing = listing.ok_or_else(|| invalid_argument("Invalid NextToken."))?;
        token::check_age(listing.issued, self.now())?;
        Ok(listing)
    }

    fn begun(&self, fields: &Fields<'_>) -> Result<Listing, AwsError> {
        if !fields.has("StreamName") && !fields.has("StreamARN") {
            return Err(invalid_argument(
                "Either NextToken or StreamName should be provided.",
            ));
        }
        let name = named_stream(fields)?;
        self.check_created(fields, name)?;
        let (filter, after_filter) = filter_of(fields, name)?;
        let after = fields.text("ExclusiveStartShardId", &NAME)?;
        let after = after.map(|id| shard_number(id, name)).transpose()?;
        Ok(Listing {
            listed_stream: name.to_owned(),
            after: after.max(after_filter),
            filter,
            issued: self.now(),
        })
    }

    /// AWS's error if the stream was created at another time than the request says.
    pub(super) fn check_created(&self, fields: &Fields<'_>, name: &str) -> Result<(), AwsError> {
        let Some(created) = fields.time("StreamCreationTimestamp")? else {
            return Ok(());
        };
        let streams = self.streams();
        // Clients may know the time in whole seconds only.
        let known = find_stream(&streams, name)?.id.millis();
        if created == known || created == known / 1000 * 1000 {
            return Ok(());
        }
        Err(no_stream(name))
    }
}

impl Filter {
    fn accepts(self, shard: &Shard, stream: &Stream, now: u64) -> bool {
        let open_at =
            |time: u64| shard.opened.millis() <= time && shard.outlives(Number::first_at(time));
        match self {
            Self::All => true,
            Self::AtLatest => shard.closed.is_none(),
            Self::AtTime(time) => open_at(time),
            Self::FromTime(time) => shard.outlives(Number::first_at(time)),
            Self::AtTrimHorizon => open_at(stream.horizon(now).max(stream.id).millis()),
        }
    }
}

/// The request's filter, and the shard after which it begins.
fn filter_of(fields: &Fields<'_>, stream: &str) -> Result<(Filter, Option<ShardNumber>), AwsError> {
    let Some(filter) = fields.structure("ShardFilter")? else {
        return Ok((Filter::All, None));
    };
    filter.only(&["Type", "ShardId", "Timestamp"])?;
    let chosen = filter.choice("Type", FILTER_TYPES)?;
    let time = || required_for_type(filter.time("Timestamp")?, "Timestamp");
    Ok(match filter.required("Type", chosen)? {
        FilterType::Plain(plain) => (plain, None),
        FilterType::AtTime => (Filter::AtTime(time()?), None),
        FilterType::FromTime => (Filter::FromTime(time()?), None),
        FilterType::AfterShard => {
            let id = required_for_type(filter.text("ShardId", &NAME)?, "ShardId")?;
            (Filter::All, Some(shard_number(id, stream)?))
        }
    })
}

fn required_for_type<T>(value: Option<T>, name: &str) -> Result<T, AwsError> {
    value.ok_or_else(|| invalid_argument(format!("ShardFilter of this Type must have {name}.")))
}
