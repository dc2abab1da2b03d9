//! The function under test, and requests to it.

use std::{collections::BTreeMap, fs, path::Path};

use events::IdReserva;
use http_testing::Answer;
use http_tests::App;
use serde_json::{Value, json};

pub(crate) type Fixture = http_testing::Fixture<App>;

/// The function under test, with ports in memory.
pub(crate) fn fixture() -> Fixture {
    Fixture::new(|wiring| {
        let Ok(app) = App::new(wiring);
        app
    })
}

/// Requests to the test endpoints, with paths below `/pruebas/`.
pub(crate) trait Pruebas {
    fn prueba(&self, path: &str, body: &Value) -> Answer;
    fn prueba_with_key(&self, path: &str, key: &str, body: &Value) -> Answer;
}

impl Pruebas for Fixture {
    fn prueba(&self, path: &str, body: &Value) -> Answer {
        self.post(&format!("/pruebas/{path}"), body.to_string())
    }

    fn prueba_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.post_with_key(&format!("/pruebas/{path}"), key, body.to_string())
    }
}

/// A body that names this reservation.
pub(crate) fn about(id: IdReserva, data: Value) -> Value {
    let mut body = json!({ "id_reserva": id });
    body["data"] = data;
    body
}

/// The golden samples of a context, by the names of their files: one file for each sample of an event, and one file
/// that lists the samples of the commands.
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
