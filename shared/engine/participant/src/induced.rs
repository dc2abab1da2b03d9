//! A business failure that a test asked for.

use alpes_event_store::{Circumstances, Decider, Decision, Unavailable};
use async_trait::async_trait;
use events::{Command, Event, Moment, NewEvent, Payload, Problem, StreamId, kinds};

/// The motivo of every failure that a test asked for.
pub const MOTIVO: &str = "falla inducida";

/// The event of a failure with motivo [`MOTIVO`], given history, command and time; `None` if the history decides about the
/// command already, which then stands.
pub type FailureEvent = fn(&[(Event, Payload)], &Command, Moment) -> Option<NewEvent>;

/// How a context fails: the one of its commands that can, and the event of that.
#[derive(Clone, Copy)]
pub struct Failure {
    /// The command. Every other is refused when it is to fail.
    pub command: &'static str,
    /// What it fails with.
    pub event: FailureEvent,
}

/// Rules that fail wherever nothing is decided yet.
pub(crate) struct Failing<'a> {
    pub(crate) decider: &'a dyn Decider,
    pub(crate) failure: Failure,
}

#[async_trait]
impl Decider for Failing<'_> {
    fn stream(&self, command: &Command) -> StreamId {
        self.decider.stream(command)
    }

    fn opens(&self, command: &Command) -> bool {
        self.decider.opens(command)
    }

    fn undoes(&self, command: &Command) -> bool {
        self.decider.undoes(command)
    }

    async fn decide(
        &self,
        history: &[(Event, Payload)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        if command.kind != self.failure.command {
            return Ok(Decision::Reject(Problem::of(kinds::STATE).because(MOTIVO)));
        }
        match (self.failure.event)(history, command, circumstances.now) {
            Some(failed) => Ok(Decision::commit(vec![failed])),
            None => self.decider.decide(history, command, circumstances).await,
        }
    }
}
