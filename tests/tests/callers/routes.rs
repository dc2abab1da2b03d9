//! The routes of the template, and the answer that each kind of caller must get.

use std::{collections::BTreeMap, fs, path::Path};

use api::ROUTES;
use template::{Stack, Template};

/// The methods of each path of the template's API, where callers have tokens and tests are allowed.
pub fn of_template() -> BTreeMap<String, Vec<String>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/template.yaml");
    let text = fs::read_to_string(file).unwrap();
    let parameters = [
        ("Acceso", "jwt"),
        ("Emisor", "https://id.example"),
        ("Audiencia", "reservas"),
        ("Pruebas", "true"),
    ];
    let template = Template::of(&text, &Stack::new("aeroalpes"), &parameters).unwrap();
    let api = &template.resource("Api").unwrap().properties;
    let paths = api["DefinitionBody"]["paths"].as_object().unwrap();
    let methods = paths.iter().map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        (
            path.clone(),
            methods.map(|name| name.to_uppercase()).collect(),
        )
    });
    methods.collect()
}

/// The statuses of a route.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Of a request without a good token.
    pub nobody: u16,
    /// Of the client whose reservation it is.
    pub owner: u16,
    /// Of another client.
    pub other: u16,
    pub operator: u16,
}

const fn all(status: u16) -> Expected {
    by(status, status, status, status)
}

const fn by(nobody: u16, owner: u16, other: u16, operator: u16) -> Expected {
    Expected {
        nobody,
        owner,
        other,
        operator,
    }
}

/// The routes for tests.
const TESTS: [&str; 4] = [
    "/pruebas/fallas",
    "/pruebas/inventario",
    "/pruebas/{contexto}/{comando}",
    "/pruebas/{contexto}/eventos/{evento}",
];

/// Panics for a route that this table does not have.
pub fn expected(path: &str, method: &str) -> Expected {
    let route = ROUTES.iter().find(|route| route.path == path);
    let route = route.unwrap_or_else(|| panic!("the functions have no path {path}"));
    let public = ["/health", "/openapi.json"].contains(&path);
    if method == "OPTIONS" {
        return all(204);
    }
    if !route.allow.split(", ").any(|known| known == method) {
        let nobody = if public { 405 } else { 401 };
        return by(nobody, 405, 405, 405);
    }
    match (path, method) {
        ("/health" | "/openapi.json", "GET" | "HEAD") => all(200),
        ("/vuelos/cotizacion", "POST") | ("/vuelos/reserva", "GET" | "HEAD") => {
            by(401, 200, 200, 200)
        }
        ("/vuelos/reserva", "POST") => by(401, 202, 202, 202),
        (
            "/vuelos/reserva/{id}" | "/vuelos/reserva/{id}/eventos" | "/sagas/{id}",
            "GET" | "HEAD",
        ) => by(401, 200, 404, 200),
        ("/vuelos/reserva/{id}/cancelacion", "POST") => by(401, 202, 404, 202),
        (
            "/vuelos/reportes/totales" | "/vuelos/reportes/reservas-por-dia" | "/sagas",
            "GET" | "HEAD",
        ) => by(401, 403, 403, 200),
        // The saga does not wait for an operator.
        ("/sagas/{id}/reanudacion", "POST") => by(401, 403, 403, 409),
        // The body lacks what these need, so the function refuses it after it has let the caller pass.
        (path, "POST") if TESTS.contains(&path) => by(401, 403, 403, 400),
        _ => panic!("no row for {method} {path}: say who may do it"),
    }
}
