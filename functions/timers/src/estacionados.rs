//! `estacionados`: the parking lot.
//!
//! When a batch has failed too often, Lambda gives it up and writes it to a bucket as an object: a note on what went wrong, and the
//! batch itself as `payload`. Its records are parked here, and the object is removed.

use aws_lambda_events::kinesis::KinesisEvent;
use consumer::{Reason, Trouble};
use lambda_kit::{kinesis, metrics::Unit};
use ports::LogRecord;
use serde::Deserialize;
use serde_json::Value;

use crate::{App, Done, TaskFailed};

/// Lambda's own beginning of the keys of such objects.
const PREFIX: &str = "aws/lambda/";
/// Objects taken in at most by one run.
const OBJECTS: usize = 100;

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

impl App {
    pub(crate) async fn estacionados(&self) -> Result<Done, TaskFailed> {
        let recogidos = self.take_in().await?;
        let redriving = self
            .projector
            .redrive_unknown()
            .await
            .map_err(TaskFailed::because)?;
        let (liberados, quedan) = (redriving.redriven, redriving.parked);
        let parked = u64::try_from(quedan).unwrap_or(u64::MAX);
        self.metrics
            .emit(self.world.clock.now(), &[("Parked", Unit::Count, parked)]);
        tracing::info!(recogidos, liberados, quedan, "parking lot looked at");
        Ok(Done::Estacionados {
            recogidos,
            liberados,
            quedan,
        })
    }

    /// Parks the records of batches that were given up.
    async fn take_in(&self) -> Result<usize, TaskFailed> {
        let mut taken = 0;
        for key in self
            .undelivered
            .list(PREFIX, None, OBJECTS)
            .await
            .map_err(TaskFailed::because)?
        {
            let Some(object) = self
                .undelivered
                .get(&key)
                .await
                .map_err(TaskFailed::because)?
            else {
                continue;
            };
            let undelivered = match Undelivered::parse(&object, &self.stack) {
                Ok(undelivered) => undelivered,
                Err(error) => {
                    // It stays in the bucket, for a person to look at.
                    tracing::error!(key, error, "an undelivered batch cannot be read");
                    continue;
                }
            };
            for record in &undelivered.records {
                let trouble =
                    Trouble::with_record(record, Reason::Undelivered, &undelivered.detail);
                let parked = self
                    .projector
                    .parking()
                    .park(&undelivered.consumer, trouble)
                    .await;
                parked.map_err(TaskFailed::because)?;
                taken += 1;
            }
            self.undelivered
                .delete(&key)
                .await
                .map_err(TaskFailed::because)?;
        }
        Ok(taken)
    }
}
