//! Drives the sagas: hears the log, sends commands to the participants, keeps the saga log.

mod batch;

use std::time::Duration;

use alpes_consumer::{Consumer, Parking};
use alpes_event_store::StreamReader;
use alpes_lambda::kinesis::{self, RetryBatch};
use alpes_ports::{Platform, World};
use alpes_saga::{Coordinator, SagaId, Streams, Trouble};
use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use events::{CONTEXTS, Payload};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use reserva_saga::ORCHESTRATOR;
use serde::{Deserialize, Serialize};
use wiring::Wiring;

/// Records that cannot be decoded are parked under this name.
pub const CONSUMER: &str = ORCHESTRATOR.0;

/// How long one saga is run at a time. Most take a fraction of it; one that waits for somebody slow does not hold up the batch.
const BUDGET: Duration = Duration::from_secs(2);
/// How long before its own deadline the function stops sending: enough to store how things stand.
const RESERVE: Duration = Duration::from_secs(5);
/// How many sagas are run side by side.
const AT_ONCE: usize = 16;
/// After how long a saga is looked at again that cannot be moved on here and now. The alarm on late sagas looks at five minutes: each of
/// them is seen in that time.
const PAUSE: Duration = Duration::from_mins(3);

/// What became of a saga that was to be moved on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// It was looked at.
    Moved,
    /// It is looked at again later.
    PutOff,
    /// It stays due.
    Due,
}

/// What the function is invoked with.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// Sagas to be moved on: `{"wake": ["<id_correlacion>"]}`.
    Wake {
        /// Which.
        wake: Vec<SagaId>,
    },
    /// A batch of the log.
    Batch(KinesisEvent),
}

/// What it answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Done {
    /// Of a batch.
    Batch(KinesisEventResponse),
    /// Of sagas that were to be moved on.
    Woken {
        /// How many could be looked at.
        woken: usize,
        /// How many cannot be moved on here and now, and are looked at again later.
        put_off: usize,
        /// How many stay due.
        failed: usize,
    },
}

/// What the function works with.
pub struct App {
    /// Runs sagas.
    coordinator: Coordinator,
    /// Reads streams, and knows what can be decoded.
    reader: StreamReader<Payload>,
    /// Where bad records go.
    parking: Parking,
    /// Time.
    world: World,
    /// True where the runtime honours a partial batch response.
    partial_batch: bool,
}

impl App {
    /// The function over a platform.
    ///
    /// # Errors
    ///
    /// The platform lacks what the function needs.
    pub fn new<P: Platform>(wiring: &Wiring<P>) -> Result<Self, P::Error> {
        Ok(Self {
            coordinator: wiring.coordinator(),
            reader: wiring.reader(),
            parking: wiring.parking(),
            world: wiring.platform.world(),
            partial_batch: wiring.platform.partial_batch()?,
        })
    }

    /// Takes in a batch, or moves sagas on. `deadline` is when the runtime ends this invocation.
    ///
    /// # Errors
    ///
    /// [`RetryBatch`] if something must be delivered again and the runtime has no other way to be told.
    pub async fn handle(
        &self,
        invocation: Invocation,
        deadline: Timestamp,
    ) -> Result<Done, RetryBatch> {
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
                kinesis::respond(outcome, self.partial_batch).map(Done::Batch)
            }
            Invocation::Wake { wake } => Ok(self.wake(&wake, deadline).await),
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

    /// Moves a saga on. One that cannot be moved on now (another build's, one of a state machine that is not here or does not answer, one
    /// that cannot be read or written) makes room for the others.
    async fn wake_one(&self, id: SagaId, deadline: Timestamp) -> Woken {
        let until = self.until(deadline);
        let why = match self.move_on(id, until).await {
            Ok(false) => return Woken::Moved,
            Ok(true) => None,
            Err(why) => Some(why),
        };
        // Without time nothing is known of it.
        if self.world.clock.now() >= deadline {
            return Woken::Due;
        }
        match self.coordinator.sagas().put_off(id, PAUSE).await {
            Ok(true) => {
                let why = why.as_deref().unwrap_or("no word of its execution");
                let pause_s = PAUSE.as_secs();
                tracing::warn!(saga = %id, why, pause_s, "saga put off: the timers go on at their first run after that");
                Woken::PutOff
            }
            // Somebody else has moved it on.
            Ok(false) => Woken::Moved,
            Err(error) => {
                tracing::error!(saga = %id, why, %error, "saga neither moved on nor put off");
                Woken::Due
            }
        }
    }

    /// Moves a saga on; true if it may be due all the same, since others are to move it on.
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

    /// Where the events of sagas are.
    fn streams(&self) -> Streams<'_, Payload> {
        Streams {
            reader: &self.reader,
            contexts: &CONTEXTS,
        }
    }

    /// Until when a saga is run that is begun with now.
    fn until(&self, deadline: Timestamp) -> Timestamp {
        let signed = |duration| SignedDuration::try_from(duration).unwrap_or_default();
        let now = self.world.clock.now();
        let budget = now.checked_add(signed(BUDGET)).unwrap_or(Timestamp::MAX);
        let last = deadline.checked_sub(signed(RESERVE)).unwrap_or(deadline);
        budget.min(last)
    }
}

/// Another build's saga is none of our trouble: that build goes on with it.
fn passed_by(id: SagaId, trouble: Trouble) -> Result<(), Trouble> {
    tracing::warn!(saga = %id, %trouble, "saga not moved on");
    if trouble.is_another_builds() {
        Ok(())
    } else {
        Err(trouble)
    }
}
