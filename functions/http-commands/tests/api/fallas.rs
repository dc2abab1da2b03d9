//! Tests of the answers to clients when the infrastructure fails.

use std::{sync::Arc, time::Duration};

use alpes_event_store::{EventStore, Sweeper};
use alpes_ports::TableError;
use alpes_saga::Status;
use futures::executor::block_on;
use http_testing::{LogDown, SAMPLE, SECRET, TablesDown};

use crate::support::{RESERVA, fixture};

#[test]
fn with_the_log_down_a_request_is_accepted_and_waits_for_the_sweeper() {
    let fixture = fixture().with_log(Arc::new(LogDown));
    let answer = fixture.post_with_key(RESERVA, "clave-1", SAMPLE);
    assert_eq!(answer.status, 202, "{}", answer.text);

    let stored = fixture.stored();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0]["version"], 1);
    assert_eq!(stored[0]["published"], 0);
    assert!(
        stored[0]["gsi1pk"]
            .as_str()
            .is_some_and(|partition| partition.starts_with("sweep-")),
        "{stored:?}"
    );
    let again = fixture.post_with_key(RESERVA, "clave-1", SAMPLE);
    assert_eq!((again.status, again.text), (answer.status, answer.text));

    let store = EventStore::new(
        fixture.tables.clone(),
        fixture.log.clone(),
        fixture.world.clone(),
        events::catalogue(),
    );
    let sweeper = Sweeper::new(&store);
    // The sweeper publishes only events that are older than the current time.
    block_on(fixture.world.tasks.sleep(Duration::from_millis(1)));
    let swept = block_on(sweeper.sweep()).unwrap();
    assert_eq!((swept.found, swept.published), (1, 1));
    assert_eq!(fixture.logged()[0]["subject"], answer.body["id_reserva"]);
    assert_eq!(fixture.stored()[0].get("gsi1pk"), None);
}

#[test]
fn with_the_tables_down_the_client_is_told_to_try_again() {
    let down = TablesDown(TableError::Unavailable(SECRET.into()));
    let fixture = fixture().with_tables(Arc::new(down));
    let answer = fixture.post(RESERVA, SAMPLE);
    answer.assert_problem(503, "no-disponible", "down");
    assert_eq!(answer.header("Retry-After"), Some("1"));
    assert_eq!(answer.body.get("detail"), None);
    fixture.assert_nothing_happened("down");
}

#[test]
fn what_will_not_pass_by_itself_is_an_error_of_ours() {
    let refused = TablesDown(TableError::Refused(SECRET.into()));
    let fixture = fixture().with_tables(Arc::new(refused));
    let answer = fixture.post(RESERVA, SAMPLE);
    answer.assert_problem(500, "error-interno", "refused");
    assert_eq!(answer.header("Retry-After"), None);
    assert_eq!(answer.body.get("detail"), None);
}

#[test]
fn sagas_and_streams_fail_alike() {
    for (error, status, kind) in [
        (TableError::Unavailable(SECRET.into()), 503, "no-disponible"),
        (TableError::Refused(SECRET.into()), 500, "error-interno"),
    ] {
        let fixture = fixture();
        let id = fixture.create_in(Status::NeedsIntervention);
        let saga = fixture.saga_of(id);
        let fixture = fixture.with_tables(Arc::new(TablesDown(error)));
        for path in [
            format!("/vuelos/reserva/{id}/cancelacion"),
            format!("/sagas/{saga}/reanudacion"),
        ] {
            let answer = fixture.post(&path, "");
            answer.assert_problem(status, kind, &path);
            assert_eq!(answer.body.get("detail"), None);
            assert_eq!(fixture.run_started(), 0);
        }
    }
}
