//! The three contexts, with the interface that the coordinator calls and the interface that the state machine calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use alpes_event_store::{Decider, EventStore};
use alpes_messages::{Command, Context, Reply};
use alpes_participant::{Participant, ParticipantError};
use alpes_ports::{CallError, FunctionName, Functions, Log, Tables, World};
use alpes_saga::{Answer, Dispatch, NoAnswer, Participants, SagaId};
use async_trait::async_trait;
use events::{CONTEXTS, GDS, PAGOS, Payload, VUELOS};
use futures::{channel::oneshot, future::BoxFuture};
use gds::Gds;
use pagos::{Pagos, simulador::Simulador};
use reserva_saga::{answer, command, function_of};
use simulation::Faults;
use twins::{MemoryLog, MemoryTables};
use uuid::Uuid;
use vuelos::Vuelos;

/// For each saga, the types and ids of the commands that the contexts received.
pub type Received = BTreeMap<SagaId, BTreeSet<(String, Uuid)>>;

/// The tables and the log of the contexts.
#[derive(Clone)]
pub struct Site {
    pub tables: Arc<MemoryTables>,
    pub log: Arc<MemoryLog>,
    pub world: World,
    pub faults: Faults,
    pub received: Arc<Mutex<Received>>,
}

impl Site {
    pub fn tables(&self) -> Arc<dyn Tables> {
        Arc::new(self.faults.tables(self.tables.clone()))
    }

    pub fn store(&self) -> EventStore<Payload> {
        let log: Arc<dyn Log> = Arc::new(self.faults.log(self.log.clone()));
        EventStore::new(self.tables(), log, self.world.clone(), events::catalogue())
    }

    pub fn participants(&self) -> Contexts {
        let participant =
            |context: Context, decider: Arc<dyn Decider<Payload>>, failure| Participant {
                context,
                store: self.store(),
                decider,
                failure,
                // The reads of the faults that a test has set never fail, because these reads are no effects of the
                // system.
                faults: Some(alpes_participant::Faults::new(self.tables.clone())),
                world: self.world.clone(),
            };
        let gateway = Arc::new(Simulador::new(self.tables(), self.world.clone()));
        Contexts {
            vuelos: participant(VUELOS, Arc::new(Vuelos), vuelos::FAILURE),
            pagos: participant(PAGOS, Arc::new(Pagos { gateway }), pagos::FAILURE),
            gds: participant(GDS, Arc::new(Gds), gds::FAILURE),
            received: self.received.clone(),
        }
    }
}

pub struct Contexts {
    vuelos: Participant<Payload>,
    pagos: Participant<Payload>,
    gds: Participant<Payload>,
    received: Arc<Mutex<Received>>,
}

impl Contexts {
    /// The participant of a context.
    pub fn of(self, context: Context) -> Participant<Payload> {
        let all = [self.vuelos, self.pagos, self.gds].into_iter();
        let mut found = all.filter(|participant| participant.context == context);
        found.next().unwrap()
    }

    fn receive(&self, command: &Command) {
        let saga = SagaId(command.correlationid.0);
        let what = (command.kind.clone(), command.id.0);
        let mut received = self.received.lock().unwrap();
        received.entry(saga).or_default().insert(what);
    }

    async fn handle(&self, context: Context, command: &Command) -> Result<Reply, ParticipantError> {
        self.receive(command);
        let mut all = [&self.vuelos, &self.pagos, &self.gds].into_iter();
        let participant = all.find(|participant| participant.context == context);
        participant.unwrap().handle(command).await
    }
}

/// The interface that the coordinator calls.
#[async_trait]
impl Participants for Contexts {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let mut contexts = CONTEXTS.into_iter();
        let context = contexts
            .find(|context| context.name == dispatch.participant)
            .unwrap();
        let handled = self.handle(context, &command(dispatch)).await;
        handled
            .map(|reply| answer(&reply))
            .map_err(|error| NoAnswer(error.to_string()))
    }
}

/// The interface that the state machine calls.
#[async_trait]
impl Functions for Contexts {
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        let mut contexts = CONTEXTS.into_iter();
        let context = contexts
            .find(|context| function_of(*context) == function)
            .unwrap();
        let command = serde_json::from_slice(payload).unwrap();
        let handled = self.handle(context, &command).await;
        let reply = handled.map_err(|error| CallError::Failed {
            error_type: error.error_type().to_owned(),
            message: error.to_string(),
        })?;
        Ok(serde_json::to_vec(&reply).unwrap())
    }

    async fn start(&self, function: FunctionName, _: &[u8]) -> Result<(), CallError> {
        unreachable!("nobody waits for {function:?}")
    }
}

/// Functions whose invocations are separate processes. If an invocation is killed, its caller continues.
pub struct Lambda {
    functions: Arc<dyn Functions>,
    called: Mutex<Vec<BoxFuture<'static, ()>>>,
    lost: Mutex<BTreeMap<Uuid, u32>>,
}

impl Lambda {
    pub fn new(functions: Arc<dyn Functions>) -> Self {
        Self {
            functions,
            called: Mutex::default(),
            lost: Mutex::default(),
        }
    }

    /// Makes the next answers to a command get lost, this many times.
    pub fn lose(&self, command: Uuid, times: u32) {
        self.lost.lock().unwrap().insert(command, times);
    }

    fn loses(&self, payload: &[u8]) -> bool {
        let command: Command = serde_json::from_slice(payload).unwrap();
        let mut lost = self.lost.lock().unwrap();
        let left = lost.get_mut(&command.id.0).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    /// Takes the invocations that have not begun.
    pub fn take_called(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut self.called.lock().unwrap())
    }
}

#[async_trait]
impl Functions for Lambda {
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        let (answer, answered) = oneshot::channel();
        let (functions, sent) = (self.functions.clone(), payload.to_vec());
        let invocation = Box::pin(async move {
            // The caller may have stopped waiting.
            let _ = answer.send(functions.call(function, &sent).await);
        });
        self.called.lock().unwrap().push(invocation);
        let died = || CallError::Failed {
            error_type: "Runtime.ExitError".into(),
            message: "the process died".into(),
        };
        let answer = answered.await.unwrap_or_else(|_| Err(died()));
        if self.loses(payload) {
            return Err(died());
        }
        answer
    }

    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError> {
        self.functions.start(function, payload).await
    }
}
