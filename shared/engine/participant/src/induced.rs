//! A business failure, induced by a test.

use alpes_event_store::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, DomainEvent, NewEvent, Problem};
use async_trait::async_trait;

/// The event of an induced failure. `None` if the history already decides about the command: the context's rules then
/// answer as usual.
pub type FailureEvent<P> = fn(&Case<'_, P>) -> Option<NewEvent>;

/// The failure that tests can induce in a context: a command and its failure event.
pub struct Failure<P> {
    /// The command that can fail with an event. Every other command is refused when a test asks it to fail.
    pub command: &'static str,
    /// The event of the failure.
    pub event: FailureEvent<P>,
}

/// Rules that answer with the induced failure, unless the history already decides about the command.
pub(crate) struct Failing<'a, P> {
    pub(crate) decider: &'a dyn Decider<P>,
    pub(crate) failure: &'a Failure<P>,
}

#[async_trait]
impl<P: DomainEvent> Decider<P> for Failing<'_, P> {
    fn route(&self, command: &Command) -> Route {
        self.decider.route(command)
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        self.decider.refuse(refusal)
    }

    async fn decide(&self, case: &Case<'_, P>) -> Result<Decision, Unavailable> {
        if case.command.kind != self.failure.command {
            return Ok(Decision::Reject(self.refuse(StoreRefusal::Induced)));
        }
        match (self.failure.event)(case) {
            Some(failed) => Ok(Decision::commit(vec![failed])),
            None => self.decider.decide(case).await,
        }
    }
}
