//! The operations of sagas.

use alpes_saga::Status;
use futures::executor::block_on;
use http_queries::SagaDto;
use http_testing::System;
use serde_json::{Value, json};

use crate::{
    documento::{CORRELATION, accepted, answer, body, found, id_in_path, page, schema, taken},
    support::fixture,
};

/// `GET /sagas`.
pub(crate) fn listar() -> Value {
    let mut row = example(Status::NeedsIntervention);
    row.as_object_mut().unwrap().remove("log");
    let example = json!({"sagas": [row], "siguiente": null});
    let responses = found(
        answer(
            "Una página de sagas.",
            &schema("ListaSagas"),
            &[("una", example)],
        ),
        &[("400", "ConsultaInvalida")],
    );
    let [limite, siguiente] = page();
    json!({
        "operationId": "listarSagas",
        "tags": ["sagas"],
        "summary": "Listar las sagas de un estado",
        "description":
            "De la más reciente a la más antigua, sin su log. Una página puede traer menos de las que caben aunque haya \
             más: la lista sigue mientras haya `siguiente`.",
        "parameters": [
            {
                "name": "estado",
                "in": "query",
                "required": true,
                "description": "El estado. `RequiereIntervencion` son las que esperan a una persona.",
                "schema": schema("EstadoSaga"),
            },
            limite,
            siguiente,
        ],
        "responses": responses,
    })
}

/// `GET /sagas/{id}`.
pub(crate) fn ver() -> Value {
    let examples = [
        ("recien_creada", unbegun()),
        ("completada", example(Status::Completed)),
        ("requiere_intervencion", example(Status::NeedsIntervention)),
    ];
    let responses = found(
        answer("La saga.", &schema("SagaDto"), &examples),
        &[("404", "NoExiste")],
    );
    json!({
        "operationId": "verSaga",
        "tags": ["sagas"],
        "summary": "Ver una saga y su log",
        "description":
            "La saga de una reserva se puede consultar desde que la reserva se acepta. Mientras no ha empezado, `origen` es \
             `comando`: está en `EnCurso`, con el log vacío y sin `version`, y dice lo que dice la reserva de cómo se creó. Desde que \
             empieza, `origen` es `vista`.",
        "responses": responses,
    })
}

/// `POST /sagas/{id}/reanudacion`.
pub(crate) fn reanudar() -> Value {
    let example = json!({"id_correlacion": CORRELATION, "estado": "Compensando"});
    let responses = taken(
        accepted("La saga sigue.", "ReanudacionAceptada", &example),
        &[("404", "NoExiste"), ("409", "Conflicto")],
    );
    let examples = json!({
        "reintentar": {"nota": "el proveedor responde de nuevo"},
        "hecho": {"nota": "el pago se devolvió a mano", "hecho": true, "paso": 2},
        "sin_nota": {},
    });
    json!({
        "operationId": "reanudarSaga",
        "tags": ["sagas"],
        "summary": "Reanudar una saga que espera a una persona",
        "description":
            "Vuelve a intentar el paso que no se pudo deshacer; con `hecho`, lo da por deshecho y sigue con el anterior. \
             Si la llevaba Step Functions, el coordinador la releva y deshace todos sus pasos. \
             Si la saga no está en `RequiereIntervencion`, 409; también si se reanudó tantas veces que en su log no cabe otra: \
             con `hecho` se puede terminar siempre. El cuerpo se puede omitir.",
        "requestBody": body(false, "Qué se hizo, en 64 KB como máximo.", "Reanudacion", &examples),
        "responses": responses,
    })
}

/// The parameter with the id of a saga.
pub(crate) fn id() -> Value {
    id_in_path(
        "El `id_correlacion` que respondió la creación de la reserva.",
        "IdCorrelacion",
    )
}

/// The example of a saga that has not begun.
fn unbegun() -> Value {
    let fixture = fixture();
    let id = fixture.create(None);
    fixture.get(&format!("/sagas/{id}")).ok()
}

/// The example of a saga with this status.
fn example(status: Status) -> Value {
    let system = System::new();
    let id = system.create_in(status);
    let saga = block_on(system.sagas.load(system.saga_of(id))).unwrap();
    serde_json::to_value(SagaDto::from(saga.unwrap().saga)).unwrap()
}
