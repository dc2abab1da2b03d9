//! Plays one run: a scenario with a seed.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::executor::block_on;
use simulation::{Fate, Function, Kernel, Trace, Weather};

use crate::{
    Planted, Scenario, check,
    clients::{self, Memory},
    exercised,
    functions::{self, PROJECTOR},
    operator::Operator,
    probe::Probe,
    readers,
    system::System,
    trouble,
};

/// How long readers may take to finish, in milliseconds.
const BOUND: u64 = 60 * 60_000;
/// On average one run in `PROBE_ONE_IN` has a [probe](Probe).
const PROBE_ONE_IN: u64 = 4;

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The seed.
    pub seed: u64,
    /// The broken invariants, in words; empty if all hold.
    pub broken: Vec<String>,
    /// The occurrences in the run, by kind and name.
    pub counts: BTreeMap<(&'static str, Cow<'static, str>), u64>,
    /// The trace of the run.
    pub trace: Trace,
    /// How long the run took in virtual time.
    pub lasted: Duration,
    /// The number of polls.
    pub steps: u64,
    /// The number of sagas.
    pub sagas: u64,
}

/// Plays a scenario with a seed. `keep` is true if the trace must keep its lines.
#[must_use]
pub fn run(scenario: &Scenario, seed: u64, keep: bool) -> Report {
    run_with(scenario, seed, keep, None)
}

/// Like [`run`], with a planted mistake.
#[must_use]
pub fn run_with(scenario: &Scenario, seed: u64, keep: bool, planted: Option<Planted>) -> Report {
    let trace = if keep {
        Trace::kept()
    } else {
        Trace::default()
    };
    let kernel = Kernel::of_seed(seed, trace);
    let broken = match play(&kernel, scenario, planted) {
        Ok(broken) => broken,
        Err(why) => vec![why],
    };
    let counts = kernel.counts();
    let report = Report {
        scenario: scenario.name,
        seed,
        broken,
        sagas: exercised::sagas(&counts),
        counts,
        trace: kernel.trace(),
        lasted: Duration::from_millis(kernel.elapsed()),
        steps: kernel.polls(),
    };
    kernel.shut_down();
    report
}

fn play(
    kernel: &Kernel,
    scenario: &Scenario,
    planted: Option<Planted>,
) -> Result<Vec<String>, String> {
    let system = System::new(kernel, scenario, planted)?;
    let broken = judge(&system, scenario);
    // Functions hold the runtime that they call, so remove the functions to free the runtime.
    system.runtime.shut_down();
    broken
}

fn judge(system: &System, scenario: &Scenario) -> Result<Vec<String>, String> {
    let kernel = &system.kernel;
    let memory = Memory::default();
    block_on(clients::share_flights(system, scenario));
    clients::begin(system, scenario, &memory);
    let calm = Arc::new(AtomicBool::new(false));
    keep_schedule(system, scenario, &calm);
    trouble::make(system, scenario, &calm);
    let probe = kernel.dice().one_in(PROBE_ONE_IN);
    let probe = probe.then(|| Probe::begin(kernel, &system.runtime, &calm));

    // Clients with many reservations take longer, in proportion to the number of reservations.
    let longer = scenario.bookings.div_ceil(2).max(1);
    let lasts = scenario.lasts * 1_000;
    kernel.run_until((lasts + kernel.dice().below(2 * lasts)) * longer);
    calm.store(true, Ordering::SeqCst);
    kernel.note("faults cease");
    system.sky.set(Weather::default());
    system.sky.throttle(None);
    system.runtime.set_fate(Fate::CALM);
    system.conflicts.store(0, Ordering::SeqCst);
    system.gaps.close();
    functions::deploy(&system.runtime, &system.ground, &system.builds.newest);

    system.machine.deploy(&system.builds.newest.definitions);

    settle(system, scenario, &memory, probe.as_ref())?;
    if scenario.retention > 0 {
        outlast(system, scenario, &memory, probe.as_ref())?;
    }
    readers::read_all(system, scenario, &memory);
    finish_reading(kernel, &memory);
    let known = memory.known();
    let mut broken = known.complaints.clone();
    broken.extend(check::check(system, &known.bookings, scenario.is_calm()));
    broken.extend(probe.iter().flat_map(Probe::check));
    Ok(broken)
}

/// Runs until the system has settled and stays settled.
fn settle(
    system: &System,
    scenario: &Scenario,
    memory: &Memory,
    probe: Option<&Probe>,
) -> Result<(), String> {
    let operator = Operator::new(system, scenario, memory);
    let restless = || {
        let busy = memory.known().busy;
        if busy > 0 {
            return Some(format!("{busy} clients are at work"));
        }
        check::restless(system).or_else(|| probe.and_then(Probe::restless))
    };
    system.kernel.settle(restless, || operator.look())
}

/// Runs until the readers have finished.
fn finish_reading(kernel: &Kernel, memory: &Memory) {
    let begun = kernel.elapsed();
    while memory.known().busy > 0 && kernel.elapsed() - begun < BOUND {
        kernel.run_until(kernel.elapsed() + 1_000);
    }
}

/// Lets the retention of the Kinesis stream pass, so that unarchived records are lost. If the projector was down for
/// longer than the retention, only a rebuild brings the missed records into the views.
fn outlast(
    system: &System,
    scenario: &Scenario,
    memory: &Memory,
    probe: Option<&Probe>,
) -> Result<(), String> {
    let (kernel, dice) = (&system.kernel, system.kernel.dice());
    let is_down = dice.one_in(2);
    if is_down {
        kernel.count("operator", "the projector is down");
        let stopped = Function {
            concurrency: 0,
            ..functions::of(PROJECTOR, &system.ground, &system.builds.newest)
        };
        system.runtime.deploy(PROJECTOR, stopped);
    }
    clients::begin(system, scenario, memory);
    kernel.run_until(kernel.elapsed() + 30 * 60_000);
    kernel.note("the night begins");
    system.night.store(true, Ordering::SeqCst);
    system.stream.slow_down(true);
    for _ in 0..=scenario.retention {
        kernel.run_until(kernel.elapsed() + 60 * 60_000);
        system.stream.trim(system.retention);
    }
    system.night.store(false, Ordering::SeqCst);
    system.stream.slow_down(false);
    kernel.note("the night is over");
    if is_down {
        let projector = functions::of(PROJECTOR, &system.ground, &system.builds.newest);
        system.runtime.deploy(PROJECTOR, projector);
    }
    clients::begin(system, scenario, memory);
    for view in ["reservas", "analitica"] {
        clients::rebuild(system, scenario, memory, view);
    }
    settle(system, scenario, memory, probe)
}

/// Runs the timers about once a minute.
fn keep_schedule(system: &System, scenario: &Scenario, calm: &Arc<AtomicBool>) {
    let (system, calm) = (system.clone(), calm.clone());
    let one_in = scenario.schedule_one_in;
    let kernel = system.kernel.clone();
    kernel.clone().spawn("schedule", async move {
        let dice = kernel.dice();
        kernel
            .sleep(Duration::from_millis(dice.below(60_000)))
            .await;
        loop {
            let mut pause = 60_000;
            if system.night.load(Ordering::SeqCst) {
                pause = 60 * 60_000;
            }
            if dice.one_in(one_in) && !calm.load(Ordering::SeqCst) {
                match dice.below(3) {
                    0 => {
                        kernel.count("schedule", "late");
                        pause += dice.below(50_000);
                    }
                    1 => {
                        kernel.count("schedule", "twice");
                        system.tick().await;
                    }
                    _ => {
                        kernel.count("schedule", "silent");
                        pause += 60_000 * (2 + dice.below(5));
                    }
                }
            }
            system.tick().await;
            kernel.sleep(Duration::from_millis(pause)).await;
        }
    });
}
