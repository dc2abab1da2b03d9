//! A business failure, induced by a test.

use alpes_event_store::{Circumstances, Decider, Decision, StoreRefusal, Unavailable};
use alpes_messages::{Command, DomainEvent, Event, Moment, NewEvent, Problem, StreamId};
use async_trait::async_trait;

/// The event of an induced failure, given history, command and time. `None` if the history already decides about the
/// command: the rules then answer as usual.
pub type FailureEvent<P> = fn(&[(Event, P)], &Command, Moment) -> Option<NewEvent>;

/// The failure that tests can induce in a context: a command and its failure event.
pub struct Failure<P> {
    /// The command that can fail with an event. Every other command is refused when a test asks it to fail.
    pub command: &'static str,
    /// The event of the failure.
    pub event: FailureEvent<P>,
}

/// Rules that fail unless the history already decides about the command.
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
