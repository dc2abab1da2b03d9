//! A business failure that a test asked for.

use alpes_event_store::{Circumstances, Decider, Decision, StoreRefusal, Unavailable};
use alpes_messages::{Command, DomainEvent, Event, Moment, NewEvent, Problem, StreamId};
use async_trait::async_trait;

/// The event of a failure that a test asked for, given history, command and time; `None` if the history decides about the
/// command already, which then stands.
pub type FailureEvent<P> = fn(&[(Event, P)], &Command, Moment) -> Option<NewEvent>;

/// How a context fails: the one of its commands that can, and the event of that.
pub struct Failure<P> {
    /// The command. Every other is refused when it is to fail.
    pub command: &'static str,
    /// What it fails with.
    pub event: FailureEvent<P>,
}

/// Rules that fail wherever nothing is decided yet.
pub(crate) struct Failing<'a, P> {
    pub(crate) decider: &'a dyn Decider<P>,
    pub(crate) failure: &'a Failure<P>,
}

#[async_trait]
impl<P: DomainEvent> Decider<P> for Failing<'_, P> {
    fn stream(&self, command: &Command) -> StreamId {
        self.decider.stream(command)
    }

    fn opens(&self, command: &Command) -> bool {
        self.decider.opens(command)
    }

    fn undoes(&self, command: &Command) -> bool {
        self.decider.undoes(command)
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        self.decider.refuse(refusal)
    }

    async fn decide(
        &self,
        history: &[(Event, P)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        if command.kind != self.failure.command {
            return Ok(Decision::Reject(self.refuse(StoreRefusal::Induced)));
        }
        match (self.failure.event)(history, command, circumstances.now) {
            Some(failed) => Ok(Decision::commit(vec![failed])),
            None => self.decider.decide(history, command, circumstances).await,
        }
    }
}
