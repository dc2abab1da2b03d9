//! Runs the sagas: it reads the log, sends commands to the participants, and writes the saga log.

mod batch;

use std::time::Duration;

use alpes_consumer::{Consumer, Parking};
use alpes_event_store::StreamReader;
use alpes_lambda::kinesis;
use alpes_ports::{Platform, World};
use alpes_saga::{Coordinator, SagaId, Streams, Trouble};
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use events::{CONTEXTS, Payload};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use reserva_saga::ORCHESTRATOR;
use serde::{Deserialize, Serialize};
use wiring::Wiring;

/// The name under which records that cannot be decoded are parked.
pub const CONSUMER: &str = ORCHESTRATOR.0;

/// Longest time for which one invocation works on one saga. Most sagas take a fraction of this time. The limit keeps a
/// saga with a slow participant from delaying the batch.
const BUDGET: Duration = Duration::from_secs(2);
/// Time before the invocation's deadline at which the function stops sending commands. This time suffices to store the
/// sagas.
const RESERVE: Duration = Duration::from_secs(5);
/// Number of sagas that are processed concurrently.
const AT_ONCE: usize = 16;
/// Pause before the next attempt on a saga that cannot advance now. The alarm on late sagas evaluates periods of five
/// minutes, so each period contains an attempt.
const PAUSE: Duration = Duration::from_mins(3);

/// The result of waking a saga.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// The saga was processed.
    Moved,
    /// The saga is retried after a pause.
    PutOff,
    /// The saga stays due.
    Due,
}

/// The payload of an invocation.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// Sagas to wake: `{"wake": ["<id_correlacion>"]}`.
    Wake {
        /// The ids of the sagas.
        wake: Vec<SagaId>,
    },
    /// A batch of the log.
    Batch(KinesisEvent),
}

/// The answer of an invocation.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// The answer to a batch.
    Batch(KinesisEventResponse),
    /// The answer to a wake-up.
    Woken {
        /// Number of sagas that were processed.
        woken: usize,
        /// Number of sagas that cannot advance now, and are retried after a pause.
        put_off: usize,
        /// Number of sagas that stay due.
        failed: usize,
    },
}

/// The parts that the function needs, made once for each process.
pub struct App {
    /// Runs sagas.
    coordinator: Coordinator,
    /// Reads event streams and decodes their events.
    reader: StreamReader<Payload>,
    /// Stores records that cannot be processed.
    parking: Parking,
    /// The clock.
    world: World,
}

impl App {
    /// Makes the function's parts from the wiring of a platform.
    #[must_use]
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Self {
        Self {
            coordinator: wiring.coordinator(),
            reader: wiring.reader(),
            parking: wiring.parking(),
            world: wiring.platform.world(),
        }
    }

    /// Processes a batch, or wakes sagas. The runtime ends this invocation at `deadline`.
    pub async fn handle(&self, invocation: Invocation, deadline: Timestamp) -> Done {
        match invocation {
            Invocation::Batch(event) => {
                let consumer = Consumer {
                    name: CONSUMER,
                    catalogue: self.reader.catalogue(),
                    parking: &self.parking,
                    handler: &batch::Observer {
                        app: self,
                        deadline,
                    },
                };
                let outcome = consumer.consume(&kinesis::records(event)).await;
                Done::Batch(kinesis::respond(outcome))
            }
            Invocation::Wake { wake } => self.wake(&wake, deadline).await,
        }
    }

    async fn wake(&self, ids: &[SagaId], deadline: Timestamp) -> Done {
        let woken = stream::iter(ids.iter().copied()).map(|id| self.wake_one(id, deadline));
        let woken: Vec<_> = woken.buffer_unordered(AT_ONCE).collect().await;
        let count = |what| woken.iter().filter(|woken| **woken == what).count();
        let (moved, put_off, failed) =
            (count(Woken::Moved), count(Woken::PutOff), count(Woken::Due));
        tracing::info!(woken = moved, put_off, failed, "sagas woken");
        Done::Woken {
            woken: moved,
            put_off,
            failed,
        }
    }

    /// Wakes a saga. A saga that cannot advance now is put off, so that it does not delay others. A saga cannot advance
    /// if another build began it, if its state machine is missing or does not answer, or if its item cannot be read or
    /// written.
    async fn wake_one(&self, id: SagaId, deadline: Timestamp) -> Woken {
        let until = self.until(deadline);
        let why = match self.move_on(id, until).await {
            Ok(false) => return Woken::Moved,
            Ok(true) => None,
            Err(why) => Some(why),
        };
        // The time of the invocation is over, so it is unknown whether the saga could advance.
        if self.world.clock.now() >= deadline {
            return Woken::Due;
        }
        match self.coordinator.sagas().put_off(id, PAUSE).await {
            Ok(true) => {
                let why = why.as_deref().unwrap_or("its execution did not report");
                let pause_s = PAUSE.as_secs();
                tracing::warn!(saga = %id, why, pause_s, "the saga is put off, and the timers retry it after the pause");
                Woken::PutOff
            }
            // Another invocation has advanced the saga.
            Ok(false) => Woken::Moved,
            Err(error) => {
                tracing::error!(saga = %id, why, %error, "the saga could be neither advanced nor put off");
                Woken::Due
            }
        }
    }

    /// Advances a saga. The result is true if the saga may still be due, because it is not stored or the coordinator
    /// does not run it.
    async fn move_on(&self, id: SagaId, until: Timestamp) -> Result<bool, String> {
        let stored = self.coordinator.sagas().load(id).await;
        let Some(stored) = stored.map_err(|error| error.to_string())? else {
            return Ok(true);
        };
        let now = self.world.clock.now();
        let missed = self.streams().missed(&stored.saga, now).await;
        let missed = missed.map_err(|error| error.to_string())?;
        let moved = self.coordinator.observe(id, &missed, until).await;
        moved.map_err(|trouble| trouble.to_string())?;
        Ok(stored.saga.is_watched())
    }

    /// The event streams that hold the events of sagas.
    fn streams(&self) -> Streams<'_, Payload> {
        Streams {
            reader: &self.reader,
            contexts: &CONTEXTS,
        }
    }

    /// The time until which this invocation works on a saga that it begins now.
    fn until(&self, deadline: Timestamp) -> Timestamp {
        let signed = |duration| SignedDuration::try_from(duration).unwrap_or_default();
        let now = self.world.clock.now();
        let budget = now.checked_add(signed(BUDGET)).unwrap_or(Timestamp::MAX);
        let last = deadline.checked_sub(signed(RESERVE)).unwrap_or(deadline);
        budget.min(last)
    }
}

/// Logs that a saga could not be advanced. The result is an error unless another build began the saga, because that
/// build continues the saga.
fn passed_by(id: SagaId, trouble: Trouble) -> Result<(), Trouble> {
    tracing::warn!(saga = %id, %trouble, "the saga was not advanced");
    if trouble.is_another_builds() {
        Ok(())
    } else {
        Err(trouble)
    }
}
