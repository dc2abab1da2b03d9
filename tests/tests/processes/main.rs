//! Function processes die at random while clients book: nothing that was accepted is lost.
//!
//! A program of its own, since it would fail other tests' requests. It kills processes of this machine, so it needs a runtime that
//! runs functions here; one that runs them elsewhere is told by its having none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use e2e::{PATIENCE, Stack, amount, eventually, journeys, reservation, unique};
use event_store::verify;
use events::IdReserva;
use ports::memory::SeededRandomness;

const CLIENTS: usize = 8;
/// Between two deaths, on average.
const LIFE: Duration = Duration::from_millis(150);

/// The processes of this stack's functions, each with its function's name.
fn processes(endpoint: &str, stack: &str) -> Vec<(String, String)> {
    let mut found = vec![];
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(variables) = fs::read(entry.path().join("environ")) else {
            continue;
        };
        let variables = String::from_utf8_lossy(&variables).into_owned();
        let value = |name: &str| {
            let prefix = format!("{name}=");
            variables
                .split('\0')
                .find_map(|variable| variable.strip_prefix(&prefix))
                .unwrap_or_default()
        };
        let function = value("AWS_LAMBDA_FUNCTION_NAME");
        if function.starts_with(&format!("{stack}-"))
            && value("AWS_ENDPOINT_URL").trim_end_matches('/') == endpoint
        {
            found.push((
                entry.file_name().to_string_lossy().into_owned(),
                function.to_owned(),
            ));
        }
    }
    found
}

/// Kills one process after the other until told to stop; how many of each function.
fn killer(endpoint: &str, stack: &str, stop: &AtomicBool) -> BTreeMap<String, usize> {
    let dice = SeededRandomness::new(7);
    let mut killed = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(LIFE.mul_f64(2.0 * ports::Randomness::fraction(&dice)));
        let alive = processes(endpoint, stack);
        if alive.is_empty() {
            continue;
        }
        let (pid, function) = &alive[usize::try_from(dice.bits()).unwrap() % alive.len()];
        let status = Command::new("kill").args(["-KILL", pid]).status().unwrap();
        if status.success() {
            *killed.entry(function.clone()).or_default() += 1;
        }
    }
    killed
}

#[test]
fn whatever_dies_what_was_accepted_is_in_the_log_and_in_the_view() {
    let stack = Stack::from_env();
    let name = env::var("AEROALPES_STACK").unwrap();
    let endpoint = env::var("AWS_ENDPOINT_URL")
        .unwrap_or_default()
        .trim_end_matches('/')
        .to_owned();
    stack.api.get("/health").expect(200);
    if processes(&endpoint, &name).is_empty() {
        println!("not run: no function of {name} runs on this machine");
        return;
    }
    let bodies = journeys(amount("AEROALPES_E2E_KILL", 200));
    let (next, retries, stop) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicBool::new(false),
    );
    let accepted: Mutex<BTreeSet<IdReserva>> = Mutex::default();
    let api = &stack.api;
    let killed = thread::scope(|scope| {
        let killer = scope.spawn(|| killer(&endpoint, &name, &stop));
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // A client that has no answer sends the same again.
                        let key = unique("muerte");
                        let body = body.to_string();
                        let answer = eventually("a function lives long enough to answer", || {
                            let answer = api.book(body.as_bytes(), &[("Idempotency-Key", &key)]);
                            if answer.status == 202 {
                                return Some(answer);
                            }
                            assert!(
                                answer.status >= 500,
                                "{}",
                                String::from_utf8_lossy(&answer.body)
                            );
                            retries.fetch_add(1, Ordering::Relaxed);
                            None
                        });
                        let id = reservation(&answer);
                        assert!(
                            accepted.lock().unwrap().insert(id),
                            "one key, one reservation"
                        );
                    }
                })
            })
            .collect();
        for client in clients {
            client.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        killer.join().unwrap()
    });
    let accepted = accepted.into_inner().unwrap();
    println!(
        "{} accepted, {} answers lost, killed {killed:?}",
        accepted.len(),
        retries.load(Ordering::Relaxed)
    );
    assert_eq!(accepted.len(), bodies.len());
    assert!(
        !killed.is_empty(),
        "nothing was killed: the test shows nothing"
    );

    stack.sweep();
    let mut missing = accepted.clone();
    let start = std::time::Instant::now();
    while let Some(id) = missing.first().copied() {
        let row = stack.row(id).filter(|row| row.contains_key("id_reserva"));
        if row.is_some() {
            missing.remove(&id);
            continue;
        }
        // Rows come in the order of shards and of retries: patience is for all of them together.
        assert!(
            start.elapsed() < 4 * PATIENCE,
            "{} reservations are not in the view",
            missing.len()
        );
        thread::sleep(Duration::from_millis(200));
    }
    let logged: BTreeSet<String> = stack
        .log()
        .into_iter()
        .map(|record| record.partition_key)
        .collect();
    for id in &accepted {
        assert!(logged.contains(&id.to_string()), "{id} is not in the log");
    }
    let verified = stack
        .wait(verify(
            &*stack.tables,
            &*stack.reader,
            &stack.streams(),
            None,
        ))
        .unwrap();
    assert_eq!((verified.differences, verified.pending), (vec![], 0));
}
