//! The function over ports in memory, and requests to it.

use std::{collections::BTreeMap, fs, ops::Deref, path::Path, sync::Arc};

use alpes_ports::{Functions, Log, Tables};
use events::IdReserva;
use futures::executor::block_on;
use http_testing::{Answer, System, post, with_header};
use http_tests::App;
use lambda_http::Request;
use serde_json::{Value, json};
use twins::Ports;
use wiring::Wiring;

/// The function under test, with the system behind it.
pub(crate) struct Fixture {
    system: System,
    app: App,
}

/// A fixture has the methods of its system.
impl Deref for Fixture {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let system = System::new();
        Self {
            app: over(system.ports()),
            system,
        }
    }

    pub(crate) fn with_log(mut self, log: Arc<dyn Log>) -> Self {
        self.app = over(Ports {
            log,
            ..self.ports()
        });
        self
    }

    pub(crate) fn with_tables(mut self, tables: Arc<dyn Tables>) -> Self {
        self.app = over(Ports {
            tables,
            ..self.ports()
        });
        self
    }

    pub(crate) fn with_functions(mut self, functions: Arc<dyn Functions>) -> Self {
        self.app = over(Ports {
            functions,
            ..self.ports()
        });
        self
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        Answer::of(block_on(self.app.handle(request)))
    }

    /// Posts to a path below `/pruebas/`.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.answer(&post(&format!("/pruebas/{path}"), body.to_string()))
    }

    /// Posts to a path below `/pruebas/` with an Idempotency-Key.
    pub(crate) fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        let request = post(&format!("/pruebas/{path}"), body.to_string());
        self.answer(&with_header(request, "Idempotency-Key", key))
    }

    pub(crate) fn fresh(&self) -> IdReserva {
        IdReserva(self.world.ids.fresh())
    }
}

fn over(ports: Ports) -> App {
    let Ok(app) = App::new(&Wiring::new(ports));
    app
}

/// A body that names this reservation.
pub(crate) fn about(id: IdReserva, data: Value) -> Value {
    let mut body = json!({ "id_reserva": id });
    body["data"] = data;
    body
}

/// The golden samples of a context's events, and the list of those of its commands, by the names of their files.
pub(crate) fn golden(context: &str) -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/airline/events/samples");
    let files = fs::read_dir(folder.join(context)).unwrap();
    files
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect()
}
