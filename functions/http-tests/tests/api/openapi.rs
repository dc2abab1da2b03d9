//! Tests that the function answers as the API's OpenAPI description says of the test endpoints.

use events::{COMMANDS, CONTEXTS};
use http_testing::{Description, Operation, post};
use http_tests::{MAX_SILLAS, MAX_VECES};
use serde_json::{Value, json};

use crate::support::{Pruebas, fixture};

fn operations(description: &Description) -> Vec<Operation> {
    let all = description.operations().into_iter();
    all.filter(|(path, _)| path.starts_with("/pruebas/"))
        .collect()
}

/// A path of the description, with each parameter replaced by the parameter's example.
fn filled(description: &Description, path: &str) -> String {
    let parameters = description.0["paths"][path]["parameters"].as_array();
    parameters
        .into_iter()
        .flatten()
        .fold(path.to_owned(), |path, parameter| {
            let name = parameter["name"].as_str().unwrap();
            path.replace(
                &format!("{{{name}}}"),
                parameter["example"].as_str().unwrap(),
            )
        })
}

#[test]
fn every_operation_is_answered_as_described() {
    let description = Description::served();
    let operations = operations(&description);
    assert_eq!(operations.len(), 4);
    for operation in operations {
        let (path, method) = &operation;
        assert_eq!(method, "post", "{path}");
        let tags = &description.operation(&operation)["tags"];
        assert_eq!(*tags, json!(["pruebas"]));
        let refused = fixture().answer(&post(&filled(&description, path), "[]"));
        refused.assert_problem(400, "solicitud-invalida", path);
        description.assert_describes(&operation, &refused);

        let examples = description.requests(&operation);
        assert!(!examples.is_empty(), "{path}");
        for (name, example) in examples {
            let path = filled(&description, path);
            let answer = fixture().answer(&post(&path, example.to_string()));
            assert_eq!(answer.status, 202, "{path}, {name}: {}", answer.text);
            description.assert_describes(&operation, &answer);
        }
        if path.contains("{contexto}") {
            let nowhere = filled(&description, path).replace("/pagos/", "/hoteles/");
            let answer = fixture().answer(&post(&nowhere, "{}"));
            assert_eq!(answer.status, 404);
            description.assert_describes(&operation, &answer);
        }
    }
}

#[test]
fn a_silent_participant_is_described() {
    let description = Description::served();
    let operation = (
        "/pruebas/{contexto}/{comando}".to_owned(),
        "post".to_owned(),
    );
    let fixture = fixture();
    let falla =
        json!({"contexto": "vuelos", "comando": "CrearReserva", "modo": "silencio", "veces": 1});
    fixture.prueba("fallas", &falla).accepted();
    let body = json!({"data": http_testing::sample()});
    let answer = fixture.prueba("vuelos/CrearReserva", &body);
    assert_eq!(answer.status, 503);
    description.assert_describes(&operation, &answer);
    let answer = fixture.prueba(
        "vuelos/AprobarReserva",
        &json!({"id_reserva": fixture.fresh()}),
    );
    assert_eq!(answer.status, 404);
    description.assert_describes(&operation, &answer);
}

#[test]
fn the_choices_and_limits_are_those_that_are_kept() {
    let description = Description::served();
    let schema = &description.0["components"]["schemas"]["Falla"]["properties"];
    let contexts: Vec<Value> = CONTEXTS.iter().map(|known| known.name.into()).collect();
    assert_eq!(schema["contexto"]["enum"], Value::from(contexts));
    let commands: Vec<Value> = COMMANDS.iter().map(|known| known.name.into()).collect();
    assert_eq!(schema["comando"]["enum"], Value::from(commands));
    assert_eq!(schema["veces"]["maximum"], MAX_VECES);
    let seats = &description.0["components"]["schemas"]["Inventario"]["properties"]["sillas"];
    assert_eq!(seats["maximum"], MAX_SILLAS);
}
