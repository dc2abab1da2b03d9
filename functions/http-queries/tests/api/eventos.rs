//! Tests of the events of a reservation.

use std::collections::BTreeSet;

use alpes_messages::StreamId;
use alpes_ports::{Path, Tables, Update};
use alpes_saga::Status;
use events::{IdReserva, VUELOS};
use futures::executor::block_on;
use serde_json::{Value, json};

use crate::support::{Fixture, fixture};

fn path(id: IdReserva) -> String {
    format!("/vuelos/reserva/{id}/eventos")
}

/// The events that the API lists for a reservation: first their types, then the events themselves.
fn events(fixture: &Fixture, id: IdReserva) -> (Vec<String>, Vec<Value>) {
    let body = fixture.get(&path(id)).ok();
    let events = body["eventos"].as_array().unwrap().clone();
    let types = events.iter().map(|event| event["type"].as_str().unwrap());
    (types.map(str::to_owned).collect(), events)
}

#[test]
fn are_those_of_all_streams_by_time_as_they_were_committed() {
    let fixture = fixture();
    let other = fixture.create(None);
    let id = fixture.create(None);
    fixture.later();
    fixture.pay(id);
    fixture.later();
    fixture.confirm(id);
    fixture.later();
    fixture.approve(id);
    fixture.later();
    fixture.cancel(id);
    let (types, told) = events(&fixture, id);
    assert_eq!(
        types,
        [
            "ReservaCreada",
            "ReservaPagada",
            "ReservaGDSConfirmada",
            "ReservaAprobada",
            "ReservaCancelada"
        ]
    );
    let mut logged: Vec<Value> = fixture
        .log
        .records()
        .iter()
        .filter(|record| record.partition_key == id.to_string())
        .map(|record| serde_json::from_slice(&record.data).unwrap())
        .collect();
    logged.sort_by_key(|event| event["time"].to_string());
    assert_eq!(told, logged);
    assert_eq!(events(&fixture, other).0, ["ReservaCreada"]);
}

#[test]
fn of_one_time_are_in_the_order_of_their_versions() {
    let fixture = fixture();
    let id = fixture.create(None);
    fixture.approve(id);
    fixture.cancel(id);
    fixture.pay(id);
    let (types, told) = events(&fixture, id);
    assert_eq!(
        types,
        [
            "ReservaCreada",
            "ReservaPagada",
            "ReservaAprobada",
            "ReservaCancelada"
        ]
    );
    let versions: Vec<_> = told.iter().map(|event| &event["streamversion"]).collect();
    assert_eq!(versions, [1, 1, 2, 3]);
}

#[test]
fn tell_what_was_undone_in_every_context() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Compensated);
    let (types, told) = events(&fixture, id);
    // Events with the same time are sorted by version. Events with the same time and version are in the order of the
    // contexts.
    assert_eq!(
        types,
        [
            "ReservaCreada",
            "ReservaPagada",
            "ReservaGDSConfirmada",
            "ReservaAprobada",
            "PagoRevertido",
            "ConfirmacionGDSRevertida",
            "ReservaCancelada"
        ]
    );
    let streams: BTreeSet<_> = told.iter().map(|event| event["stream"].as_str()).collect();
    assert_eq!(streams.len(), 3);
    let sagas: BTreeSet<_> = told
        .iter()
        .map(|event| event["correlationid"].as_str())
        .collect();
    assert_eq!(sagas.len(), 1);
}

/// A cancellation that came before its reservation was made is an event, which this query lists, although the
/// reservation does not exist.
#[test]
fn of_a_tombstone_are_there_and_of_nothing_are_not() {
    let fixture = fixture();
    let tombstone = fixture.fresh();
    fixture.cancel(tombstone);
    assert_eq!(events(&fixture, tombstone).0, ["ReservaCancelada"]);
    let unknown = fixture.fresh();
    let answer = fixture.get(&path(unknown));
    answer.assert_problem(404, "no-existe", "unknown");
}

/// An event of the tutorials' own code is stored in the envelope of that code, and the answer has the same envelope.
#[test]
fn of_the_tutorials_code_are_told_as_they_were_committed() {
    const OLD: &str =
        include_str!("../../../../shared/airline/events/samples/vuelos/ReservaCreada.v1.json");
    let old: Value = serde_json::from_str(OLD).unwrap();
    let fixture = fixture();
    let id: IdReserva = old["data"]["id_reserva"].as_str().unwrap().parse().unwrap();
    let leave = Update::of(alpes_event_store::Stream::key(StreamId::new(VUELOS, id)))
        .set(Path::of("version"), 1)
        .set(Path::of("published"), 1)
        .set(Path::of("receipts"), json!({}))
        .append(Path::of("events"), vec![OLD.into()]);
    block_on(fixture.tables.write(&leave.into())).unwrap();
    fixture.pay(id);
    fixture.cancel(id);
    assert_eq!(fixture.get(&format!("/vuelos/reserva/{id}")).status, 200);
    let (types, told) = events(&fixture, id);
    assert_eq!(
        types,
        ["ReservaCreada", "ReservaPagada", "ReservaCancelada"]
    );
    assert_eq!(told[0], old);
}
