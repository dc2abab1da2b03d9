//! What the API's description says of commands is so.

use serde_json::Value;

use crate::support::{Fixture, post};

fn document() -> Value {
    serde_json::from_str(include_str!("../../../../infra/openapi.json")).unwrap()
}

#[test]
fn every_operation_that_changes_something_is_routed_here() {
    let document = document();
    let mut seen = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            if method == "get" || method == "parameters" {
                continue;
            }
            let path = path.replace("{id}", "019c1350-4b80-7a11-8c01-5d6e7f8091a2");
            let request = post().method(&*method.to_uppercase()).uri(path);
            let answer = Fixture::new().answer(&request.body("{}".into()).unwrap());
            assert_eq!(answer.status, 400, "{}", answer.text);
            seen += 1;
        }
    }
    assert_eq!(seen, 1);
}

#[test]
fn the_examples_are_accepted_and_answered_as_described() {
    let document = document();
    let operation = &document["paths"]["/vuelos/reserva"]["post"];
    let examples = &operation["requestBody"]["content"]["application/json"]["examples"];
    let examples = examples.as_object().unwrap();
    assert!(examples.len() >= 2);
    let accepted = &document["components"]["schemas"]["ReservaAceptada"]["properties"];
    let described: Vec<_> = accepted.as_object().unwrap().keys().collect();
    for (name, example) in examples {
        let answer = Fixture::new().post(example["value"].to_string());
        assert_eq!(answer.status, 202, "{name}: {}", answer.text);
        let told: Vec<_> = answer.body.as_object().unwrap().keys().collect();
        assert_eq!(told, described);
        for header in operation["responses"]["202"]["headers"]
            .as_object()
            .unwrap()
            .keys()
        {
            assert!(answer.header(header).is_some(), "{header}");
        }
    }
}
