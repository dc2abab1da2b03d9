//! Measures the API of the whole system on the local runtime under a bounded load.
//!
//! Each new reservation starts a saga, which runs while the next requests are sent. The next measurement begins when
//! all sagas have ended.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ureq::Agent;

use crate::{
    sagas::{
        calls::Engine,
        load::{Flights, settle},
    },
    stats::{Samples, per_second},
};

#[derive(Debug, Serialize)]
pub struct Load {
    pub request: &'static str,
    pub clients: usize,
    pub requests: usize,
    pub per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

pub const CLIENTS: [usize; 2] = [1, 8];

/// The API's URL, and the flights for the reservations.
pub struct Shop {
    pub api: String,
    pub flights: Flights,
}

/// The API's answer to an accepted reservation.
#[derive(Clone, Debug, Deserialize)]
pub struct Made {
    pub id_reserva: String,
    pub id_correlacion: String,
}

impl Shop {
    pub fn book(&self, agent: &Agent, engine: Engine) -> Result<Made> {
        let post = agent.post(format!("{}/vuelos/reserva", self.api));
        let post = post.header("Content-Type", "application/json");
        let answer = post.send(self.flights.next(engine));
        let mut answer = answer.context("POST /vuelos/reserva")?;
        Ok(serde_json::from_str(&answer.body_mut().read_to_string()?)?)
    }
}

pub fn run(shop: &Shop, requests: usize) -> Result<Vec<Load>> {
    let mut loads = vec![];
    let mut made: Vec<Made> = vec![];
    for clients in CLIENTS {
        let book = |agent: &Agent, _| shop.book(agent, Engine::Own);
        let (load, booked) = run_one("POST /vuelos/reserva", clients, requests, &book)?;
        let sagas: Vec<_> = booked
            .iter()
            .map(|one| one.id_correlacion.clone())
            .collect();
        settle(shop, &sagas)?;
        loads.push(load);
        made.extend(booked);
    }
    for clients in CLIENTS {
        let read = |agent: &Agent, number: usize| {
            let id = made.get(number % made.len().max(1));
            let id = &id.context("no reservation was made")?.id_reserva;
            let url = format!("{}/vuelos/reserva/{id}", shop.api);
            let mut answer = agent.get(url).call()?;
            let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string()?)?;
            if answer.get("id_reserva").and_then(Value::as_str) != Some(id) {
                bail!("GET /vuelos/reserva/{id} answered with another reservation: {answer}");
            }
            Ok(())
        };
        loads.push(run_one("GET /vuelos/reserva/{id}", clients, requests, &read)?.0);
    }
    Ok(loads)
}

type Outcome<T> = Result<(Samples, Vec<T>)>;

/// Sends `requests` requests from `clients` threads. Each thread sends its next request when its last one is answered.
pub fn run_one<T: Send>(
    request: &'static str,
    clients: usize,
    requests: usize,
    send: &(impl Fn(&Agent, usize) -> Result<T> + Sync),
) -> Result<(Load, Vec<T>)> {
    let next = AtomicUsize::new(0);
    let client = || -> Outcome<T> {
        let agent: Agent = Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .build()
            .into();
        let (mut samples, mut answers) = (Samples::default(), vec![]);
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return Ok((samples, answers));
            }
            let before = Instant::now();
            answers.push(send(&agent, number)?);
            samples.push(before.elapsed());
        }
    };
    // Warm up, because the time in which each client's function starts is not measured.
    let agent = Agent::new_with_defaults();
    thread::scope(|scope| -> Result<()> {
        let warm: Vec<_> = (0..clients)
            .map(|_| scope.spawn(|| send(&agent, 0)))
            .collect();
        for one in warm {
            one.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        Ok(())
    })?;
    let start = Instant::now();
    let outcomes: Vec<Outcome<T>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap_or_else(|_| bail!("a client panicked")))
            .collect()
    });
    let elapsed = start.elapsed();
    let (mut samples, mut answers) = (Samples::default(), vec![]);
    for outcome in outcomes {
        let (taken, given) = outcome.with_context(|| format!("{request}, {clients} clients"))?;
        samples.extend(&taken);
        answers.extend(given);
    }
    let load = Load {
        request,
        clients,
        requests: samples.count(),
        per_second: per_second(samples.count(), elapsed),
        p50: samples.median(),
        p99: samples.percentile(99),
    };
    Ok((load, answers))
}
