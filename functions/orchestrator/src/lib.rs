//! Drives the sagas: hears the log, sends commands to the participants, keeps the saga log.

mod batch;

use std::time::Duration;

use aws_lambda_events::{kinesis::KinesisEvent, streams::KinesisEventResponse};
use consumer::{Consumer, Parking};
use event_store::{StreamError, StreamReader};
use events::{Context, IdReserva, StreamId};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use lambda_kit::kinesis::{self, RetryBatch};
use ports::World;
use reserva_saga::{ORCHESTRATOR, fact, saga_id};
use saga_engine::{Conduct, Coordinator, Fact, LoadError, SagaId, Trouble};
use serde::{Deserialize, Serialize};

/// Records that cannot be decoded are parked under this name.
pub const CONSUMER: &str = ORCHESTRATOR.0;

/// How long one saga is run at a time. Most take a fraction of it; one that waits for somebody slow does not hold up the batch.
const BUDGET: Duration = Duration::from_secs(2);
/// How long before its own deadline the function stops sending: enough to store how things stand.
const RESERVE: Duration = Duration::from_secs(5);
/// How many sagas are run side by side.
const AT_ONCE: usize = 16;

/// What the function is invoked with.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Invocation {
    /// Sagas to be moved on: `{"despertar": ["<id_correlacion>"]}`.
    Wake {
        /// Which.
        despertar: Vec<SagaId>,
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
        despertadas: usize,
        /// How many could not, and stay due.
        fallidas: usize,
    },
}

/// What the function works with.
pub struct App {
    /// Runs sagas.
    pub coordinator: Coordinator,
    /// Reads streams, and knows what can be decoded.
    pub reader: StreamReader,
    /// Where bad records go.
    pub parking: Parking,
    /// Time.
    pub world: World,
    /// True where the runtime honours a partial batch response.
    pub partial_batch: bool,
}

impl App {
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
            Invocation::Wake { despertar } => Ok(self.wake(&despertar, deadline).await),
        }
    }

    async fn wake(&self, ids: &[SagaId], deadline: Timestamp) -> Done {
        let woken = stream::iter(ids.iter().copied()).map(|id| async move {
            let missed = self.missed(id).await.map_err(|error| {
                tracing::error!(saga = %id, error, "it is not known what it has missed");
            })?;
            let until = self.until(deadline);
            let woken = self.coordinator.observe(id, &missed, until).await;
            let woken = woken.or_else(|trouble| passed_by(id, trouble));
            woken.map_err(|trouble| tracing::error!(saga = %id, %trouble, "saga not woken"))
        });
        let results: Vec<_> = woken.buffer_unordered(AT_ONCE).collect().await;
        let fallidas = results.iter().filter(|result| result.is_err()).count();
        let despertadas = results.len() - fallidas;
        tracing::info!(despertadas, fallidas, "sagas woken");
        Done::Woken {
            despertadas,
            fallidas,
        }
    }

    /// What a choreography that is late may have missed: its events, from the streams themselves. What came before the event that
    /// opens it was passed over, as when that one was given up and redriven later.
    async fn missed(&self, id: SagaId) -> Result<Vec<Fact>, String> {
        let stored = self.coordinator.sagas().load(id).await;
        let saga = match stored {
            Ok(Some(stored)) => stored.saga,
            // Whoever moves it on says what it is.
            Ok(None) | Err(LoadError::UnknownDefinition(..)) => return Ok(vec![]),
            // It may be read a moment later, and is then not to be taken for one that has missed nothing.
            Err(error) => return Err(error.to_string()),
        };
        let is_late = saga.late.is_some_and(|late| late <= self.world.clock.now());
        if saga.conduct != Conduct::Coreografia || !is_late {
            return Ok(vec![]);
        }
        let missed = self.history(id, IdReserva(saga.subject)).await;
        missed.map_err(|error| error.to_string())
    }

    /// All events of a saga so far, from the streams themselves, in the order of their times.
    async fn history(&self, id: SagaId, subject: IdReserva) -> Result<Vec<Fact>, StreamError> {
        let streams = Context::ALL.map(|context| StreamId::new(context, subject));
        let streams = self.reader.read(&streams).await;
        let mut events = vec![];
        for stream in streams? {
            events.extend(stream.history(self.reader.catalogue())?);
        }
        events.sort_by_key(|(event, _)| event.time);
        let own = events.iter().map(|(event, _)| event);
        Ok(own.filter(|event| saga_id(event) == id).map(fact).collect())
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
