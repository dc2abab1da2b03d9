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
        /// these writes, and most decisions have none.
        with: Vec<Write>,
    },
    /// The command has nothing left to do, since earlier events of the stream already have its effect. The reply
    /// returns these events, and nothing is stored.
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

/// The stream of a command, and the way in which the store treats the command. The route depends on the command alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The stream of the command.
    pub stream: StreamId,
    /// True if the command normally finds its stream empty: the store then tries to commit without reading it first.
    pub opens: bool,
    /// True if the command undoes another one. The command may then use the room in the stream's item that is reserved
    /// for undoing.
    pub undoes: bool,
}

/// A command, and everything that a decision about it may depend on.
///
/// ```
/// use alpes_event_store::{Case, Decision};
/// use serde_json::json;
/// use toy::{Fact, event, loan, loans::BookHandedOver};
///
/// let given = BookHandedOver { loan: loan(7) };
/// let history = [(event(given.clone(), 1), Fact::BookHandedOver(given))];
/// let command = toy::command(2, "HandOver", loan(7), json!({}));
/// let case = Case::first(&history, &command, "2026-01-31T10:00:00Z".parse()?);
///
/// // The book was handed over before, so the answer is the event of then.
/// let already = case.already(|fact| matches!(fact, Fact::BookHandedOver(_)));
/// assert!(matches!(already, Some(Decision::Already(events)) if events[0].streamversion == 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Case<'a, P> {
    /// Every event of the command's stream, in order.
    pub history: &'a [(Event, P)],
    /// The command.
    pub command: &'a Command,
    /// The time of the decision, which becomes the time of its events.
    pub now: Moment,
    /// The writes of the previous decision whose conditions did not hold, as positions (from 0) in `with` of
    /// [`Decision::Commit`]. Empty at the first attempt.
    pub refused: &'a [usize],
}

impl<'a, P> Case<'a, P> {
    /// The case at the first attempt to commit.
    #[must_use]
    pub fn first(history: &'a [(Event, P)], command: &'a Command, now: Moment) -> Self {
        Self {
            history,
            command,
            now,
            refused: &[],
        }
    }

    /// The latest event of the history whose payload satisfies `such`.
    pub fn latest(&self, such: impl Fn(&P) -> bool) -> Option<&'a Event> {
        let found = self.history.iter().rev().find(|(_, payload)| such(payload));
        found.map(|(event, _)| event)
    }

    /// [`Decision::Already`] with the latest event whose payload satisfies `such`; `None` if no payload satisfies
    /// `such`.
    pub fn already(&self, such: impl Fn(&P) -> bool) -> Option<Decision> {
        let found = self.latest(such);
        found.map(|event| Decision::Already(vec![event.clone()]))
    }
}

/// A refusal by the store, before the rules decide or after they accepted. Nothing is stored.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum StoreRefusal {
    /// An earlier command had the same id and another body.
    #[error("a command of the same id was handled before, with another body")]
    KeyReused,
    /// The stream's item has no room for the events of the command.
    #[error("its events would make the stream larger than {bytes} bytes")]
    StreamFull {
        /// The limit in bytes.
        bytes: usize,
    },
    /// A test requested this refusal.
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
    /// The route of the command: its stream, and the way in which the store treats the command.
    fn route(&self, command: &Command) -> Route;

    /// Converts a refusal by the store into a problem of the domain.
    fn refuse(&self, refusal: StoreRefusal) -> Problem;

    /// Decides about the command of the case.
    ///
    /// # Errors
    ///
    /// [`Unavailable`] when the decision is not possible now.
    async fn decide(&self, case: &Case<'_, P>) -> Result<Decision, Unavailable>;
}
