//! Tests of a context's rules: given these events, when this command comes, then this is the decision.

use alpes_event_store::{Decider, Decision, Route};
use alpes_messages::{
    Catalogue, Command, CommandId, CorrelationId, DomainEvent, Event, EventId, Moment, NewEvent,
    Origin, Problem, StreamId, SubjectId,
};
use serde_json::Value;
use uuid::Uuid;

/// The correlation of [`command`].
pub const CORRELATION: CorrelationId = CorrelationId(Uuid::from_u128(2));

/// A command of an orchestrated saga.
pub fn command(id: u128, subject: SubjectId, kind: &str, data: Value) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(id)),
        correlationid: CORRELATION,
        ..Command::opening(kind, subject, data)
    }
}

/// A stream with these events, all from the time `time`, in the form that a decider gets.
pub fn history<P: DomainEvent>(
    catalogue: &Catalogue<P>,
    stream: StreamId,
    time: Moment,
    events: impl IntoIterator<Item = NewEvent>,
) -> Vec<(Event, P)> {
    let command = command(9, stream.id, "Any", Value::Null);
    let placed = (1..).zip(events).map(|(version, new)| {
        let origin = Origin {
            command: &command,
            stream,
            version,
            id: EventId(Uuid::from_u128(version.into())),
            time,
        };
        let text = Event::placed(new, origin).encode().unwrap();
        Event::decode(text.as_bytes(), catalogue).unwrap()
    });
    placed.collect()
}

/// A decision about a command, and the events before the command.
pub struct Decided<P> {
    /// The events before the command.
    pub history: Vec<(Event, P)>,
    /// The decision.
    pub decision: Decision,
}

impl<P> Decided<P> {
    /// Asserts that the decision commits these events, without other writes.
    pub fn then(self, events: impl IntoIterator<Item = NewEvent>) {
        let events = events.into_iter().collect();
        assert_eq!(self.decision, Decision::commit(events));
    }

    /// Asserts that the command is done already, by the event of this version.
    pub fn then_already(self, version: usize) {
        let event = self.history[version - 1].0.clone();
        assert_eq!(self.decision, Decision::Already(vec![event]));
    }

    /// Asserts that the command is refused, with a problem that `is` recognizes.
    pub fn then_refused(self, is: impl Fn(&Problem) -> bool) -> Problem {
        match self.decision {
            Decision::Reject(problem) if is(&problem) => problem,
            other => panic!("not the expected refusal: {other:?}"),
        }
    }
}

/// Asserts that the decider routes each command to this stream. A command's first flag says whether the command opens
/// the stream, and its second flag whether it undoes another command.
pub fn routed<P: DomainEvent>(
    decider: &impl Decider<P>,
    stream: StreamId,
    commands: impl IntoIterator<Item = (Command, bool, bool)>,
) {
    for (command, opens, undoes) in commands {
        let route = Route {
            stream,
            opens,
            undoes,
        };
        assert_eq!(decider.route(&command), route, "{}", command.kind);
    }
}
