//! Tests that the function answers as the API's OpenAPI description says.

use alpes_saga::{SagaId, Status};
use events::IdReserva;
use http_commands::{MAX_NOTA, MOTIVO};
use http_testing::{Answer, Description, Operation, ask, post};

use crate::support::{Fixture, fixture};

/// The operations of the description that this function answers.
fn operations(description: &Description) -> Vec<Operation> {
    let all = description.operations().into_iter();
    let ours = all.filter(|(path, method)| method != "get" && !path.starts_with("/pruebas/"));
    ours.collect()
}

/// Sends a body to the operation with this path. The id in the path is the reservation's or its saga's.
fn send(fixture: &Fixture, path: &str, (id, saga): (IdReserva, SagaId), body: &str) -> Answer {
    let id = if path.starts_with("/sagas/") {
        saga.to_string()
    } else {
        id.to_string()
    };
    fixture.answer(&post(&path.replace("{id}", &id), body))
}

#[test]
fn every_operation_that_changes_something_is_routed_here() {
    let description = Description::served();
    let operations = operations(&description);
    assert_eq!(operations.len(), 4);
    for operation in operations {
        let (path, method) = &operation;
        assert_eq!(method, "post");
        let fixture = fixture();
        let id = fixture.world.ids.fresh();
        let refused = send(&fixture, path, (IdReserva(id), SagaId(id)), "[]");
        refused.assert_problem(400, "solicitud-invalida", path);
        description.assert_describes(&operation, &refused);
        let query = fixture.answer(&ask("GET", path));
        assert_eq!(query.status, 405, "{path}");
    }
}

#[test]
fn the_examples_are_accepted_and_answered_as_described() {
    let description = Description::served();
    for operation in operations(&description) {
        let (path, _) = &operation;
        let examples = description.requests(&operation);
        assert!(examples.len() >= 2, "{path}");
        for (name, example) in examples {
            let fixture = fixture();
            let id = fixture.create_in(if path.starts_with("/sagas/") {
                Status::NeedsIntervention
            } else {
                Status::Completed
            });
            let subject = (id, fixture.saga_of(id));
            let answer = send(&fixture, path, subject, &example.to_string());
            let stores = path != "/vuelos/cotizacion";
            let status = if stores { 202 } else { 200 };
            assert_eq!(answer.status, status, "{path}, {name}: {}", answer.text);
            description.assert_describes(&operation, &answer);
        }
    }
}

#[test]
fn what_cannot_be_done_is_answered_as_described() {
    let description = Description::served();
    for operation in operations(&description) {
        let (path, _) = &operation;
        if !path.contains("{id}") {
            continue;
        }
        let fixture = fixture();
        let unknown = fixture.world.ids.fresh();
        let missing = send(&fixture, path, (IdReserva(unknown), SagaId(unknown)), "");
        assert_eq!(missing.status, 404, "{path}");
        description.assert_describes(&operation, &missing);

        let id = fixture.create_in(Status::Compensated);
        let ended = send(&fixture, path, (id, fixture.saga_of(id)), "");
        assert_eq!(ended.status, 409, "{path}");
        description.assert_describes(&operation, &ended);
    }
}

#[test]
fn the_limits_are_those_that_are_kept() {
    let description = Description::served();
    let schemas = &description.0["components"]["schemas"];
    let motivo = &schemas["Cancelacion"]["properties"]["motivo"];
    assert_eq!(motivo["default"], MOTIVO);
    let nota = &schemas["Reanudacion"]["properties"]["nota"];
    assert_eq!(nota["maxLength"], MAX_NOTA);
}
