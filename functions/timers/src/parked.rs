//! `parked`: the parking lot.
//!
//! When a batch has failed too often, Lambda gives it up and writes it to a bucket as an object: a note on what went wrong, and the
//! batch itself as `payload`. Its records are parked here, and the object is removed.

use alpes_consumer::{Reason, Redrive, Redriver, Trouble};
use alpes_lambda::{kinesis, metrics::Unit};
use alpes_ports::{LogRecord, TableError};
use aws_lambda_events::kinesis::KinesisEvent;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{App, Done, TaskFailed};

/// Lambda's own beginning of the keys of such objects.
const PREFIX: &str = "aws/lambda/";
/// Records parked side by side.
const SIDE_BY_SIDE: usize = 8;

/// The part of Lambda's note that matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    request_context: RequestContext,
    /// The batch: JSON as text.
    payload: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    function_arn: String,
    #[serde(default)]
    condition: String,
}

/// A batch that was given up.
struct Undelivered {
    /// The consumer it was meant for.
    consumer: String,
    /// Why it was given up.
    detail: String,
    records: Vec<LogRecord>,
}

impl Undelivered {
    /// Reads an object; `stack` begins the names of our functions.
    fn parse(object: &[u8], stack: &str) -> Result<Self, String> {
        let note: Note = serde_json::from_slice(object).map_err(|error| error.to_string())?;
        let batch = match &note.payload {
            Value::String(text) => serde_json::from_str(text),
            other => KinesisEvent::deserialize(other),
        };
        let RequestContext {
            function_arn,
            condition,
        } = note.request_context;
        // arn:aws:lambda:REGION:ACCOUNT:function:NAME, with a version after it or not.
        let name = function_arn.split(':').nth(6).unwrap_or_default();
        let consumer = name
            .strip_prefix(stack)
            .and_then(|name| name.strip_prefix('-'));
        Ok(Self {
            consumer: consumer
                .ok_or_else(|| format!("{function_arn} is no function of {stack}"))?
                .to_owned(),
            detail: format!("given up by the runtime: {condition}"),
            records: kinesis::records(batch.map_err(|error| error.to_string())?),
        })
    }
}

/// What was taken in.
#[derive(Default)]
struct Taken {
    records: usize,
    /// Objects that cannot be read or taken in, and stay.
    unreadable: usize,
    /// True if time ended before all objects were seen.
    more: bool,
}

impl App {
    pub(crate) async fn parked(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let now = self.world.clock.now();
        // The other half is for what is parked: neither keeps the other from getting on.
        let half = now.saturating_add(until.duration_since(now) / 2);
        let taken = self.take_in(half.unwrap_or(until)).await;
        let mut consumers: Vec<&dyn Redrive> = vec![&self.projector];
        consumers.extend(self.remote.iter().map(|one| one as &dyn Redrive));
        let lot = Redriver {
            parking: self.projector.parking(),
            world: &self.world,
            consumers: &consumers,
        };
        let look = lot.look_through(until).await;
        let look = look.map_err(TaskFailed::because)?;
        // A bucket that does not answer keeps nothing that is parked from being tried.
        let taken = taken?;
        let (records, redriven, still_parked) = (taken.records, look.redriven, look.parked);
        let unreadable = taken.unreadable + look.unreadable;
        let unfinished = taken.more || look.more;
        if !unfinished {
            // The count of a part would be too low. No count for minutes is an alarm as well.
            let waiting = u64::try_from(still_parked + unreadable).unwrap_or(u64::MAX);
            self.metrics
                .emit(self.world.clock.now(), &[("Parked", Unit::Count, waiting)]);
        }
        tracing::info!(
            records,
            redriven,
            still_parked,
            unreadable,
            unfinished,
            "parking lot looked at"
        );
        Ok(Done::Parked {
            records,
            redriven,
            still_parked,
            unreadable,
            unfinished,
        })
    }

    /// Parks the records of batches that were given up. Begins nothing more from `until` on.
    async fn take_in(&self, until: Timestamp) -> Result<Taken, TaskFailed> {
        let mut taken = Taken::default();
        let mut after: Option<String> = None;
        loop {
            let keys = self
                .undelivered
                .list(PREFIX, after.as_deref(), self.limits.objects)
                .await;
            let keys = keys.map_err(TaskFailed::because)?;
            for key in &keys {
                if self.world.clock.now() >= until {
                    taken.more = true;
                    return Ok(taken);
                }
                match self.take_in_one(key, until, &mut taken).await {
                    Ok(true) => {}
                    Ok(false) => {
                        taken.more = true;
                        return Ok(taken);
                    }
                    Err(cause) => {
                        // It stays in the bucket, and in the count that an alarm looks at, for a person to see to.
                        tracing::error!(key, cause, "an undelivered batch stays where it is");
                        taken.unreadable += 1;
                    }
                }
            }
            after = keys.last().cloned();
            if after.is_none() {
                return Ok(taken);
            }
        }
    }

    /// False if time ended before all of the object was parked: it stays, and is taken in again. Otherwise why it stays: that keeps no
    /// other from being taken in.
    async fn take_in_one(
        &self,
        key: &str,
        until: Timestamp,
        taken: &mut Taken,
    ) -> Result<bool, String> {
        let object = self.undelivered.get(key).await;
        let Some(object) = object.map_err(|error| format!("it cannot be fetched: {error}"))? else {
            return Ok(true);
        };
        let undelivered = Undelivered::parse(&object, &self.stack);
        let undelivered = undelivered.map_err(|error| format!("it cannot be read: {error}"))?;
        let all = undelivered.records.len();
        let parking = undelivered.records.iter().map(|record| {
            let trouble = Trouble::with_record(record, Reason::Undelivered, &undelivered.detail);
            self.park_until(until, &undelivered.consumer, trouble)
        });
        let parked: Vec<_> = stream::iter(parking.collect::<Vec<_>>())
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await;
        let parked: Result<Vec<bool>, TableError> = parked.into_iter().collect();
        let parked = parked.map_err(|error| format!("not all of it was parked: {error}"))?;
        let parked = parked.into_iter().filter(|parked| *parked).count();
        taken.records += parked;
        if parked < all {
            return Ok(false);
        }
        let deleted = self.undelivered.delete(key).await;
        deleted.map_err(|error| format!("it is parked, and cannot be removed: {error}"))?;
        Ok(true)
    }

    /// Parks a record; false if time has ended.
    async fn park_until(
        &self,
        until: Timestamp,
        consumer: &str,
        trouble: Trouble<'_>,
    ) -> Result<bool, TableError> {
        if self.world.clock.now() >= until {
            return Ok(false);
        }
        let parked = self.projector.parking().park(consumer, trouble).await;
        parked.map(|()| true)
    }
}
