//! Tests of the query for one saga.

use std::time::Duration;

use alpes_messages::{CorrelationId, Moment};
use alpes_saga::{Entry, Status};
use api::saga::Linea;
use events::{GDS, IdReserva, VUELOS};
use http_testing::Answer;
use serde_json::{Value, json};

use crate::support::{Fixture, fixture};

fn get(fixture: &Fixture, id: IdReserva) -> Answer {
    fixture.get(&format!("/sagas/{}", fixture.saga_of(id)))
}

/// The types of the lines of a saga's log.
fn log(saga: &Value) -> Vec<&str> {
    let log = saga["log"].as_array().unwrap();
    log.iter()
        .map(|entry| entry["tipo"].as_str().unwrap())
        .collect()
}

fn fields(saga: &Value) -> Vec<&str> {
    saga.as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

/// The fields that every saga has.
const ALWAYS: [&str; 10] = [
    "actualizacion",
    "definicion",
    "estado",
    "id_correlacion",
    "id_reserva",
    "inicio",
    "log",
    "modo",
    "origen",
    "version",
];

#[test]
fn one_that_is_complete_waits_for_nothing() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Completed);
    let saga = get(&fixture, id).ok();
    assert_eq!(fields(&saga), ALWAYS);
    assert_eq!(saga["id_correlacion"], fixture.saga_of(id).to_string());
    assert_eq!(saga["id_reserva"], id.to_string());
    assert_eq!(saga["definicion"], "reserva");
    assert_eq!(saga["version"], 2);
    assert_eq!(saga["estado"], "Completada");
    assert_eq!(saga["inicio"], "2026-01-31T10:00:00.000Z");
    assert_eq!(
        log(&saga),
        [
            "Inicio",
            "ComandoEnviado",
            "EventoRecibido",
            "ComandoEnviado",
            "EventoRecibido",
            "ComandoEnviado",
            "EventoRecibido",
            "Fin",
            // An event that came with a reply also comes from the Kinesis log, and the saga's log has it only once.
        ]
    );
    // The API shows each stored line in Spanish words.
    let stored = &fixture.tables.all(alpes_saga::TABLE)[0].1["log"];
    let stored: Vec<Entry> = serde_json::from_value(stored.clone()).unwrap();
    let told: Vec<_> = stored.iter().map(Linea::from).collect();
    assert_eq!(saga["log"], json!(told));
    assert_eq!(saga["log"][0]["evento"], "ReservaCreada");
}

#[test]
fn one_under_way_tells_what_it_waits_for() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Running);
    let saga = get(&fixture, id).ok();
    assert_eq!(saga["estado"], "EnCurso");
    assert_eq!(saga["proximo_intento"], "2026-01-31T10:00:00.000Z");
    let pending =
        json!({"paso": 2, "comando": "PagarReserva", "direccion": "hacer", "intentos": 0});
    assert_eq!(saga["pendiente"], pending);
    assert_eq!(saga.get("motivo"), None);
}

#[test]
fn one_that_is_undone_tells_why() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Compensating);
    let saga = get(&fixture, id).ok();
    assert_eq!(saga["estado"], "Compensando");
    assert_eq!(saga["motivo"], "la prueba lo pide");
    let pending =
        json!({"paso": 4, "comando": "CancelarReserva", "direccion": "deshacer", "intentos": 0});
    assert_eq!(saga["pendiente"], pending);

    let id = fixture.create_in(Status::Compensated);
    let saga = get(&fixture, id).ok();
    assert_eq!(saga["estado"], "Compensada");
    assert_eq!(saga["motivo"], "la prueba lo pide");
    assert_eq!(saga.get("pendiente"), None);
    assert_eq!(saga.get("proximo_intento"), None);
    assert_eq!(log(&saga).last(), Some(&"Fin"));
}

#[test]
fn one_that_waits_for_a_person_does_nothing_by_itself() {
    let fixture = fixture();
    let id = fixture.create_in(Status::NeedsIntervention);
    let saga = get(&fixture, id).ok();
    assert_eq!(saga["estado"], "RequiereIntervencion");
    assert_eq!(saga.get("proximo_intento"), None);
    let pending =
        json!({"paso": 2, "comando": "RevertirPago", "direccion": "deshacer", "intentos": 1});
    assert_eq!(saga["pendiente"], pending);
    assert_eq!(log(&saga).last(), Some(&"RequiereIntervencion"));
}

#[test]
fn a_choreography_tells_when_its_events_happened_and_when_each_was_noted() {
    let fixture = fixture();
    let id = fixture.create_by_choreography();
    fixture.clock.advance(Duration::from_secs(55));
    fixture.run_choreography();
    // The orchestrator receives the events two seconds later, at a time whose last decimal is 0.
    let noted: Moment = "2026-01-31T10:00:57.120Z".parse().unwrap();
    let left = noted.timestamp().duration_since(fixture.world.clock.now());
    fixture.clock.advance(left.unsigned_abs());
    fixture.run_sagas();
    let saga = get(&fixture, id).ok();
    assert_eq!(saga["inicio"], "2026-01-31T10:00:00.000Z");
    // A time has three decimals, even if the second is whole or the last decimal is 0.
    let noted = "2026-01-31T10:00:57.120Z";
    assert_eq!(saga["actualizacion"], noted);
    let committed = fixture.logged();
    let log = saga["log"].as_array().unwrap();
    let heard = log.iter().filter(|line| line.get("evento").is_some());
    let heard: Vec<_> = heard.collect();
    assert_eq!(heard.len(), 4, "{heard:?}");
    for line in heard {
        let is_it = |event: &&Value| event["id"] == line["id_evento"];
        let event = committed.iter().find(is_it).unwrap();
        assert_eq!(line["fecha_evento"], event["time"], "{line}");
        assert_eq!(line["cuando"], noted, "{line}");
    }
}

#[test]
fn a_step_that_fails_is_the_reason() {
    let fixture = fixture();
    fixture.fail_once(GDS, gds::CONFIRMAR_RESERVA);
    let id = fixture.create(None);
    fixture.run_sagas();
    let saga = get(&fixture, id).ok();
    assert_eq!(saga["estado"], "Compensada");
    assert_eq!(saga["motivo"], "ConfirmacionFallida");
}

#[test]
fn one_that_has_not_begun_is_told_by_the_stream() {
    let fixture = fixture();
    let made = [
        (fixture.create(None), "orquestacion"),
        (fixture.create_by_choreography(), "coreografia"),
        (fixture.create_by_step_functions(), "stepfunctions"),
    ];
    for (id, modo) in made {
        fixture.later();
        let expected = json!({
            "id_correlacion": id,
            "id_reserva": id,
            "definicion": "reserva",
            "modo": modo,
            "estado": "EnCurso",
            "inicio": "2026-01-31T10:00:00.000Z",
            "actualizacion": "2026-01-31T10:00:00.000Z",
            "log": [],
            "origen": "comando",
        });
        assert_eq!(get(&fixture, id).ok(), expected);
        // Until the saga has received its events, the answer shows the saga as at its beginning, whatever happens to
        // the reservation.
        fixture.pay(id);
        fixture.cancel(id);
        assert_eq!(get(&fixture, id).ok(), expected);
    }
    fixture.begin_sagas();
    for (id, modo) in made {
        let saga = get(&fixture, id).ok();
        assert_eq!(
            (&saga["origen"], &saga["modo"]),
            (&json!("vista"), &json!(modo))
        );
        assert_eq!(log(&saga)[0], "Inicio");
    }
}

/// The correlation id of old events, and of events that tests commit by hand, may differ from the reservation's id.
#[test]
fn one_of_another_id_that_has_not_begun_is_not_there() {
    let fixture = fixture();
    let mut command = fixture.creation();
    command.correlationid = CorrelationId(fixture.world.ids.fresh());
    fixture.take(VUELOS, &command);
    // The next reservation is cancelled and was never made.
    let tombstone = fixture.fresh();
    fixture.cancel(tombstone);
    let unknown = fixture.world.ids.fresh();
    let (reservation, saga) = (command.subject.0, command.correlationid.0);
    for id in [reservation, saga, tombstone.0, unknown] {
        let answer = fixture.get(&format!("/sagas/{id}"));
        answer.assert_problem(404, "no-existe", "not there");
        assert_eq!(answer.body["detail"], format!("No hay una saga {id}"));
    }
    fixture.run_sagas();
    let begun = fixture.get(&format!("/sagas/{saga}")).ok();
    assert_eq!(begun["id_reserva"], json!(reservation));
    let answer = fixture.get(&format!("/sagas/{reservation}"));
    answer.assert_problem(404, "no-existe", "the reservation's own id");
}

#[test]
fn an_id_may_be_written_in_any_form_of_a_uuid() {
    let fixture = fixture();
    let id = fixture.create_in(Status::Running);
    let saga = fixture.saga_of(id).to_string();
    let answer = fixture.get(&format!("/sagas/{}", saga.to_uppercase()));
    assert_eq!(answer.ok()["id_correlacion"], saga);
}

/// The saga exists, but only the build that began it can show it.
#[test]
fn another_builds_saga_is_not_missing() {
    let fixture = fixture().without_definitions();
    let id = fixture.create_in(Status::Running);
    let answer = get(&fixture, id);
    answer.assert_problem(503, "no-disponible", "another build's");
    assert_eq!(answer.header("Retry-After"), Some("1"));
}

/// The log of a saga on Step Functions comes from the history of the execution. It has the same form as the log of a
/// saga that the coordinator runs.
#[test]
fn one_that_step_functions_ran_reads_as_one_of_our_own() {
    let fixture = fixture();
    let own = fixture.create_in(Status::Completed);
    let id = fixture.create_by_step_functions();
    fixture.run_sagas();
    let saga = get(&fixture, id).ok();
    assert_eq!(saga["estado"], "EnCurso");
    fixture.run_executions();
    let saga = get(&fixture, id).ok();
    assert_eq!(fields(&saga), ALWAYS);
    assert_eq!(
        (&saga["modo"], &saga["estado"]),
        (&json!("stepfunctions"), &json!("Completada"))
    );
    let mut lines = log(&saga);
    lines.retain(|tipo| *tipo != "EjecucionIniciada");
    assert_eq!(lines, log(&get(&fixture, own).ok()));
}
