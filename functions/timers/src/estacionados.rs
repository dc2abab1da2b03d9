//! `estacionados`: the parking lot.
//!
//! When a batch has failed too often, Lambda gives it up and writes it to a bucket as an object: a note on what went wrong, and the
//! batch itself as `payload`. Its records are parked here, and the object is removed.

use std::time::Duration;

use aws_lambda_events::kinesis::KinesisEvent;
use consumer::{Reason, Redrive, Redriver, Trouble};
use jiff::Timestamp;
use lambda_kit::{kinesis, metrics::Unit};
use ports::LogRecord;
use serde::Deserialize;
use serde_json::Value;

use crate::{App, Done, TaskFailed};

/// Lambda's own beginning of the keys of such objects.
const PREFIX: &str = "aws/lambda/";
/// Pages of them looked at by one run.
const PAGES: usize = 10;

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
    /// Objects that cannot be read, and stay.
    unreadable: usize,
}

impl App {
    pub(crate) async fn estacionados(&self, until: Timestamp) -> Result<Done, TaskFailed> {
        let taken = self.take_in().await?;
        let parked = self
            .projector
            .parking()
            .list()
            .await
            .map_err(TaskFailed::because)?;
        let mut consumers: Vec<&dyn Redrive> = vec![&self.projector];
        consumers.extend(self.remote.iter().map(|one| one as &dyn Redrive));
        let redriver = Redriver {
            parking: self.projector.parking(),
            world: &self.world,
            consumers: &consumers,
        };
        let left = until.duration_since(self.world.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        let redriving = redriver.redrive_due(&parked, left).await;
        let redriving = redriving.map_err(TaskFailed::because)?;
        let (recogidos, liberados, quedan) = (taken.records, redriving.redriven, redriving.parked);
        let waiting = u64::try_from(quedan + taken.unreadable).unwrap_or(u64::MAX);
        self.metrics
            .emit(self.world.clock.now(), &[("Parked", Unit::Count, waiting)]);
        tracing::info!(
            recogidos,
            liberados,
            quedan,
            ilegibles = taken.unreadable,
            "parking lot looked at"
        );
        Ok(Done::Estacionados {
            recogidos,
            liberados,
            quedan,
            ilegibles: taken.unreadable,
        })
    }

    /// Parks the records of batches that were given up.
    async fn take_in(&self) -> Result<Taken, TaskFailed> {
        let mut taken = Taken::default();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let keys = self
                .undelivered
                .list(PREFIX, after.as_deref(), self.limits.objects)
                .await;
            let keys = keys.map_err(TaskFailed::because)?;
            for key in &keys {
                self.take_in_one(key, &mut taken).await?;
            }
            after = keys.last().cloned();
            if keys.len() < self.limits.objects {
                break;
            }
        }
        Ok(taken)
    }

    async fn take_in_one(&self, key: &str, taken: &mut Taken) -> Result<(), TaskFailed> {
        let Some(object) = self
            .undelivered
            .get(key)
            .await
            .map_err(TaskFailed::because)?
        else {
            return Ok(());
        };
        let undelivered = match Undelivered::parse(&object, &self.stack) {
            Ok(undelivered) => undelivered,
            Err(error) => {
                // It stays in the bucket, and in the count that an alarm looks at, for a person to see to.
                tracing::error!(key, error, "an undelivered batch cannot be read");
                taken.unreadable += 1;
                return Ok(());
            }
        };
        for record in &undelivered.records {
            let trouble = Trouble::with_record(record, Reason::Undelivered, &undelivered.detail);
            let parked = self
                .projector
                .parking()
                .park(&undelivered.consumer, trouble)
                .await;
            parked.map_err(TaskFailed::because)?;
            taken.records += 1;
        }
        self.undelivered
            .delete(key)
            .await
            .map_err(TaskFailed::because)
    }
}
