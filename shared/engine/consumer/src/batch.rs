//! The steps of consuming a batch: decode, group, handle, park, and report the first record that failed.

use std::collections::BTreeMap;

use alpes_messages::{Catalogue, DecodeError, DomainEvent, Event, SubjectId};
use alpes_ports::{LogRecord, SequenceNumber, TableError};
use async_trait::async_trait;

use crate::{Parked, Parking, Reason, Redriven, Trouble};

/// A decoded event with its position in the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming<P> {
    /// The position of its record in the batch, from 0.
    pub place: usize,
    /// The record, with the text as it was committed. The data in `event` and `payload` may be lifted to a newer
    /// version.
    pub record: LogRecord,
    /// The envelope of the event.
    pub event: Event,
    /// The payload of the event.
    pub payload: P,
}

/// The events of one subject in a batch, at least one, in their order in the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<P> {
    /// The subject of the events.
    pub subject: SubjectId,
    /// The events, in their order in the batch.
    pub events: Vec<Incoming<P>>,
}

/// The failure of a group of events: the cause, and the record at which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The position in the batch of the first record that was not handled.
    pub place: usize,
    /// The cause in words.
    pub cause: String,
    /// The action that the consumer takes.
    pub then: Then,
}

/// The action that a consumer takes after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Deliver the record again: a later attempt may succeed.
    Again,
    /// Park the record: another attempt would fail too.
    Park(Reason),
}

impl From<&TableError> for Then {
    fn from(error: &TableError) -> Self {
        match error {
            TableError::Unavailable(_) => Self::Again,
            TableError::Refused(_) => Self::Park(Reason::Permanent),
        }
    }
}

impl Stop {
    /// A temporary failure: the record is delivered again.
    #[must_use]
    pub fn again(place: usize, cause: impl Into<String>) -> Self {
        Self {
            place,
            cause: cause.into(),
            then: Then::Again,
        }
    }

    /// A failure of a table. The record is parked if the table refuses the request, and otherwise delivered again.
    #[must_use]
    pub fn of(place: usize, error: &TableError) -> Self {
        Self {
            place,
            cause: error.to_string(),
            then: error.into(),
        }
    }
}

/// Handles the events of a consumer. A handler must be idempotent, since every event is delivered at least once.
#[async_trait]
pub trait Handler<P: DomainEvent>: Send + Sync {
    /// Handles the events of each group in their order; different groups may run side by side. Returns one result for
    /// each group, in the order of the groups.
    ///
    /// If the result of a group is [`Then::Park`], the consumer passes each record of the group to the handler once
    /// more, alone. The consumer parks only the records that fail again.
    async fn handle(&self, groups: &[Group<P>]) -> Vec<Result<(), Stop>>;
}

/// The outcome of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The number of records in the batch.
    pub records: usize,
    /// The number of records parked, now or at an earlier delivery.
    pub parked: usize,
    /// The first record that must be delivered again, with the cause. All records before it are done.
    pub failed: Option<(SequenceNumber, String)>,
}

/// A consumer: it decodes, groups, handles and parks records, and reports the outcome.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_consumer::{Consumer, Group, Handler, Parking, Stop};
/// use alpes_ports::{Log, NewRecord};
/// use async_trait::async_trait;
/// use futures::executor::block_on;
/// use toy::{Fact, loan, loans::BookHandedOver};
/// use twins::{MemoryLog, MemoryTables, world};
///
/// struct Letters;
///
/// #[async_trait]
/// impl Handler<Fact> for Letters {
///     async fn handle(&self, groups: &[Group<Fact>]) -> Vec<Result<(), Stop>> {
///         groups.iter().map(|group| Ok(println!("about {}", group.subject))).collect()
///     }
/// }
///
/// let (world, _) = world(1);
/// let log = MemoryLog::new(1, world.clock.clone());
/// let given = toy::event(BookHandedOver { loan: loan(7) }, 1).encode()?;
/// block_on(log.append(NewRecord::new("7", given.as_bytes())))?;
/// block_on(log.append(NewRecord::new("7", b"no event")))?;
///
/// let parking = Parking::new(Arc::new(MemoryTables::new()), world.clock, &toy::catalogue());
/// let consumer = Consumer { name: "letters", catalogue: &toy::catalogue(), parking: &parking, handler: &Letters };
/// let outcome = block_on(consumer.consume(&log.records()));
/// assert_eq!((outcome.records, outcome.parked, outcome.failed), (2, 1, None));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Consumer<'a, P> {
    /// The name of the consumer, under which it parks records.
    pub name: &'a str,
    /// The event types that the consumer decodes.
    pub catalogue: &'a Catalogue<P>,
    /// The parking lot for bad records.
    pub parking: &'a Parking,
    /// The handler of the decoded events.
    pub handler: &'a dyn Handler<P>,
}

impl<P: DomainEvent> Consumer<'_, P> {
    /// Consumes a batch of one shard.
    pub async fn consume(&self, records: &[LogRecord]) -> Outcome {
        let mut outcome = Outcome {
            records: records.len(),
            ..Outcome::default()
        };
        let mut groups: BTreeMap<SubjectId, Group<P>> = BTreeMap::new();
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
                Err(error) => {
                    let reason = reason(&error);
                    match self.park(record, None, reason, &error.to_string()).await {
                        Ok(()) => outcome.parked += 1,
                        Err(error) => stops.push(Stop::again(place, error.to_string())),
                    }
                }
            }
        }
        let groups: Vec<Group<P>> = groups.into_values().collect();
        if !groups.is_empty() {
            let handled = self.handler.handle(&groups).await;
            for (group, handled) in groups.iter().zip(handled) {
                let Err(stop) = handled else { continue };
                let parked = match stop.then {
                    Then::Again => Err(stop),
                    Then::Park(_) => self.one_by_one(group, stop).await,
                };
                match parked {
                    Ok(parked) => outcome.parked += parked,
                    Err(stop) => stops.push(stop),
                }
            }
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

    /// Retries a parked record, as if the record had just arrived.
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
            if let Err(Stop { cause, then, .. }) = result {
                return Ok(match then {
                    Then::Again => Redriven::NotNow(cause),
                    Then::Park(_) => Redriven::StillParked(cause),
                });
            }
        }
        if self.parking.remove(parked).await? {
            return Ok(Redriven::Done);
        }
        Ok(Redriven::StillParked("it was parked again".into()))
    }

    /// Passes each record of a group to the handler alone, parks each record that fails again, and returns the number
    /// of parked records. A parked record does not block later records of its subject: a handler can read the missing
    /// event from the stream's item, and accepts the redriven record later.
    async fn one_by_one(&self, group: &Group<P>, stopped: Stop) -> Result<usize, Stop> {
        let (mut parked, subject) = (0, group.subject);
        for incoming in &group.events {
            let stop = if let [_] = group.events.as_slice() {
                Some(stopped.clone())
            } else {
                let events = vec![incoming.clone()];
                let handled = self.handler.handle(&[Group { subject, events }]).await;
                handled.into_iter().find_map(Result::err)
            };
            match stop {
                None => {}
                Some(Stop {
                    cause,
                    then: Then::Park(reason),
                    ..
                }) => {
                    let event = Some(&incoming.event);
                    let done = self.park(&incoming.record, event, reason, &cause).await;
                    done.map_err(|error| Stop::again(incoming.place, error.to_string()))?;
                    parked += 1;
                }
                Some(stop) => return Err(stop),
            }
        }
        Ok(parked)
    }

    async fn park(
        &self,
        record: &LogRecord,
        event: Option<&Event>,
        reason: Reason,
        detail: &str,
    ) -> Result<(), TableError> {
        tracing::warn!(
            consumer = self.name,
            subject = record.partition_key,
            correlation = event.map(|event| tracing::field::display(event.correlationid)),
            shard = record.shard,
            sequence = record.sequence.0,
            detail,
            "record parked"
        );
        self.parking
            .park(self.name, Trouble::with_record(record, reason, detail))
            .await
    }
}

fn reason(error: &DecodeError) -> Reason {
    match error {
        DecodeError::Undecodable(_) => Reason::Undecodable,
        DecodeError::UnknownType(_) => Reason::UnknownType,
    }
}
