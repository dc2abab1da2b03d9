//! One batch, from records to the index of the first that failed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use events::{Catalogue, DecodeError, Event, IdReserva, Payload};
use ports::{LogRecord, SequenceNumber, TableError};

use crate::{Parked, Parking, Reason, Redriven, Trouble};

/// An event with its place in the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// The place of its record in the batch, from 0.
    pub place: usize,
    /// The record, with the text as it was committed: the envelope below may have been lifted.
    pub record: LogRecord,
    /// The envelope.
    pub event: Event,
    /// The data.
    pub payload: Payload,
}

/// The events of one reservation in a batch, in the order they came. There is at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which reservation.
    pub subject: IdReserva,
    /// Its events.
    pub events: Vec<Incoming>,
}

/// A group could not be handled now. It will be delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The place in the batch of the first record that was not handled.
    pub place: usize,
    /// Why.
    pub cause: String,
}

/// What a consumer does with events. Must be idempotent: everything is delivered at least once.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles groups, each in its order, different ones side by side if it likes. Answers in the order of the groups.
    async fn handle(&self, groups: &[Group]) -> Vec<Result<(), Stop>>;
}

/// What came of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Records in it.
    pub records: usize,
    /// Records parked, now or at an earlier delivery.
    pub parked: usize,
    /// The first record that must be delivered again, with why. Everything before it is done.
    pub failed: Option<(SequenceNumber, String)>,
}

/// Decodes, groups, parks and reports.
pub struct Consumer<'a> {
    /// Its name, under which records are parked.
    pub name: &'a str,
    /// What can be decoded.
    pub catalogue: &'a Catalogue,
    /// Where bad records go.
    pub parking: &'a Parking,
    /// What to do with the good ones.
    pub handler: &'a dyn Handler,
}

impl Consumer<'_> {
    /// Consumes a batch of one shard.
    pub async fn consume(&self, records: &[LogRecord]) -> Outcome {
        let mut outcome = Outcome {
            records: records.len(),
            ..Outcome::default()
        };
        let mut groups: BTreeMap<IdReserva, Group> = BTreeMap::new();
        let mut stops = vec![];
        for (place, record) in records.iter().enumerate() {
            match Event::decode(&record.data, self.catalogue) {
                Ok((event, payload)) => {
                    let subject = event.subject;
                    let group = groups.entry(subject).or_insert_with(|| Group {
                        subject,
                        events: vec![],
                    });
                    group.events.push(Incoming {
                        place,
                        record: record.clone(),
                        event,
                        payload,
                    });
                }
                Err(error) => match self.park(record, &error).await {
                    Ok(()) => outcome.parked += 1,
                    Err(error) => stops.push(Stop {
                        place,
                        cause: error.to_string(),
                    }),
                },
            }
        }
        let groups: Vec<Group> = groups.into_values().collect();
        if !groups.is_empty() {
            stops.extend(
                self.handler
                    .handle(&groups)
                    .await
                    .into_iter()
                    .filter_map(Result::err),
            );
        }
        outcome.failed = stops
            .into_iter()
            .min_by_key(|stop| stop.place)
            .and_then(|stop| {
                records
                    .get(stop.place)
                    .map(|record| (record.sequence.clone(), stop.cause))
            });
        outcome
    }

    /// Tries a parked record again, as if it came anew.
    ///
    /// # Errors
    ///
    /// [`TableError`] if the parking lot cannot be read or changed; the record stays parked.
    pub async fn redrive(&self, parked: &Parked) -> Result<Redriven, TableError> {
        let Some(record) = self.parking.record(parked).await? else {
            return Ok(Redriven::StillParked("it has no bytes".into()));
        };
        let (event, payload) = match Event::decode(&record.data, self.catalogue) {
            Ok(decoded) => decoded,
            Err(error) => return Ok(Redriven::StillParked(error.to_string())),
        };
        let subject = event.subject;
        let events = vec![Incoming {
            place: 0,
            record,
            event,
            payload,
        }];
        for result in self.handler.handle(&[Group { subject, events }]).await {
            if let Err(stop) = result {
                return Ok(Redriven::NotNow(stop.cause));
            }
        }
        if self.parking.remove(parked).await? {
            return Ok(Redriven::Done);
        }
        Ok(Redriven::StillParked("it was parked anew".into()))
    }

    async fn park(&self, record: &LogRecord, error: &DecodeError) -> Result<(), TableError> {
        let reason = match error {
            DecodeError::Undecodable(_) => Reason::Undecodable,
            DecodeError::UnknownType(_) => Reason::UnknownType,
        };
        tracing::warn!(consumer = self.name, shard = record.shard, sequence = record.sequence.0, %error, "record parked");
        let detail = error.to_string();
        self.parking
            .park(self.name, Trouble::with_record(record, reason, &detail))
            .await
    }
}
