//! Measures sagas of the whole system on the local runtime, from the request to the approved reservation.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::Agent;

use super::calls::{Engine, run_by};
use crate::{
    load::{Load, Shop, run_one},
    stats::Samples,
};

/// The pause between two reads of a saga. The pause affects no measured time, because the saga's log has the time of
/// its end.
const INTERVAL: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Debug, Serialize)]
pub struct SagaLoad {
    /// The name of the engine.
    pub engine: &'static str,
    /// The time from just before the request until the end of the saga.
    pub load: Load,
    /// The median time from the saga's first to its last log entry, in ms.
    pub saga: f64,
}

#[derive(Debug, Deserialize)]
struct SagaForm {
    estado: String,
    log: Vec<EntryForm>,
}

#[derive(Debug, Deserialize)]
struct EntryForm {
    cuando: Timestamp,
    tipo: String,
}

/// The outcome of one reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended {
    to_end: Duration,
    saga: Duration,
}

/// Makes `reservations` reservations from `clients` threads. Each thread makes its next reservation when the last one's
/// saga has ended.
pub fn run(shop: &Shop, engine: Engine, clients: usize, reservations: usize) -> Result<SagaLoad> {
    let what = "POST /vuelos/reserva to Aprobada";
    let book = |agent: &Agent, _| {
        let before = Timestamp::now();
        let made = shop.book(agent, engine)?;
        let saga = wait(shop, agent, &made.id_correlacion)?;
        ended(&saga, before)
    };
    let (mut load, all) = run_one(what, clients, reservations, &book)?;
    let samples = |of: &dyn Fn(&Ended) -> Duration| {
        let mut samples = Samples::default();
        for ended in &all {
            samples.push(of(ended));
        }
        samples
    };
    let to_end = samples(&|ended| ended.to_end);
    (load.p50, load.p99) = (to_end.median(), to_end.percentile(99));
    Ok(SagaLoad {
        engine: engine.name(),
        load,
        saga: samples(&|ended| ended.saga).median(),
    })
}

/// Waits until each of these sagas has ended, so that no saga disturbs the next measurement.
pub fn settle(shop: &Shop, sagas: &[String]) -> Result<()> {
    let agent = Agent::new_with_defaults();
    sagas
        .iter()
        .try_for_each(|id| wait(shop, &agent, id).map(|_| ()))
}

fn wait(shop: &Shop, agent: &Agent, id: &str) -> Result<SagaForm> {
    let url = format!("{}/sagas/{id}", shop.api);
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let mut answer = agent.get(&url).call().with_context(|| url.clone())?;
        let saga: SagaForm = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
        // The history of an execution may show its end before the orchestrator has processed it.
        let moves = ["EnCurso", "Compensando"].contains(&saga.estado.as_str());
        if !moves && saga.log.iter().any(|entry| entry.tipo == "Fin") {
            return Ok(saga);
        }
        thread::sleep(INTERVAL);
    }
    bail!("the saga {id} has not ended in {PATIENCE:?}")
}

fn ended(saga: &SagaForm, before: Timestamp) -> Result<Ended> {
    if saga.estado != "Completada" {
        bail!("a saga ended {}: {:?}", saga.estado, saga.log);
    }
    let (first, last) = (saga.log.first(), saga.log.last());
    let (first, last) = first.zip(last).context("a saga without a log")?;
    Ok(Ended {
        to_end: span(before, last.cuando),
        saga: span(first.cuando, last.cuando),
    })
}

fn span(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

/// Gives every reservation a flight of its own, so that no flight is full.
pub struct Flights {
    body: Value,
    made: AtomicI64,
}

impl Flights {
    pub fn of(body: &Value) -> Self {
        Self {
            body: body.clone(),
            made: AtomicI64::new(0),
        }
    }

    /// The sample request for a saga that this engine runs. Each request's flight leaves a day after the flight of the
    /// request before.
    pub fn next(&self, engine: Engine) -> String {
        let days = self.made.fetch_add(1, Ordering::Relaxed);
        let mut body = self.body.clone();
        later(&mut body, SignedDuration::from_hours(24 * days));
        run_by(body, engine).to_string()
    }
}

fn later(value: &mut Value, by: SignedDuration) {
    match value {
        Value::Array(list) => {
            for value in list {
                later(value, by);
            }
        }
        Value::Object(map) => {
            for value in map.values_mut() {
                later(value, by);
            }
        }
        Value::String(text) => {
            if let Some(time) = text
                .parse::<Timestamp>()
                .ok()
                .and_then(|time| time.checked_add(by).ok())
            {
                *text = time.to_string();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reservation_has_flights_of_its_own() {
        let flights = Flights::of(&json!({
            "itinerarios": [{"legs": [{"fecha_salida": "2022-11-22T13:10:00Z", "nombre": "BOG"}]}]
        }));
        let salida = |text: String| {
            let body: Value = serde_json::from_str(&text).unwrap();
            let leg = &body["itinerarios"][0]["legs"][0];
            assert_eq!(leg["nombre"], "BOG");
            leg["fecha_salida"].as_str().unwrap().to_owned()
        };
        assert_eq!(salida(flights.next(Engine::Own)), "2022-11-22T13:10:00Z");
        assert_eq!(salida(flights.next(Engine::Own)), "2022-11-23T13:10:00Z");
        assert_eq!(salida(flights.next(Engine::Own)), "2022-11-24T13:10:00Z");
    }

    #[test]
    fn a_saga_tells_its_times() {
        let saga: SagaForm = serde_json::from_value(json!({
            "estado": "Completada",
            "log": [
                {"cuando": "2026-01-31T10:00:00.100Z", "tipo": "Inicio"},
                {"cuando": "2026-01-31T10:00:00.100Z", "tipo": "ComandoEnviado"},
                {"cuando": "2026-01-31T10:00:00.155Z", "tipo": "EventoRecibido"},
                {"cuando": "2026-01-31T10:00:00.160Z", "tipo": "Fin"},
            ],
        }))
        .unwrap();
        let before = "2026-01-31T10:00:00.000Z".parse().unwrap();
        let expected = Ended {
            to_end: Duration::from_millis(160),
            saga: Duration::from_millis(60),
        };
        assert_eq!(ended(&saga, before).unwrap(), expected);
        let compensated = SagaForm {
            estado: "Compensada".into(),
            ..saga
        };
        assert!(ended(&compensated, before).is_err());
    }
}
