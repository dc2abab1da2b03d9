//! Hours of steady load: memory, files and latency must stay flat.
//!
//! The test makes reservations at a steady rate, and measures the local runtime, its functions and their data at each
//! step. It draws a plot, and fails if something has grown since the runtime was warm. `cargo xtask bench --soak` runs it.
#![cfg(test)]

mod measure;
mod plot;

use std::{
    env, fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use e2e::{Ending, Stack, amount, at_its_own_time, paid_with, sample};
use measure::{Measured, Sample};

/// Reservations a second.
const RATE: u64 = 20;
/// The threads that send requests. A slow answer holds up only its own thread.
const CLIENTS: usize = 24;
/// After this time the runtime is warm: every function has as many processes as the load needs.
const WARM: Duration = Duration::from_mins(5);
/// The time between two samples.
const STEP: Duration = Duration::from_secs(15);

#[test]
#[ignore = "takes half an hour, and measures the machine: cargo xtask bench --soak"]
fn nothing_grows_under_steady_load() {
    let stack = Stack::from_env();
    let time = Duration::from_mins(amount("ALPES_SOAK_MINUTES", 30) as u64);
    let svg = env::var("ALPES_SOAK_PLOT").expect("ALPES_SOAK_PLOT: the file of the plot");
    let load = Load::new();
    let samples = thread::scope(|scope| {
        let _ending = Ending(&load.stop);
        for _ in 0..CLIENTS {
            scope.spawn(|| load.send(&stack.api));
        }
        let mut samples: Vec<Sample> = vec![];
        while load.began.elapsed() < time {
            thread::sleep(STEP);
            let sample = Measured::of(&stack.api).sample(load.began.elapsed(), &load.take());
            println!("{sample}");
            samples.push(sample);
        }
        samples
    });
    let made = load.next.load(Ordering::Relaxed);
    fs::write(&svg, plot::svg(&samples, RATE)).expect("the file of the plot");
    println!(
        "{made} reservations in {:?}; the plot is {svg}",
        load.began.elapsed()
    );
    let grown = measure::grown(&samples, WARM);
    assert!(
        grown.is_empty(),
        "it has grown since it was warm: {grown:#?}"
    );
}

/// The load: a reservation at each beat, whatever the answers take.
struct Load {
    began: Instant,
    next: AtomicU64,
    /// The answers' times since the last sample, each from the beat of its request on, so that a request that had to wait
    /// for a client counts as slow.
    latencies: Mutex<Vec<Duration>>,
    stop: AtomicBool,
}

impl Load {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            next: AtomicU64::new(0),
            latencies: Mutex::default(),
            stop: AtomicBool::new(false),
        }
    }

    fn send(&self, api: &e2e::Api) {
        let _if_it_fails = Ending(&self.stop);
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let due = self.began + Duration::from_millis(number * 1_000 / RATE);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let body = paid_with(at_its_own_time(sample()), "tok_visa");
            api.book(body.to_string().as_bytes(), &[]).expect(202);
            self.latencies.lock().unwrap().push(due.elapsed());
        }
    }

    fn take(&self) -> Vec<Duration> {
        std::mem::take(&mut self.latencies.lock().unwrap())
    }
}
