//! The description of the API: written by [`documento`] from the types that the functions read and write, checked in as
//! `infra/openapi.json`, and served at `/openapi.json`.
//!
//! `AEROALPES_BLESS=1 cargo test -p http-queries --test openapi` writes it anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod documento;
mod esquemas;
#[path = "../api/support.rs"]
#[allow(dead_code, reason = "made for the tests of the API")]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use events::IdReserva;
use serde_json::{Value, json};
use support::{Fixture, ask};

fn infra(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("infra").join(file)
}

#[test]
fn the_file_is_what_the_code_says() {
    let generated = format!("{:#}\n", documento::documento());
    let file = infra("openapi.json");
    if std::env::var("AEROALPES_BLESS").as_deref() == Ok("1") {
        fs::write(&file, &generated).unwrap();
    }
    assert!(
        fs::read_to_string(&file).unwrap() == generated,
        "infra/openapi.json is not what the code says: run `AEROALPES_BLESS=1 cargo test -p http-queries --test openapi`, \
         and look at what changed"
    );
}

/// A path with its method.
type Operation = (String, String);

fn operations() -> BTreeSet<Operation> {
    let document = documento::documento();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().keys();
        let methods = methods.filter(|name| *name != "parameters");
        let operations = methods.map(|method| (path.clone(), method.clone()));
        operations.collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// Every operation of the template's API, with the YAML anchor of the function that answers it.
fn template() -> BTreeMap<Operation, String> {
    let template = fs::read_to_string(infra("template.yaml")).unwrap();
    let mut lines = template
        .lines()
        .skip_while(|line| !line.starts_with("        paths:"));
    lines.next().expect("the API's paths");
    let mut found = BTreeMap::new();
    let (mut path, mut method) = (String::new(), String::new());
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let name = line.trim().trim_end_matches(':');
        match line.len() - line.trim_start().len() {
            10 => name.clone_into(&mut path),
            12 => name.clone_into(&mut method),
            14 if name.starts_with("x-amazon-apigateway-integration: ") => {
                let anchor = name.rsplit(['*', '&']).next().unwrap().to_owned();
                found.insert((path.clone(), method.clone()), anchor);
            }
            indent if indent < 10 => break,
            _ => {}
        }
    }
    found
}

#[test]
fn the_template_routes_the_same_operations() {
    let template = template();
    assert_eq!(operations(), template.keys().cloned().collect());
    for ((path, method), function) in template {
        let expected = if method == "get" {
            "queries"
        } else {
            "commands"
        };
        assert_eq!(function, expected, "{method} {path}");
    }
}

/// A schema of the document, to check answers with.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let schema = json!({
        "allOf": [schema],
        "components": document["components"],
    });
    jsonschema::draft202012::new(&schema).unwrap()
}

fn response<'a>(document: &'a Value, operation: &'a Value, status: u16) -> &'a Value {
    let response = &operation["responses"][status.to_string()];
    match response.get("$ref").and_then(Value::as_str) {
        Some(place) => document.pointer(place.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

#[test]
fn every_query_is_routed_and_answers_as_described() {
    let document = documento::documento();
    let fixture = Fixture::new();
    let id = fixture.create(Some("cliente-42"));
    fixture.pay(id);
    fixture.create(None);
    let unknown = IdReserva(fixture.world.ids.fresh());
    let mut seen = 0;
    for projected in [false, true] {
        if projected {
            fixture.project();
        }
        for (path, method) in operations() {
            let operation = &document["paths"][&path][&method];
            if method != "get" {
                continue;
            }
            let queries = [
                (path.replace("{id}", &id.to_string()), 200),
                (path.replace("{id}", &unknown.to_string()), 404),
                (format!("{path}?limite=0"), 400),
            ];
            for (query, status) in queries {
                if operation["responses"].get(status.to_string()).is_none() {
                    continue;
                }
                let answer = fixture.answer(&ask(&method.to_uppercase(), &query));
                assert_eq!(answer.status, status, "{query}: {}", answer.text);
                let content = &response(&document, operation, status)["content"];
                let media = answer.header("Content-Type").unwrap();
                let schema = &content[media]["schema"];
                assert!(schema.is_object(), "{query}: {media} is not described");
                if let Err(error) = validator(&document, schema).validate(&answer.body) {
                    panic!("{query}: {} at {}", error, error.instance_path());
                }
                seen += 1;
            }
        }
    }
    assert!(seen >= 2 * (5 + 2 + 1), "{seen}");
}

#[test]
fn parameters_are_those_that_are_known() {
    let document = documento::documento();
    let described = document["paths"]["/vuelos/reserva"]["get"]["parameters"]
        .as_array()
        .unwrap();
    let names: Vec<_> = described
        .iter()
        .map(|parameter| parameter["name"].as_str().unwrap())
        .collect();
    let answer = Fixture::new().get("/vuelos/reserva?otro=1");
    let detail = answer.body["errores"][0]["detalle"].as_str().unwrap();
    assert!(detail.ends_with(&names.join(", ")), "{detail}");
}

#[test]
fn the_examples_fit_their_schemas() {
    let document = documento::documento();
    let mut seen = 0;
    for (path, method) in operations() {
        let operation = &document["paths"][&path][&method];
        let responses = operation["responses"].as_object().unwrap().keys();
        let mut contents: Vec<_> = responses
            .map(|status| response(&document, operation, status.parse().unwrap()))
            .collect();
        contents.push(&operation["requestBody"]);
        for content in contents {
            for media in content["content"]
                .as_object()
                .into_iter()
                .flat_map(serde_json::Map::values)
            {
                let validator = validator(&document, &media["schema"]);
                let examples = media.get("examples").and_then(Value::as_object);
                for (name, example) in examples.into_iter().flatten() {
                    if let Err(error) = validator.validate(&example["value"]) {
                        panic!("{method} {path}, {name}: {error}");
                    }
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn what_is_not_a_request_does_not_fit() {
    let document = documento::documento();
    let schema = json!({"$ref": "#/components/schemas/CrearReserva"});
    let validator = validator(&document, &schema);
    assert!(validator.is_valid(&support::sample()));
    for (field, value) in [
        ("otro", json!(1)),
        ("itinerarios", json!([])),
        ("id_cliente", json!("con espacio")),
        ("saga", json!("orquesta")),
    ] {
        let mut body = support::sample();
        body[field] = value;
        assert!(!validator.is_valid(&body), "{field}");
    }
}
