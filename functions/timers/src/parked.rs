//! The task `parked`: parks the records of batches that Lambda discarded, and retries parked records.
//!
//! When a batch has failed too often, Lambda discards the batch and writes an object to a bucket. The object describes
//! the failure, and its `payload` is the batch. This task parks the records of the batch and deletes the object.

use alpes_consumer::{Reason, Redrive, Redriver, Trouble};
use alpes_lambda::{kinesis, metrics::Unit};
use alpes_ports::{KeyRange, LogRecord, TableError};
use aws_lambda_events::kinesis::KinesisEvent;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::{App, Done, TaskFailed};

/// The prefix of the keys of the objects that Lambda writes.
const PREFIX: &str = "aws/lambda/";
/// Number of records that are parked concurrently.
const SIDE_BY_SIDE: usize = 8;

/// The fields that this task reads of an object that Lambda wrote.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Note {
    request_context: RequestContext,
    /// The batch, as JSON text.
    payload: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext {
    function_arn: String,
    #[serde(default)]
    condition: String,
}

/// A batch that Lambda discarded.
struct Undelivered {
    /// The consumer of the batch.
    consumer: String,
    /// The reason for which Lambda discarded the batch.
    detail: String,
    records: Vec<LogRecord>,
}

impl Undelivered {
    /// Reads an object. The names of our functions begin with `stack`.
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
        // The form is `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, optionally with a version after the name.
        let name = function_arn.split(':').nth(6).unwrap_or_default();
        let consumer = name
            .strip_prefix(stack)
            .and_then(|name| name.strip_prefix('-'));
        Ok(Self {
            consumer: consumer
                .ok_or_else(|| format!("{function_arn} is not a function of {stack}"))?
                .to_owned(),
            detail: format!("given up by the runtime: {condition}"),
            records: kinesis::records(batch.map_err(|error| error.to_string())?),
        })
    }
}

/// The result of reading the bucket.
#[derive(Default)]
struct Taken {
    records: usize,
    /// Number of objects that cannot be read or parked. These objects stay in the bucket.
    unreadable: usize,
    /// True if the time was over before all objects were seen.
    more: bool,
}

impl App {
    pub(crate) async fn parked(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let now = self.world.clock.now();
        // Half of the time is for the objects of the bucket, and the other half for the parked records, so that neither
        // work starves the other.
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
        // A bucket that does not answer fails the task only now, after the parked records were retried.
        let taken = taken?;
        let (records, redriven, still_parked) = (taken.records, look.redriven, look.parked);
        let unreadable = taken.unreadable + look.unreadable;
        let unfinished = taken.more || look.more;
        if !unfinished {
            // An unfinished run emits no count, because the count of a part would be too low. The alarm also reacts to
            // minutes without a count.
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
            "the parked records were retried"
        );
        Ok(Done::Parked {
            records,
            redriven,
            still_parked,
            unreadable,
            unfinished,
        })
    }

    /// Parks the records of batches that Lambda discarded. The function begins no further object after `until`.
    async fn take_in(&self, until: Timestamp) -> Result<Taken, TaskFailed> {
        let mut taken = Taken::default();
        let mut after: Option<String> = None;
        loop {
            let range = KeyRange {
                after: after.as_deref(),
                ..KeyRange::new(PREFIX, self.limits.objects)
            };
            let keys = self.undelivered.list(range).await;
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
                        // The object stays in the bucket for a person, and an alarm counts it.
                        tracing::error!(
                            key,
                            cause,
                            "an undelivered batch could not be parked, and stays in the bucket"
                        );
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

    /// Parks the records of one object and deletes the object. The result is false if the time was over before all
    /// records were parked. The object then stays in the bucket, and the next run parks its records again. An error is
    /// the reason for which the object stays. The error does not stop the work on other objects.
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
        deleted.map_err(|error| format!("it is parked, but cannot be removed: {error}"))?;
        Ok(true)
    }

    /// Parks a record if the time is before `until`. Otherwise the record is not parked, and the result is false.
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
