//! `simulate [--seeds N] [--seed S] [--scenario NAME] [--clients N] [--bookings N] [--planted NAME] [--trace FILE] [--digests N]`: see
//! `cargo xtask help`, and `docs/simulacion.md`.

use std::{
    env, fs,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use simulate::{Plan, Planted, Report, SCENARIOS, Scenario, exercised, search};

/// So many seeds are played where nobody says.
const SEEDS: u64 = 1_000;
/// A search of so many seeds comes by everything that there is.
const MANY: u64 = 10_000;
/// It is told how far a search is, each time so many seconds have passed.
const OFTEN: u64 = 20;

/// What to do.
struct Order {
    plan: Plan,
    /// Where the trace goes.
    trace: Option<String>,
    /// A seed by itself is told of line by line.
    one: bool,
    /// The digest of each trace is all that is told.
    digests: bool,
    /// All scenarios, as they are, are played.
    whole: bool,
}

fn main() -> ExitCode {
    match read(env::args().skip(1)).and_then(|order| play(&order)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn read(mut words: impl Iterator<Item = String>) -> Result<Order, String> {
    let mut order = Order {
        plan: Plan {
            first: 0,
            seeds: SEEDS,
            scenarios: SCENARIOS.to_vec(),
            planted: None,
            one_is_enough: false,
        },
        trace: None,
        one: false,
        digests: false,
        whole: true,
    };
    let (mut many, mut clients, mut bookings) = (false, None, None);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let plan = &mut order.plan;
        match word.as_str() {
            "--seeds" => (plan.seeds, many) = (number(&value()?)?, true),
            "--digests" => (plan.seeds, order.digests) = (number(&value()?)?, true),
            "--seed" => (plan.first, order.one) = (number(&value()?)?, true),
            "--clients" => clients = Some(number(&value()?)?),
            "--bookings" => bookings = Some(number(&value()?)?),
            "--trace" => order.trace = Some(value()?),
            "--planted" => plan.planted = Some(planted(&value()?)?),
            "--scenario" => {
                plan.scenarios = vec![scenario(&value()?)?];
                order.whole = false;
            }
            other => return Err(format!("{other:?} is no option of simulate")),
        }
    }
    if let Some(planted) = order.plan.planted.filter(|_| order.whole) {
        order.plan.scenarios = planted.scenarios();
    }
    for scenario in &mut order.plan.scenarios {
        scenario.clients = clients.unwrap_or(scenario.clients);
        scenario.bookings = bookings.unwrap_or(scenario.bookings);
    }
    order.whole &= clients.or(bookings).is_none() && order.plan.planted.is_none();
    order.one &= !many && !order.digests;
    order.plan.one_is_enough = order.plan.planted.is_some();

    Ok(order)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let known = || SCENARIOS.iter().map(|known| (known.name, known.about));
    let found = Scenario::named(name).copied();
    found.ok_or_else(|| unknown("scenario", name, known()))
}

fn planted(name: &str) -> Result<Planted, String> {
    let known = || {
        Planted::ALL
            .iter()
            .map(|known| (known.name(), known.about()))
    };
    Planted::named(name).ok_or_else(|| unknown("mistake", name, known()))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let known = known.map(|(name, about)| format!("\n  {name:<20}{about}"));
    let known: String = known.collect();
    format!("There is no {what} {name:?}. There are:{known}")
}

fn play(order: &Order) -> Result<(), String> {
    if order.digests {
        return digests(&order.plan);
    }
    if order.one {
        return play_one(order);
    }
    search_all(order)
}

/// A line for each seed, by which two builds can be compared.
fn digests(plan: &Plan) -> Result<(), String> {
    for seed in plan.first..plan.first + plan.seeds {
        let report = plan.play(seed, false).ok_or("no scenario")?;
        let (name, digest) = (report.scenario, report.trace.digest());
        println!("{name} {seed} {digest:016x}");
    }
    Ok(())
}

fn play_one(order: &Order) -> Result<(), String> {
    let seed = order.plan.first;
    let report = order.plan.play(seed, true).ok_or("no scenario")?;
    let file = keep(&report, order.trace.as_deref())?;
    println!(
        "{} seed {seed}: {} lines, digest {:016x}, {} s of its own time, {} sagas, {} steps",
        report.scenario,
        report.trace.lines(),
        report.trace.digest(),
        report.lasted.as_secs(),
        report.sagas,
        report.steps
    );
    println!("trace: {file}");
    print!("{}", exercised::told(&report.counts));
    if report.broken.is_empty() {
        return Ok(());
    }
    Err(words(&report))
}

/// Writes the trace of a run where it is wanted; says where.
fn keep(report: &Report, file: Option<&str>) -> Result<String, String> {
    let usual = || format!("target/simulate-{}-{}.trace", report.scenario, report.seed);
    let file = file.map_or_else(usual, str::to_owned);
    let written = fs::write(&file, report.trace.text());
    written.map_err(|error| format!("{file}: {error}"))?;
    Ok(file)
}

fn words(report: &Report) -> String {
    let mut text = format!("{} seed {}:", report.scenario, report.seed);
    for broken in &report.broken {
        text.push_str("\n  ");
        text.push_str(broken);
    }
    text
}

/// Plays seed after seed on every core.
fn search_all(order: &Order) -> Result<(), String> {
    let (plan, begun) = (&order.plan, Instant::now());
    let told = AtomicU64::new(0);
    let tally = search(plan, |report, played| {
        if !report.broken.is_empty() {
            eprintln!("{}", words(report));
        }
        let lasted = begun.elapsed().as_secs();
        if lasted >= told.load(Ordering::SeqCst) + OFTEN {
            told.store(lasted, Ordering::SeqCst);
            eprintln!("{played} seeds, {lasted} s");
        }
    });
    let lasted = begun.elapsed();
    print!("{}", exercised::told(&tally.counts));
    let (seeds, sagas) = (tally.played, tally.sagas);
    let each = lasted.as_micros() / u128::from(sagas.max(1));
    println!(
        "{seeds} seeds, {sagas} sagas, {} steps, {:.1} s: {each} µs a saga",
        tally.steps,
        lasted.as_secs_f64()
    );
    if let Some(planted) = plan.planted {
        let found = tally.failed.first();
        let found = found.ok_or_else(|| format!("{} was not found", planted.name()))?;
        let (name, promise) = (planted.name(), planted.promise());
        println!(
            "{name} is found: it breaks \"{promise}\".\n{}",
            words(found)
        );
        return Ok(());
    }
    let Some(first) = tally.failed.first() else {
        return complete(order, &tally.counts);
    };
    let again = plan.play(first.seed, true).ok_or("no scenario")?;
    let same = again.trace.digest() == first.trace.digest();
    let file = keep(&again, order.trace.as_deref())?;
    Err(format!(
        "{} of {seeds} seeds failed.\n{}\ntrace: {file}{}\nagain: cargo xtask simulate --scenario {} --seed {}{}",
        tally.failed.len(),
        words(first),
        if same {
            ""
        } else {
            " (it went otherwise than the first time!)"
        },
        first.scenario,
        first.seed,
        size(plan, first.scenario),
    ))
}

/// The options of a world that is not as large as its scenario says.
fn size(plan: &Plan, scenario: &str) -> String {
    let mut scenarios = plan.scenarios.iter();
    let played = scenarios.find(|played| played.name == scenario);
    let (Some(played), Some(usual)) = (played, Scenario::named(scenario)) else {
        return String::new();
    };
    let options = [
        ("clients", played.clients, usual.clients),
        ("bookings", played.bookings, usual.bookings),
    ];
    let other = options.iter().filter(|(_, played, usual)| played != usual);
    let words =
        other.flat_map(|(option, played, _)| [format!(" --{option}"), format!(" {played}")]);
    words.collect()
}

/// Tells what never happened; after so many seeds that is a failure.
fn complete(order: &Order, counts: &exercised::Counts) -> Result<(), String> {
    let never = exercised::never(counts);
    for what in &never {
        println!("never: {what}");
    }
    if order.whole && order.plan.seeds >= MANY && !never.is_empty() {
        return Err(format!("{} things never happened", never.len()));
    }
    Ok(())
}
