//! Tests of the API's description. [`documento`] writes the description from the types that the functions read and
//! write. The description is checked in as `infra/openapi.json` and served at `/openapi.json`.
//!
//! `ALPES_BLESS=1 cargo test -p http-queries --test openapi` rewrites the file.

#![cfg(test)]

mod documento;
mod esquemas;
mod podar;
mod pruebas;
mod reportes;
mod reservas;
mod sagas;
#[path = "../api/support.rs"]
#[allow(dead_code, reason = "made for the tests of the API")]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use alpes_messages::Problem;
use alpes_saga::Status;
use api::ROUTES;
use events::kinds;
use http_testing::{Description, Operation, ask, sample, with_header};
use serde_json::{Value, json};
use support::fixture;

fn infra(file: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("infra").join(file)
}

#[test]
fn the_file_is_what_the_code_says() {
    for (name, documento) in [
        ("openapi.json", documento::documento()),
        (
            "openapi-sin-pruebas.json",
            documento::documento_sin_pruebas(),
        ),
    ] {
        let generated = format!("{documento:#}\n");
        let file = infra(name);
        if std::env::var("ALPES_BLESS").as_deref() == Ok("1") {
            fs::write(&file, &generated).unwrap();
        }
        assert!(
            fs::read_to_string(&file).unwrap_or_default() == generated,
            "infra/{name} is not what the code says: run `ALPES_BLESS=1 cargo test -p http-queries --test openapi`, \
             and look at what changed"
        );
    }
}

fn description() -> Description {
    Description(documento::documento())
}

/// Every operation of the template's API, with the YAML anchor of the function that answers it. This function reads
/// only the YAML forms of the template: each line is a path, a method or an integration, and may have an anchor or the
/// alias of an earlier anchor.
fn template() -> BTreeMap<Operation, String> {
    let template = fs::read_to_string(infra("template.yaml")).unwrap();
    let mut lines = template
        .lines()
        .skip_while(|line| !line.starts_with("        paths:"));
    lines.next().expect("the API's paths");
    let mut found = BTreeMap::new();
    let (mut path, mut method) = (String::new(), String::new());
    // The anchors found so far: `paths` maps the anchor of a path to that path, and `methods` maps the anchor of a
    // method to its function.
    let (mut paths, mut methods) = (BTreeMap::new(), BTreeMap::new());
    let mut anchored = None;
    for line in lines.filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#')) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = name.trim().trim_start_matches("- ").to_owned();
        let value = value.trim().trim_end_matches(" !If");
        match line.len() - line.trim_start().len() {
            10 => {
                path = name;
                if let Some(anchor) = value.strip_prefix('&') {
                    paths.insert(anchor, path.clone());
                } else if let Some(alias) = value.strip_prefix('*') {
                    let same: Vec<_> = found
                        .iter()
                        .filter(|((path, _), _)| *path == paths[alias])
                        .map(|((_, method), function): (&Operation, &String)| {
                            ((path.clone(), method.clone()), function.clone())
                        })
                        .collect();
                    found.extend(same);
                }
            }
            // The methods of a conditional path are in a list item.
            12 | 14 if ALL.contains(&name.as_str()) => {
                method = name;
                anchored = value.strip_prefix('&');
                if let Some(alias) = value.strip_prefix('*') {
                    let function: &String = &methods[alias];
                    found.insert((path.clone(), method.clone()), function.clone());
                }
            }
            14 | 16 if name == "x-amazon-apigateway-integration" => {
                let function = value.trim_start_matches(['*', '&']).to_owned();
                if let Some(anchor) = anchored {
                    methods.insert(anchor, function.clone());
                }
                found.insert((path.clone(), method.clone()), function);
            }
            indent if indent < 10 => break,
            _ => {}
        }
    }
    found
}

/// Every method of API Gateway.
const ALL: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];

/// A path has the same methods in the description, in the functions, and in the template. For every other method, the
/// template calls a function that answers with the allowed methods.
#[test]
fn the_template_the_functions_and_the_description_have_the_same_routes() {
    let described = description().operations();
    let allowed = |path: &str| -> Vec<&str> {
        let of_path = described.iter().filter(|(of, _)| of == path);
        let methods: Vec<_> = of_path.map(|(_, method)| method.as_str()).collect();
        // Every path with GET has HEAD, and every path has OPTIONS; the description says so once.
        let read = ["get", "head"].into_iter();
        let read = read.filter(|_| methods.contains(&"get"));
        let others = methods.iter().copied().filter(|method| *method != "get");
        read.chain(["options"]).chain(others).collect()
    };
    let paths: BTreeSet<&str> = described.iter().map(|(path, _)| path.as_str()).collect();
    let routes: BTreeSet<&str> = ROUTES.iter().map(|route| route.path).collect();
    assert_eq!(paths, routes);
    assert_eq!(routes.len(), ROUTES.len(), "each once");
    for route in ROUTES {
        let allow = route.allow.to_lowercase();
        assert_eq!(allow.split(", ").collect::<Vec<_>>(), allowed(route.path));
    }

    let template = template();
    let all = paths.iter().flat_map(|path| {
        let of_path = |method: &str| ((*path).to_owned(), method.to_owned());
        ALL.map(of_path)
    });
    assert_eq!(
        all.collect::<BTreeSet<_>>(),
        template.keys().cloned().collect()
    );
    for ((path, method), function) in template {
        let expected = match method.as_str() {
            _ if path.starts_with("/pruebas/") => "tests",
            "post" if allowed(&path).contains(&"post") => "commands",
            _ => "queries",
        };
        assert_eq!(function, expected, "{method} {path}");
    }
}

/// A path joined to the base URL leads to the path of the API: the base URL has the stage, and no slash at its end.
#[test]
fn the_base_url_is_that_of_the_host() {
    let template = fs::read_to_string(infra("template.yaml")).unwrap();
    assert!(template.contains("      StageName: v1\n"));
    for allows_tests in [true, false] {
        let fixture = fixture().over(|ports| ports.allows_tests = allows_tests);
        let document = fixture.get("/openapi.json").ok();
        assert_eq!(document["servers"].as_array().unwrap().len(), 1);
        let base = "//a1b2c3d4e5.execute-api.us-east-1.amazonaws.com/v1";
        assert_eq!(document["servers"][0]["url"], base);
    }
}

/// Test endpoints are described only where they are deployed, and nothing that only they use is left.
#[test]
fn test_endpoints_are_described_where_they_are_deployed() {
    for (allows_tests, described) in [(true, true), (false, false)] {
        let fixture = fixture().over(|ports| ports.allows_tests = allows_tests);
        let document = fixture.get("/openapi.json").ok();
        let paths = document["paths"].as_object().unwrap();
        assert_eq!(
            paths.keys().any(|path| path.starts_with("/pruebas")),
            described
        );
        assert_eq!(document.to_string().contains("PruebaEvento"), described);
        let used = podar::references(&document);
        for kind in ["schemas", "responses"] {
            for name in document["components"][kind].as_object().unwrap().keys() {
                let reference = format!("#/components/{kind}/{name}");
                assert!(used.contains(&reference), "{reference} is not used");
            }
        }
        for reference in used {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
    }
}

/// Every link leads to an operation, and its parameter is a field of the answer.
#[test]
fn links_lead_from_a_new_reservation_to_what_can_be_asked_of_it() {
    let description = description();
    let fixture = fixture();
    let id = fixture.create(None).to_string();
    let created = ("/vuelos/reserva".to_owned(), "post".to_owned());
    let links = &description.response(&created, 202).unwrap()["links"];
    let answer = json!({"id_reserva": id, "id_correlacion": id});
    let mut followed = 0;
    for link in links.as_object().unwrap().values() {
        let operations = description.operations();
        let mut named = operations.iter().filter(|operation| {
            description.operation(operation)["operationId"] == link["operationId"]
        });
        let (path, method) = named.next().expect("an operation of that id");
        let field = link["parameters"]["id"].as_str().unwrap();
        let value = answer.pointer(field.strip_prefix("$response.body#").unwrap());
        let path = path.replace("{id}", value.unwrap().as_str().unwrap());
        if method == "get" {
            assert_eq!(fixture.get(&path).status, 200, "{path}");
            followed += 1;
        }
    }
    assert_eq!((links.as_object().unwrap().len(), followed), (4, 3));
}

#[test]
fn every_query_is_routed_and_answers_as_described() {
    let description = description();
    let fixture = fixture();
    let id = fixture.create(Some("cliente-42"));
    fixture.pay(id);
    fixture.create(None);
    let unknown = fixture.world.ids.fresh().to_string();
    let sagas = Status::ALL.map(|status| fixture.saga_of(fixture.create_in(status)));
    let mut seen = 0;
    for projected in [false, true] {
        if projected {
            fixture.project();
        }
        for operation in description.operations() {
            let (path, method) = &operation;
            if method != "get" {
                continue;
            }
            let of_saga = path.starts_with("/sagas/");
            let known = if of_saga {
                sagas.map(|saga| saga.to_string()).to_vec()
            } else {
                vec![id.to_string()]
            };
            let mut queries: Vec<_> = known
                .iter()
                .map(|id| (path.replace("{id}", id), 200))
                .collect();
            if path == "/sagas" {
                let by_state =
                    |status| (format!("/sagas?estado={}", api::saga::estado(status)), 200);
                queries = Status::ALL.map(by_state).to_vec();
            }
            if path.contains("{id}") {
                queries.push((path.replace("{id}", &unknown), 404));
            }
            if description.operation(&operation)["parameters"].is_array() {
                queries.push((format!("{path}?limite=0"), 400));
            }
            for (query, status) in queries {
                if description.response(&operation, status).is_none() {
                    continue;
                }
                let answer = fixture.get(&query);
                assert_eq!(answer.status, status, "{query}: {}", answer.text);
                description.assert_describes(&operation, &answer);
                seen += 1;
            }
            if description.response(&operation, 400).is_some() {
                let path = path.replace("{id}", &known[0]);
                let answer = fixture.answer(&with_header(ask("GET", &path), "X-Cliente", "a b"));
                assert_eq!(answer.status, 400, "{path}: {}", answer.text);
                description.assert_describes(&operation, &answer);
                seen += 1;
            }
        }
    }
    // The test sends these queries twice: 7 queries that do not concern sagas, one query for a saga of each of the 5
    // statuses, one query for a list of sagas of each status, 3 queries with a missing id, 4 faulty queries, and 7
    // queries of a caller whose header is malformed.
    assert_eq!(seen, 2 * (7 + 5 + 5 + 3 + 4 + 7));
}

#[test]
fn parameters_are_those_that_are_known() {
    let document = documento::documento();
    for path in [
        "/vuelos/reserva",
        "/vuelos/reportes/totales",
        "/vuelos/reportes/reservas-por-dia",
        "/sagas",
    ] {
        let described = document["paths"][path]["get"]["parameters"].as_array();
        let names: Vec<_> = described
            .unwrap()
            .iter()
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let answer = fixture().get(&format!("{path}?otro=1"));
        let detail = answer.body["errores"][0]["detalle"].as_str().unwrap();
        assert!(detail.ends_with(&names.join(", ")), "{detail}");
    }
}

#[test]
fn the_examples_fit_their_schemas() {
    let description = description();
    let mut seen = 0;
    for operation in description.operations() {
        let said = description.operation(&operation);
        let responses = said["responses"].as_object().unwrap().keys();
        let mut contents: Vec<_> = responses
            .map(|status| description.response(&operation, status.parse().unwrap()))
            .collect();
        contents.push(said.get("requestBody"));
        for content in contents.into_iter().flatten() {
            for media in content["content"]
                .as_object()
                .into_iter()
                .flat_map(serde_json::Map::values)
            {
                let validator = description.validator(&media["schema"]);
                let examples = media.get("examples").and_then(Value::as_object);
                for (name, example) in examples.into_iter().flatten() {
                    if let Err(error) = validator.validate(&example["value"]) {
                        panic!(
                            "{operation:?}, {name}: {error} at {}",
                            error.instance_path()
                        );
                    }
                    seen += 1;
                }
            }
        }
    }
    assert!(seen >= 30, "{seen}");
}

#[test]
fn what_is_not_a_request_does_not_fit() {
    let description = description();
    let falla =
        json!({"contexto": "pagos", "comando": "PagarReserva", "modo": "error", "veces": 1});
    let flight = json!({"origen": "BOG", "destino": "JFK", "fecha_salida": "2022-11-22T13:10:00Z", "sillas": 1});
    let id = "019c1350-4b80-7a11-8c01-5d6e7f8091a2";
    for (schema, good, faults) in [
        (
            "CrearReserva",
            sample(),
            vec![
                ("otro", json!(1)),
                ("itinerarios", json!([])),
                ("itinerarios", json!([{"odos": [], "otro": 1}])),
                ("pasajeros", json!([])),
                ("pasajeros", json!(vec![json!({}); 10])),
                ("pasajeros", json!([{"edad": 1}])),
                ("pasajeros", json!([{"nombre": "\u{7}"}])),
                (
                    "pago",
                    json!({"monto": "1", "monto_vat": "0", "moneda": "usd", "medio": "tok_visa"}),
                ),
                (
                    "pago",
                    json!({"monto": "1", "monto_vat": "0", "moneda": "USD", "medio": "TOK"}),
                ),
                ("id_cliente", json!("con espacio")),
                ("saga", json!("orquesta")),
            ],
        ),
        (
            "Cancelacion",
            json!({"motivo": "cambio de planes"}),
            vec![
                ("otro", json!(1)),
                ("motivo", json!("")),
                ("motivo", json!(" ")),
                ("motivo", json!("plazo")),
                ("motivo", json!("x".repeat(201))),
            ],
        ),
        (
            "Reanudacion",
            json!({"nota": "a mano", "hecho": true, "paso": 2}),
            vec![
                ("otro", json!(1)),
                ("nota", json!(" ")),
                ("nota", json!("x".repeat(501))),
                ("hecho", json!("sí")),
                ("paso", json!(0)),
            ],
        ),
        (
            "Falla",
            falla,
            vec![
                ("otro", json!(1)),
                ("contexto", json!("hoteles")),
                ("comando", json!("Reservar")),
                ("id_reserva", json!(1)),
                ("modo", json!("lento")),
                ("veces", json!(1_001)),
                ("veces", json!(-1)),
                ("veces", Value::Null),
            ],
        ),
        (
            "Inventario",
            flight,
            vec![
                ("otro", json!(1)),
                ("origen", json!("bog")),
                ("sillas", json!(1_001)),
                ("sillas", Value::Null),
            ],
        ),
        (
            "PruebaComando",
            json!({"id_reserva": id}),
            vec![("otro", json!(1)), ("data", json!([]))],
        ),
        (
            "PruebaEvento",
            json!({"id_reserva": id, "data": {}}),
            vec![("otro", json!(1)), ("id_reserva", Value::Null)],
        ),
    ] {
        let reference = json!({"$ref": format!("#/components/schemas/{schema}")});
        let validator = description.validator(&reference);
        assert!(validator.is_valid(&good), "{schema}");
        for (field, value) in faults {
            let mut body = good.clone();
            body[field] = value;
            assert!(!validator.is_valid(&body), "{schema}: {body}");
        }
    }
}

/// The gateway answers with the API's own problems where a client can do the same about them.
#[test]
fn the_gateways_problems_are_those_of_the_catalogue() {
    let template = fs::read_to_string(infra("template.yaml")).unwrap();
    let texts = template.lines().filter_map(|line| {
        let (_, text) = line.split_once("'{\"type\":\"urn:")?;
        Some(format!("{{\"type\":\"urn:{}", text.strip_suffix('\'')?))
    });
    let found: BTreeSet<String> = texts
        .map(|text| serde_json::from_str::<Value>(&text).unwrap().to_string())
        .collect();
    let known = [kinds::NOT_FOUND, kinds::UNAVAILABLE, kinds::UNKNOWN_CALLER]
        .map(|kind| json!(Problem::of(kind)));
    assert_eq!(found, known.map(|problem| problem.to_string()).into());
}
