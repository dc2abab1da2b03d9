//! Committed events are published, wherever a process died.

use std::sync::Arc;

use alpes_event_store::Handled;
use alpes_messages::Event;
use alpes_ports::{Log, LogError, NewRecord, SequenceNumber};
use alpes_saga::SagaId;
use async_trait::async_trait;
use e2e::{Booked, Outcome, Stack, at_its_own_time, eventually, nobody, sample};
use events::IdReserva;
use serde_json::{Value, json};
use vuelos::{APROBAR_RESERVA, CREAR_RESERVA, Vuelos};

/// A log that fails on every append, as if the process died between commit and append.
struct OutOfReach;

#[async_trait]
impl Log for OutOfReach {
    async fn append(&self, _: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        Err(LogError::Unavailable("out of reach".into()))
    }
}

/// A reservation whose ReservaCreada is committed and not in the log.
fn committed_only(stack: &Stack) -> (IdReserva, Event) {
    let id = nobody();
    let command = stack.command(CREAR_RESERVA, id, at_its_own_time(sample()));
    let store = stack.store_with(|ports| ports.log = Arc::new(OutOfReach));
    let handled = stack.wait(store.handle(&Vuelos, &command)).unwrap();
    let Handled::Committed {
        events,
        appended: false,
    } = handled
    else {
        panic!("{handled:?}")
    };
    assert_eq!(stack.stream(id).published, 0);
    (id, events[0].clone())
}

/// An event's reservation, with its saga.
fn booked(event: &Event) -> Booked {
    Booked {
        id: event.subject,
        saga: SagaId(event.correlationid.0),
    }
}

#[test]
fn the_sweeper_publishes_what_a_crash_left() {
    let stack = Stack::from_env();
    let (id, event) = committed_only(&stack);
    let reserva = stack.api.get(&format!("/vuelos/reserva/{id}")).expect(200);
    assert_eq!(reserva["origen"], "comando", "the API shows it anyway");
    let eventos = stack
        .api
        .get(&format!("/vuelos/reserva/{id}/eventos"))
        .expect(200);
    let booked = booked(&event);
    let event: Value = serde_json::to_value(event).unwrap();
    assert_eq!(eventos, json!({ "eventos": [event] }));

    // An unkind runtime may lose the first answer, and the second one tells of nothing to publish.
    if let Some(done) = stack.sweep().filter(|_| !stack.is_unkind()) {
        assert!(
            done["published"].as_u64().is_some_and(|count| count > 0),
            "{done}"
        );
        assert_eq!(done["failed"], 0, "{done}");
    }
    let stream = eventually("it is published", || {
        Some(stack.stream(id)).filter(|stream| stream.published > 0)
    });
    assert!(
        stack
            .log_of(id)
            .contains(&stream.events[0].clone().into_bytes())
    );
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
}

#[test]
fn the_next_command_publishes_what_is_pending_before_it() {
    let stack = Stack::from_env();
    let (id, created) = committed_only(&stack);
    let command = stack.command(APROBAR_RESERVA, id, json!({}));
    let handled = stack.wait(stack.store().handle(&Vuelos, &command)).unwrap();
    assert!(
        matches!(handled, Handled::Committed { appended: true, .. }),
        "{handled:?}"
    );
    let stream = stack.stream(id);
    assert_eq!((stream.published, stream.version()), (2, 2));
    let of_vuelos = |record: &Vec<u8>| stream.events.iter().any(|text| text.as_bytes() == record);
    let mut log = stack.log_of(id);
    log.retain(of_vuelos);
    log.dedup();
    assert_eq!(
        log,
        [stream.events[0].as_bytes(), stream.events[1].as_bytes()]
    );
    // The reservation's saga reaches the step of approval, which is already committed.
    assert_eq!(stack.outcome(booked(&created)), Outcome::APPROVED);
}
