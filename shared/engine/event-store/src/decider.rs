//! The rules of a context: they turn history and a command into events.

use alpes_messages::{Command, DomainEvent, Event, Moment, NewEvent, Problem, StreamId};
use alpes_ports::Write;
use async_trait::async_trait;
use thiserror::Error;

/// The decision of a context about a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The store commits these events, at least one, in this order.
    Commit {
        /// The events.
        events: Vec<NewEvent>,
        /// Writes to the context's own tables, made in the transaction of the commit. A decision has at most 99 of
        /// these writes, and most have none.
        with: Vec<Write>,
    },
    /// The command has nothing left to do. The reply is the events of this stream that did it earlier, and nothing is
    /// stored.
    Already(Vec<Event>),
    /// The command is refused, and nothing is stored.
    Reject(Problem),
}

impl Decision {
    /// A decision to commit events, without writes to the context's own tables.
    #[must_use]
    pub fn commit(events: Vec<NewEvent>) -> Self {
        Self::Commit {
            events,
            with: vec![],
        }
    }
}

/// The inputs of a decision besides history and command.
#[derive(Clone, Debug, PartialEq)]
pub struct Circumstances {
    /// The time of the decision, which becomes the time of its events.
    pub now: Moment,
    /// Positions (from 0) in the previous decision's `with` of the writes whose conditions did not hold. Empty at the
    /// first attempt.
    pub refused: Vec<usize>,
}

/// A refusal by the store, before the rules decide or after they accepted. Nothing is stored.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StoreRefusal {
    /// An earlier command had the same id and another body.
    #[error("a command of the same id was handled before, with another body")]
    KeyReused,
    /// The stream's item has no room for its events.
    #[error("its events would make the stream larger than {bytes} bytes")]
    StreamFull {
        /// The limit in bytes.
        bytes: usize,
    },
    /// A test asked for the refusal.
    #[error("a test asked for this refusal")]
    Induced,
}

/// The decision is not possible now, since a source that it needs did not answer. Sending the command again is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("cannot decide now: {0}")]
pub struct Unavailable(pub String);

/// The rules of one context.
///
/// Rules that need only history decide without I/O, and their `decide` never waits.
#[async_trait]
pub trait Decider<P: DomainEvent>: Send + Sync {
    /// The stream of the command.
    fn stream(&self, command: &Command) -> StreamId;

    /// True if the command normally finds its stream empty: the store then tries to commit without reading it first.
    fn opens(&self, command: &Command) -> bool;

    /// True for a command that undoes another: it may use the room in the stream's item that is reserved for undoing.
    fn undoes(&self, command: &Command) -> bool;

    /// The domain's problem for a refusal by the store.
    fn refuse(&self, refusal: StoreRefusal) -> Problem;

    /// Decides about the command. `history` is every event of the stream, in order.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the decision is not possible now.
    async fn decide(
        &self,
        history: &[(Event, P)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable>;
}

/// The latest event of the history whose payload satisfies `such`.
pub fn latest<P>(history: &[(Event, P)], such: impl Fn(&P) -> bool) -> Option<&Event> {
    let found = history.iter().rev().find(|(_, payload)| such(payload));
    found.map(|(event, _)| event)
}
