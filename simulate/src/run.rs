//! A run: one scenario, one seed.

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
use jiff::Timestamp;
use simulation::{Fate, Kernel, Trace, Weather};

use crate::{
    Planted, Scenario, check,
    clients::{self, Memory},
    exercised,
    functions::{self, HTTP_COMMANDS},
    http,
    probe::Probe,
    system::System,
};

/// As long as everything may take to settle once faults have ceased: longer than the pauses of five retries in a row.
const BOUND: u64 = 60 * 60_000;
/// How often it is looked whether it has.
const LOOK: u64 = 20_000;
/// As long as it must stay settled: longer than anything that is still under way can take.
const STAY: u64 = 100_000;
/// There is a [probe](Probe) in one of so many runs.
const PROBE_ONE_IN: u64 = 4;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its scenario.
    pub scenario: &'static str,
    /// Its seed.
    pub seed: u64,
    /// What does not hold; nothing, if all is well.
    pub broken: Vec<String>,
    /// What it came by, by kind and name, and how often.
    pub counts: BTreeMap<(&'static str, Cow<'static, str>), u64>,
    /// What happened.
    pub trace: Trace,
    /// How long it took in its own time.
    pub lasted: Duration,
    /// Steps that processes took.
    pub steps: u64,
    /// Sagas that there were.
    pub sagas: u64,
}

/// Plays a scenario with a seed. `keep` is whether the lines of its trace are kept.
#[must_use]
pub fn run(scenario: &Scenario, seed: u64, keep: bool) -> Report {
    run_with(scenario, seed, keep, None)
}

/// The same with a mistake, which is to be found.
#[must_use]
pub fn run_with(scenario: &Scenario, seed: u64, keep: bool, planted: Option<Planted>) -> Report {
    let trace = if keep {
        Trace::kept()
    } else {
        Trace::default()
    };
    let start = Timestamp::from_second(1_769_853_600).unwrap_or_default();
    // Neighbouring seeds are to have nothing in common.
    let mixed = (seed ^ 0x5851_f42d_4c95_7f2d).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let kernel = Kernel::new(mixed, start, trace);
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
    let whole_batches = kernel.dice().one_in(scenario.whole_batches_one_in);
    let system = System::new(kernel, scenario, !whole_batches, planted)?;
    let memory = Memory::default();
    block_on(clients::share_flights(&system, scenario));
    clients::begin(&system, scenario, &memory);
    let calm = Arc::new(AtomicBool::new(false));
    keep_schedule(&system, scenario, &calm);
    make_trouble(&system, scenario, &calm);
    let probe = kernel.dice().one_in(PROBE_ONE_IN);
    let probe = probe.then(|| Probe::begin(kernel, &system.runtime, &calm));

    // Who makes many reservations takes that much longer.
    let longer = scenario.bookings.div_ceil(2).max(1);
    kernel.run_until((40_000 + kernel.dice().below(80_000)) * longer);
    calm.store(true, Ordering::SeqCst);
    kernel.note("faults cease");
    system.sky.set(Weather::default());
    system.runtime.set_fate(Fate::CALM);

    settle(&system, &memory, probe.as_ref())?;
    let known = memory.known();
    let mut broken = known.complaints.clone();
    broken.extend(check::check(&system, &known.bookings, scenario.is_calm()));
    broken.extend(probe.iter().flat_map(Probe::check));
    Ok(broken)
}

/// Goes on until everything has settled, and stays so.
fn settle(system: &System, memory: &Memory, probe: Option<&Probe>) -> Result<(), String> {
    let kernel = &system.kernel;
    let begun = kernel.elapsed();
    let mut settled_since = None;
    loop {
        let now = kernel.elapsed();
        let busy = memory.known().busy;
        let restless = if busy > 0 {
            Some(format!("{busy} clients are at work"))
        } else {
            check::restless(system).or_else(|| probe.and_then(Probe::restless))
        };
        match restless {
            Some(why) if now - begun > BOUND => {
                return Err(format!("it does not settle: {why}"));
            }
            Some(_) => settled_since = None,
            None if now - *settled_since.get_or_insert(now) >= STAY => return Ok(()),
            None => {}
        }
        for saga in check::stuck(system) {
            kernel.count("operator", "had a saga go on");
            let path = format!("/sagas/{saga}/reanudacion");
            let event = http::event("POST", &path, &[], None);
            drop(system.runtime.invoke(HTTP_COMMANDS, event));
        }
        kernel.run_until(now + LOOK);
    }
}

/// Runs the timers once a minute, more or less.
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

/// Shards, clocks and deployments, until faults cease.
fn make_trouble(system: &System, scenario: &Scenario, calm: &Arc<AtomicBool>) {
    let (system, calm, scenario) = (system.clone(), calm.clone(), *scenario);
    let kernel = system.kernel.clone();
    kernel.clone().spawn("trouble", async move {
        let dice = kernel.dice();
        while !calm.load(Ordering::SeqCst) {
            if dice.one_in(scenario.reshard_one_in) {
                system.stream.reshard();
            }
            if dice.one_in(scenario.lease_one_in) {
                system.stream.lose_a_lease();
            }
            if dice.one_in(scenario.clocks_one_in) {
                let by = if dice.one_in(4) { 60_000 } else { 3_000 };
                let by = i64::try_from(dice.below(by)).unwrap_or(0);
                let back = dice.one_in(2);
                kernel.count("clocks", if back { "back" } else { "forward" });
                kernel.shift_clocks(if back { -by } else { by });
            }
            if dice.one_in(scenario.deploy_one_in) {
                kernel.count("operator", "deployed everything anew");
                kernel.note("everything is deployed anew");
                functions::deploy(&system.runtime, &system.ports);
            }
            kernel.sleep(Duration::from_secs(1)).await;
        }
    });
}
