//! The command `demo`: starts a runtime, deploys to it, and makes three reservations. One is approved, one is declined,
//! and one is compensated.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use command_line::Words;
use serde_json::{Value, json};

use crate::failure::{Explain, Result, fail};
use crate::functions::pretty;
use crate::http::{Answer, request};
use crate::ops::ops;
use crate::progress::{note, step};
use crate::runtime_env::Target;
use crate::up::up;
use crate::workspace::Workspace;

const SAMPLE: &str = "docs/samples/crear_reserva.json";
/// The JSON pointer to the only leg of the sample request.
const LEG: &str = "/itinerarios/0/odos/0/segmentos/0/legs/0";
/// How long to wait for a saga. On a slow machine, the saga may not end in one invocation. The timers then resume it,
/// once a minute.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(100);

/// A reservation that the demo made.
struct Booked {
    id: String,
    saga: String,
}

struct Demo<'a> {
    workspace: &'a Workspace,
    target: Target,
    api: String,
}

pub fn demo(workspace: &Workspace, words: &Words) -> Result<()> {
    let saga = words.value("--saga");
    let target = up(workspace, words)?;
    let api = target.get("ALPES_API_URL")?.to_owned();
    let demo = Demo {
        workspace,
        target,
        api,
    };
    let sample = carried_by(sample(workspace)?, saga);

    println!("\n1. A reservation that is paid, gets its seat, and is approved.\n");
    let approved = demo.book(&sample)?;
    demo.show_event(&approved)?;
    let row = demo.at_rest(&approved, "Aprobada")?;
    println!("{}", pretty(&row));
    println!(
        "\nA line of its saga: when, the step, and -> a command that was sent, or <- an event that was received."
    );
    if saga == Some("coreografia") {
        println!(
            "Nobody sends commands here: each context reacts to the events of the others, and the orchestrator only watches the saga."
        );
    }
    if saga == Some("stepfunctions") {
        println!(
            "An execution of Step Functions sends the commands; the log is its history, in the form of any saga's log."
        );
    }
    println!();
    demo.show_saga(&approved)?;

    println!("\n2. One that the bank declines: nothing is charged, and it is cancelled.\n");
    let declined = demo.book(&paid_with(&sample, "tok_rechazada"))?;
    demo.at_rest(&declined, "Cancelada")?;
    demo.show_saga(&declined)?;

    println!("\n3. One that is paid, and then finds no seat: it is refunded and cancelled.\n");
    let full = the_day_after(&sample);
    demo.empty_flight(&full)?;
    let undone = demo.book(&full)?;
    demo.at_rest(&undone, "Cancelada")?;
    demo.show_saga(&undone)?;

    demo.what_next(&approved);
    Ok(())
}

fn sample(workspace: &Workspace) -> Result<Value> {
    let text =
        fs::read_to_string(workspace.path(SAMPLE)).explain(format!("Cannot read {SAMPLE}"))?;
    serde_json::from_str(&text).explain(format!("{SAMPLE} is not JSON"))
}

/// Adds the mode of saga to the request `body`. With `None`, the body stays as it is, and the API uses its default
/// mode.
fn carried_by(mut body: Value, saga: Option<&str>) -> Value {
    if let (Value::Object(body), Some(saga)) = (&mut body, saga) {
        body.insert("saga".to_owned(), saga.into());
    }
    body
}

fn paid_with(sample: &Value, token: &str) -> Value {
    let mut body = sample.clone();
    if let Value::Object(body) = &mut body {
        body.insert("pago".to_owned(), json!({"medio": token}));
    }
    body
}

/// The sample request for the flight of the next day. The demo can set that flight's seats to 0 without an effect on
/// the demo's other reservations.
fn the_day_after(sample: &Value) -> Value {
    let mut body = paid_with(sample, "tok_visa");
    if let Some(Value::Object(leg)) = body.pointer_mut(LEG) {
        leg.insert("fecha_salida".to_owned(), "2022-11-23T13:10:00Z".into());
        leg.insert("fecha_llegada".to_owned(), "2022-11-23T15:10:00Z".into());
    }
    body
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

impl Demo<'_> {
    fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let url = format!("{}{path}", self.api);
        let answer = request("POST", &url, Some(&body.to_string()))?;
        println!("{} {}", answer.status, answer.body);
        if answer.status == 202 {
            return Ok(answer);
        }
        fail(format!(
            "POST {path} was not accepted; the answer is above. See: cargo xtask logs"
        ))
    }

    fn book(&self, body: &Value) -> Result<Booked> {
        let paid = text(body, "/pago/medio").map(|medio| format!(", paid with {medio}"));
        let paid = paid.unwrap_or_default();
        step(&format!("POST /vuelos/reserva{paid}"), || {
            let answer = self.post("/vuelos/reserva", body)?;
            let reply: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            match (text(&reply, "/id_reserva"), text(&reply, "/id_correlacion")) {
                (Some(id), Some(saga)) => Ok(Booked {
                    id: id.to_owned(),
                    saga: saga.to_owned(),
                }),
                _ => fail("The answer above names no reservation and saga."),
            }
        })
    }

    /// Sets the flight's free seats to 0.
    fn empty_flight(&self, body: &Value) -> Result<()> {
        let part = |pointer: &str| text(body, &format!("{LEG}{pointer}"));
        let flight = json!({
            "origen": part("/origen/codigo"),
            "destino": part("/destino/codigo"),
            "fecha_salida": part("/fecha_salida"),
            "sillas": 0,
        });
        step("its flight is full: POST /pruebas/inventario", || {
            self.post("/pruebas/inventario", &flight).map(drop)
        })
    }

    fn show_event(&self, booked: &Booked) -> Result<()> {
        step("its first event, as stored in Kinesis", || {
            let words = [
                "tail",
                "--from-start",
                "--limit",
                "1",
                "--subject",
                &booked.id,
            ];
            ops(self.workspace, &self.target, &words)
        })
    }

    /// Waits until the saga has ended and the view shows it. Returns the view's row.
    fn at_rest(&self, booked: &Booked, estado: &str) -> Result<String> {
        let saga_path = format!("/sagas/{}", booked.saga);
        let row_path = format!("/vuelos/reserva/{}", booked.id);
        let row = step(&format!("wait until it is {estado}"), || {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let (saga, row) = (self.get(&saga_path)?, self.get(&row_path)?);
                let ended = matches!(
                    text_of(&saga, "/estado").as_str(),
                    "Completada" | "Compensada"
                );
                if ended && text_of(&row, "/estado") == estado {
                    return Ok(row.body);
                }
                if Instant::now() > deadline {
                    return fail(format!(
                        "It did not get there within {} s. Its saga: {} {}\nIts row: {} {}\nSee: cargo xtask logs",
                        PATIENCE.as_secs(),
                        saga.status,
                        saga.body,
                        row.status,
                        row.body
                    ));
                }
                sleep(PAUSE);
            }
        })?;
        println!("GET {row_path}: {estado}");
        Ok(row)
    }

    fn get(&self, path: &str) -> Result<Answer> {
        request("GET", &format!("{}{path}", self.api), None)
    }

    fn show_saga(&self, booked: &Booked) -> Result<()> {
        step(&format!("its saga: cargo xtask saga {}", booked.id), || {
            ops(self.workspace, &self.target, &["saga", &booked.id])
        })
    }

    fn what_next(&self, approved: &Booked) {
        let (api, id) = (&self.api, &approved.id);
        println!("\nThe runtime keeps running at {api}");
        if self
            .target
            .get("ALPES_ENDED_BY")
            .is_ok_and(|by| by == "process")
        {
            println!("Opened in a browser, that address shows what runs.");
        }
        println!();
        println!("Cancel the first one: its money and its seat come back, as its saga shows.\n");
        println!("  curl -X POST {api}/vuelos/reserva/{id}/cancelacion");
        println!("  cargo xtask saga {id}\n");
        println!("And:\n");
        println!("  curl {api}/vuelos/reserva/{id}/eventos");
        println!("  curl \"{api}/vuelos/reserva?estado=Cancelada\"");
        println!("  cargo xtask sagas Completada   sagas by state");
        println!("  cargo xtask tail               the log as it grows");
        println!("  cargo xtask logs               the log lines of functions");
        println!("  cargo xtask verify             streams against the log");
        println!("  cargo xtask down               stop it");
        note("cargo xtask help lists the rest");
    }
}

fn text_of(answer: &Answer, pointer: &str) -> String {
    let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    text(&body, pointer).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_booked_differs_from_the_sample_where_it_should() {
        let sample = sample(&Workspace::find().unwrap()).unwrap();
        let declined = paid_with(&sample, "tok_rechazada");
        assert_eq!(text(&declined, "/pago/medio"), Some("tok_rechazada"));
        let flight = |body| text(body, &format!("{LEG}/fecha_salida")).map(str::to_owned);
        assert_eq!(flight(&declined), flight(&sample));
        let full = the_day_after(&sample);
        assert!(flight(&full).is_some());
        assert_ne!(flight(&full), flight(&sample));
        assert!(text(&full, &format!("{LEG}/origen/codigo")).is_some());
        assert_eq!(text(&full, "/saga"), None);
        let watched = the_day_after(&carried_by(full, Some("coreografia")));
        assert_eq!(text(&watched, "/saga"), Some("coreografia"));
    }
}
