//! `simulate [--seeds N] [--seed S] [--scenario NAME] [--trace FILE]`: see `cargo xtask help`.

use std::{
    collections::BTreeMap,
    env, fs,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use simulate::{Report, SCENARIOS, Scenario, run};

/// So many seeds are played where nobody says.
const SEEDS: u64 = 1_000;

/// What to play.
struct Order {
    /// The first seed, and how many.
    first: u64,
    seeds: u64,
    scenarios: Vec<&'static Scenario>,
    /// Where the trace goes.
    trace: Option<String>,
    /// A seed by itself is told of line by line.
    one: bool,
}

fn main() -> ExitCode {
    match read().and_then(|order| play(&order)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn read() -> Result<Order, String> {
    let mut words = env::args().skip(1);
    let mut order = Order {
        first: 0,
        seeds: SEEDS,
        scenarios: SCENARIOS.iter().collect(),
        trace: None,
        one: false,
    };
    let mut many = false;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| {
            let number = text.parse::<u64>();
            number.map_err(|_| format!("{text} is no number"))
        };
        match word.as_str() {
            "--seeds" => {
                order.seeds = number(value()?)?;
                many = true;
            }
            "--seed" => {
                order.first = number(value()?)?;
                order.one = true;
            }
            "--trace" => order.trace = Some(value()?),
            "--scenario" => {
                let name = value()?;
                let found = Scenario::named(&name).ok_or_else(|| unknown(&name))?;
                order.scenarios = vec![found];
            }
            other => return Err(format!("{other:?} is no option of simulate")),
        }
    }
    order.one &= !many;
    Ok(order)
}

fn unknown(name: &str) -> String {
    let known = SCENARIOS
        .iter()
        .map(|known| format!("\n  {:<20}{}", known.name, known.about));
    format!(
        "There is no scenario {name:?}. There are:{}",
        known.collect::<String>()
    )
}

fn play(order: &Order) -> Result<(), String> {
    if order.one {
        return play_one(order);
    }
    search(order)
}

/// The scenario of a seed: each has its turn, the first every other time.
fn scenario_of(order: &Order, seed: u64) -> Option<&'static Scenario> {
    let count = u64::try_from(order.scenarios.len()).unwrap_or(1);
    let place = if seed.is_multiple_of(2) {
        0
    } else {
        seed / 2 % count
    };
    let place = usize::try_from(place).unwrap_or(0);
    order.scenarios.get(place).copied()
}

fn play_one(order: &Order) -> Result<(), String> {
    let seed = order.first;
    let Some(scenario) = scenario_of(order, seed) else {
        return Ok(());
    };
    let report = run(scenario, seed, true);
    let file = order.trace.clone();
    let file = file.unwrap_or_else(|| format!("target/simulate-{}-{seed}.trace", scenario.name));
    let text = report.trace.text();
    fs::write(&file, text).map_err(|error| format!("{file}: {error}"))?;
    println!(
        "{} seed {seed}: {} lines, digest {:016x}, {} s of its own time, {} steps",
        scenario.name,
        report.trace.lines(),
        report.trace.digest(),
        report.lasted.as_secs(),
        report.steps
    );
    println!("trace: {file}");
    tell(&report.counts);
    if report.broken.is_empty() {
        return Ok(());
    }
    Err(words(&report))
}

fn words(report: &Report) -> String {
    let mut text = format!("{} seed {}:", report.scenario, report.seed);
    for broken in &report.broken {
        text.push_str("\n  ");
        text.push_str(broken);
    }
    text
}

#[derive(Default)]
struct Tally {
    counts: BTreeMap<(&'static str, std::borrow::Cow<'static, str>), u64>,
    failed: Vec<Report>,
    steps: u64,
}

/// Plays seed after seed on every core.
fn search(order: &Order) -> Result<(), String> {
    let begun = Instant::now();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let stop = AtomicBool::new(false);
    let tally = Mutex::new(Tally::default());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let place = next.fetch_add(1, Ordering::SeqCst);
                    if place >= order.seeds {
                        return;
                    }
                    let seed = order.first + place;
                    let Some(scenario) = scenario_of(order, seed) else {
                        return;
                    };
                    let report = run(scenario, seed, false);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    for (what, times) in &report.counts {
                        *tally.counts.entry(what.clone()).or_default() += times;
                    }
                    tally.steps += report.steps;
                    if !report.broken.is_empty() {
                        eprintln!("{}", words(&report));
                        tally.failed.push(report);
                        stop.store(tally.failed.len() >= 10, Ordering::SeqCst);
                    }
                    let done = done.fetch_add(1, Ordering::SeqCst) + 1;
                    if done.is_multiple_of(500) {
                        eprintln!("{done} seeds, {} s", begun.elapsed().as_secs());
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(&tally.counts);
    let (done, seconds) = (done.load(Ordering::SeqCst), begun.elapsed().as_secs_f64());
    println!(
        "{done} seeds, {} steps, {seconds:.1} s on {threads} cores",
        tally.steps
    );
    let Some(first) = tally.failed.iter().min_by_key(|report| report.seed) else {
        return Ok(());
    };
    let (name, seed) = (first.scenario, first.seed);
    let file = format!("target/simulate-{name}-{seed}.trace");
    let again = run(scenario_of(order, seed).ok_or("no scenario")?, seed, true);
    let same = again.trace.digest() == first.trace.digest();
    fs::write(&file, again.trace.text()).map_err(|error| format!("{file}: {error}"))?;
    Err(format!(
        "{} of {done} seeds failed.\n{}\ntrace: {file}{}\nagain: cargo xtask simulate --scenario {name} --seed {seed}",
        tally.failed.len(),
        words(first),
        if same {
            ""
        } else {
            " (it went otherwise than the first time!)"
        }
    ))
}

fn tell(counts: &BTreeMap<(&'static str, std::borrow::Cow<'static, str>), u64>) {
    let mut kind = "";
    for ((of, name), times) in counts {
        if *of != kind {
            println!("{of}");
            kind = of;
        }
        println!("  {times:>12}  {name}");
    }
}
