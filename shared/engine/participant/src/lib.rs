//! What the participants of a saga have in common: a command comes in, a reply goes out, or an error that says "send it again".
//!
//! [`Participant`] puts a context's rules on the event store. Where tests are allowed it also has [`Faults`], and misbehaves as
//! they say.
//!
//! Without a coordinator, a context hears of the others and does what its policies say:
//!
//! ```text
//!  events ─► Reactor ─► Policy ─► Command, its id from event and policy ─► Participant
//!                │  ▲
//!                ▼  │ when it is due: the timers
//!            Reactions      what did not work at once, and deadlines
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

/// How long a participant that was made silent lets its caller wait.
pub const SILENCE: Duration = Duration::from_secs(3);

/// A context that takes commands.
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
    /// Which context it is.
    pub context: Context,
    /// Commits its events.
    pub store: EventStore<P>,
    /// Its rules.
    pub decider: Arc<dyn Decider<P>>,
    /// How it fails when a test wants it to.
    pub failure: Failure<P>,
    /// What tests want of it; `None` where tests are not allowed, which saves the look-up.
    pub faults: Option<Faults>,
    /// Waiting.
    pub world: World,
}

/// There is no reply to a command. Sending it again under the same id is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParticipantError {
    /// The store did not come to an end with it.
    #[error(transparent)]
    Store(#[from] HandleError),
    /// A test wanted an error. Nothing was done.
    #[error("a test asked for this error")]
    InducedError,
    /// A test wanted silence. Nothing was done.
    #[error("a test asked for silence")]
    InducedSilence,
}

impl ParticipantError {
    /// What callers tell errors apart by; never changes.
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
    /// Handles a command: its effect happens once, however often it is sent.
    ///
    /// # Errors
    ///
    /// [`ParticipantError`] if there is no reply. After [`HandleError::NotAppended`] it took effect all the same.
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
        faults
            .take(self.context, &command.kind, command.subject)
            .await
    }
}
