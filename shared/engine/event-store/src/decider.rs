//! What a context gives to the event store: the rules that turn history and a command into events.

use alpes_messages::{Command, DomainEvent, Event, Moment, NewEvent, Problem, StreamId};
use alpes_ports::Write;
use async_trait::async_trait;
use thiserror::Error;

/// What a context decides about a command.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// These events, in this order, at least one.
    Commit {
        /// The events.
        events: Vec<NewEvent>,
        /// Writes to tables of the context's own that happen with the commit, or not at all. At most 99, none for most.
        with: Vec<Write>,
    },
    /// It is so already: the reply is the events that made it so, all of this stream. Nothing is stored.
    Already(Vec<Event>),
    /// No, and nothing happens. Nothing is stored.
    Reject(Problem),
}

impl Decision {
    /// Commits events and nothing else.
    #[must_use]
    pub fn commit(events: Vec<NewEvent>) -> Self {
        Self::Commit {
            events,
            with: vec![],
        }
    }
}

/// What a decision may know besides history and command.
#[derive(Clone, Debug, PartialEq)]
pub struct Circumstances {
    /// The time of the decision: that of its events.
    pub now: Moment,
    /// Places, in the `with` of the decision before this one, of writes whose conditions did not hold. Empty the first time.
    pub refused: Vec<usize>,
}

/// Why the store refuses a command before its rules are asked, or after they agreed. Nothing happens.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StoreRefusal {
    /// A command of the same id was handled before, with another body.
    #[error("a command of the same id was handled before, with another body")]
    KeyReused,
    /// The stream's item has no room for its events.
    #[error("its events would make the stream larger than {bytes} bytes")]
    StreamFull {
        /// So many bytes of events it may have.
        bytes: usize,
    },
    /// A test asked for it.
    #[error("a test asked for this refusal")]
    Induced,
}

/// A decision could not be made now: something it asks did not answer. Sending the command again is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("cannot decide now: {0}")]
pub struct Unavailable(pub String);

/// The rules of one context.
///
/// A context whose rules need nothing but history decides purely, and its `decide` never waits.
#[async_trait]
pub trait Decider<P: DomainEvent>: Send + Sync {
    /// The stream that the command concerns.
    fn stream(&self, command: &Command) -> StreamId;

    /// True if the command normally finds its stream empty, so that reading it first would be wasted.
    fn opens(&self, command: &Command) -> bool;

    /// True for a command that undoes another: it may use the room in the stream's item that is kept for it.
    fn undoes(&self, command: &Command) -> bool;

    /// The words of a refusal that the store makes, whatever the rules say.
    fn refuse(&self, refusal: StoreRefusal) -> Problem;

    /// Decides. `history` is every event of the stream, in order.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when it cannot be known now.
    async fn decide(
        &self,
        history: &[(Event, P)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable>;
}

/// The latest event of the history that is such.
pub fn latest<P>(history: &[(Event, P)], such: impl Fn(&P) -> bool) -> Option<&Event> {
    let found = history.iter().rev().find(|(_, payload)| such(payload));
    found.map(|(event, _)| event)
}
