//! Participants of a saga: each handles commands and returns a reply. After an error, the sender sends the command
//! again.
//!
//! A [`Participant`] runs a context's rules on the event store. Where tests are allowed, it also obeys the [`Faults`]
//! that tests have set.
//!
//! In a choreography no coordinator sends commands. Each context consumes the events of the other contexts, and its
//! policies turn these events into commands of its own.
//!
//! ```text
//!  events ─► Reactor ─► Policy ─► Command, its id from event and policy ─► Participant
//!                │  ▲
//!                ▼  │ the timers, when a reaction is due
//!            Reactions      commands to send again, and deadlines
//! ```

#![deny(missing_docs)]

mod faults;
mod induced;
mod policy;
mod reactions;
mod reactor;
mod rules;

use std::{sync::Arc, time::Duration};

use alpes_event_store::{Decider, EventStore, HandleError};
use alpes_messages::{Command, Context, DomainEvent, Reply};
use alpes_ports::{TableError, World};
use thiserror::Error;

pub use faults::{FaultMode, Faults, TABLE};
pub use induced::{Failure, FailureEvent};
pub use policy::{Policy, When};
pub use reactions::{Class, DueReactions, ReactionKey, Reactions, TABLE as REACTIONS, Waiting};
pub use reactor::{Reacted, Reactor, reaction_id};
pub use rules::Rules;

use induced::Failing;

/// The time for which a participant keeps its caller waiting when a test asks for silence.
pub const SILENCE: Duration = Duration::from_secs(3);

/// A context that handles commands.
///
/// ```
/// use std::sync::Arc;
///
/// use alpes_event_store::EventStore;
/// use alpes_participant::Participant;
/// use futures::executor::block_on;
/// use serde_json::json;
/// use toy::{DEPOSITS, deposits::{FAILURE, Till}, loan};
/// use twins::{MemoryLog, MemoryTables, world};
///
/// let (world, _) = world(1);
/// let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
/// let participant = Participant {
///     context: DEPOSITS,
///     store: EventStore::new(Arc::new(MemoryTables::new()), log, world.clone(), toy::catalogue()),
///     decider: Arc::new(Till),
///     failure: FAILURE,
///     faults: None,
///     world,
/// };
/// let pay = toy::command(1, "PayDeposit", loan(7), json!({ "cents": 500 }));
/// let reply = serde_json::to_value(block_on(participant.handle(&pay))?)?;
/// assert!(reply.to_string().contains("DepositPaid"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Participant<P> {
    /// The context of the commands.
    pub context: Context,
    /// The store that commits the context's events.
    pub store: EventStore<P>,
    /// The rules that decide about the commands.
    pub decider: Arc<dyn Decider<P>>,
    /// The failure with which the participant answers a command when a test asks for a failure.
    pub failure: Failure<P>,
    /// The faults that tests have set; `None` where tests are not allowed, which saves reads of the faults.
    pub faults: Option<Faults>,
    /// The clock and the tasks, with which an induced silence waits.
    pub world: World,
}

/// A command got no reply. Sending the command again with the same id is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParticipantError {
    /// The store returned an error.
    #[error(transparent)]
    Store(#[from] HandleError),
    /// A test asked for an error. The command had no effect.
    #[error("a test asked for this error")]
    InducedError,
    /// A test asked for silence. The command had no effect.
    #[error("a test asked for silence")]
    InducedSilence,
}

impl ParticipantError {
    /// The stable name by which callers distinguish errors.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Store(HandleError::Contention(_)) => "Contention",
            Self::Store(HandleError::Unavailable(_)) => "Unavailable",
            Self::Store(HandleError::NotAppended) => "NotAppended",
            Self::Store(HandleError::Broken(_)) => "Broken",
            Self::InducedError => "InducedError",
            Self::InducedSilence => "InducedSilence",
        }
    }
}

impl From<TableError> for ParticipantError {
    fn from(error: TableError) -> Self {
        Self::Store(error.into())
    }
}

impl<P: DomainEvent> Participant<P> {
    /// Handles a command. The command takes effect once, however often it is sent.
    ///
    /// # Errors
    ///
    /// [`ParticipantError`] if there is no reply. After [`HandleError::NotAppended`] the command has taken effect,
    /// although it got no reply.
    pub async fn handle(&self, command: &Command) -> Result<Reply, ParticipantError> {
        let handled = match self.fault(command).await? {
            None => self.store.handle(&*self.decider, command).await,
            Some(FaultMode::Failure) => {
                let failing = Failing {
                    decider: &*self.decider,
                    failure: &self.failure,
                };
                self.store.handle(&failing, command).await
            }
            Some(FaultMode::Error) => return Err(ParticipantError::InducedError),
            Some(FaultMode::Silence) => {
                self.world.tasks.sleep(SILENCE).await;
                return Err(ParticipantError::InducedSilence);
            }
        };
        Ok(handled?.into_reply()?)
    }

    async fn fault(&self, command: &Command) -> Result<Option<FaultMode>, TableError> {
        let Some(faults) = &self.faults else {
            return Ok(None);
        };
        // Only the failure's event gives a command a last answer, so only this failure belongs to the command.
        let by = (command.kind == self.failure.command).then_some(command.id);
        faults
            .take(self.context, &command.kind, command.subject, by)
            .await
    }
}
