//! Finding the events that a choreography missed, by reading the event streams.

use std::{sync::Arc, time::Duration};

use alpes_event_store::{Stream, StreamReader};
use alpes_messages::{
    Command, CommandId, Context, CorrelationId, Event, EventId, NewEvent, Origin, StreamId,
    SubjectId,
};
use alpes_ports::{Path, Tables, Update};
use alpes_saga::{Definitions, Fact, Saga, SagaMode, Streams, fact, start};
use futures::executor::block_on;
use jiff::Timestamp;
use serde_json::json;
use twins::MemoryTables;
use uuid::Uuid;

use crate::common::{ID, at, definition};

const FIRST: Context = Context {
    name: "first",
    category: "one",
    participant: "participant-first",
    source: "/test/first",
    schemas: "urn:test:schema:first",
};

const SECOND: Context = Context {
    name: "second",
    category: "two",
    participant: "participant-second",
    source: "/test/second",
    schemas: "urn:test:schema:second",
};

mod first {
    #[derive(
        Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
    )]
    pub struct Done1 {
        pub amount: u32,
    }
}

mod second {
    #[derive(
        Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
    )]
    pub struct Done2 {
        pub amount: u32,
    }
}

alpes_messages::catalogue! {
    pub enum Told;
    FIRST: first { Done1 [] }
    SECOND: second { Done2 [] }
}

const SUBJECT: SubjectId = SubjectId(Uuid::from_u128(9));

/// The first event of an event stream, with the correlation id `of`.
fn event(new: NewEvent, of: Uuid, mode: SagaMode, second: i64) -> Event {
    let command = Command {
        id: CommandId(Uuid::from_u128(1)),
        kind: "Do".into(),
        subject: SUBJECT,
        correlationid: CorrelationId(of),
        causationid: None,
        sagamode: mode,
        traceparent: None,
        actor: None,
        prueba: false,
        data: json!({}),
    };
    let origin = Origin {
        command: &command,
        stream: StreamId::new(new.context, SUBJECT),
        version: 1,
        id: EventId(Uuid::from_u128(u128::try_from(second).unwrap())),
        time: at(second).into(),
    };
    Event::placed(new, origin)
}

/// The event streams of a saga whose second step happened before its first.
struct Scene {
    reader: StreamReader<Told>,
    opening: Fact,
    other: Fact,
}

impl Scene {
    fn new(mode: SagaMode) -> Self {
        let tables = Arc::new(MemoryTables::default());
        let opening = event(first::Done1 { amount: 5 }.into(), ID.0, mode, 10);
        let other = event(second::Done2 { amount: 5 }.into(), ID.0, mode, 3);
        for event in [&opening, &other] {
            let write = Update::of(Stream::key(event.stream))
                .set(Path::of("version"), 1)
                .set(Path::of("published"), 1)
                .set(Path::of("receipts"), json!({}))
                .append(Path::of("events"), vec![event.encode().unwrap().into()]);
            block_on(tables.write(&write.into())).unwrap();
        }
        Self {
            reader: StreamReader::new(tables, catalogue()),
            opening: fact(&opening),
            other: fact(&other),
        }
    }

    fn streams(&self) -> Streams<'_, Told> {
        Streams {
            reader: &self.reader,
            contexts: &[FIRST, SECOND],
        }
    }

    /// All events, in the order in which they happened.
    fn all(&self) -> Vec<Fact> {
        vec![self.other.clone(), self.opening.clone()]
    }

    fn before(&self, heard: &[Fact], now: Timestamp) -> Vec<Fact> {
        let definitions = Definitions::new(vec![definition()]);
        let streams = self.streams();
        block_on(streams.before(&definitions, ID, heard, now)).unwrap()
    }

    fn begun(&self) -> Saga {
        start(&definition(), ID, &self.opening, at(11)).unwrap()
    }
}

#[test]
fn a_history_has_the_events_of_one_saga_from_every_context_in_the_order_of_their_times() {
    let scene = Scene::new(SagaMode::Choreography);
    let history = |id| block_on(scene.streams().history(id, SUBJECT)).unwrap();
    assert_eq!(history(ID), scene.all());
    let another = alpes_saga::SagaId(Uuid::from_u128(70));
    assert_eq!(history(another), vec![], "of the same subject");
}

#[test]
fn what_came_before_an_opening_that_is_heard_late_is_heard_with_it() {
    let scene = Scene::new(SagaMode::Choreography);
    let heard = [scene.opening.clone()];
    assert_eq!(
        scene.before(&heard, at(20)),
        vec![],
        "ten seconds is in time"
    );
    assert_eq!(scene.before(&heard, at(21)), scene.all());
    let later = [scene.other.clone()];
    assert_eq!(scene.before(&later, at(21)), vec![], "it opens nothing");
}

#[test]
fn a_choreography_that_is_due_is_told_what_it_missed() {
    let scene = Scene::new(SagaMode::Choreography);
    let saga = scene.begun();
    let missed = |now| block_on(scene.streams().missed(&saga, now)).unwrap();
    let look = saga.next_look.unwrap();
    assert_eq!(missed(look - Duration::from_millis(1)), vec![]);
    assert_eq!(missed(look), scene.all());
}

#[test]
fn what_somebody_directs_misses_nothing() {
    for mode in [SagaMode::Orchestration, SagaMode::StepFunctions] {
        let scene = Scene::new(mode);
        let heard = [scene.opening.clone()];
        assert_eq!(scene.before(&heard, at(1_000)), vec![]);
        let (streams, saga) = (scene.streams(), scene.begun());
        let missed = block_on(streams.missed(&saga, at(1_000))).unwrap();
        assert_eq!(missed, vec![]);
    }
}

#[test]
fn a_stream_that_cannot_be_read_is_not_taken_for_one_without_events() {
    let tables = Arc::new(MemoryTables::default());
    let broken =
        Update::of(Stream::key(StreamId::new(SECOND, SUBJECT))).set(Path::of("version"), 1);
    block_on(tables.write(&broken.into())).unwrap();
    let reader = StreamReader::<Told>::new(tables, catalogue());
    let streams = Streams {
        reader: &reader,
        contexts: &[FIRST, SECOND],
    };
    assert!(block_on(streams.history(ID, SUBJECT)).is_err());
}
