//! The program `simulate`: see `cargo xtask simulate --help` and `docs/simulation.md`.

/// The `println!` and `eprintln!` of this crate replace those of std, which panic when the reader has closed the pipe.
#[macro_use]
extern crate command_line;

use std::{
    env, fs, iter,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use command_line::Words;
use simulate::{Plan, Planted, Report, SCENARIOS, Scenario, exercised, search};

/// The number of seeds if the command line names none.
const SEEDS: u64 = 1_000;
/// A search with at least `MANY` seeds must reach everything that [`exercised`] lists.
const MANY: u64 = 10_000;
/// How often a search reports its progress, in seconds.
const OFTEN: u64 = 20;

/// The kind of output.
enum Told {
    /// The result of a search.
    Search,
    /// The outcome of one seed, and a file with its trace.
    One,
    /// Only the digest of each trace.
    Digests,
}

/// The parsed command line.
struct Order {
    plan: Plan,
    /// The file for the trace.
    trace: Option<String>,
    told: Told,
    /// True if all scenarios are played, each with its own number of clients and reservations, and no mistake is
    /// planted.
    whole: bool,
    /// True if the counts are printed too.
    counts: bool,
}

/// The reason why the program fails.
enum Failure {
    /// The command line is wrong.
    Wrong(String),
    /// An invariant broke, or something could not be done.
    Failed(String),
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Self::Failed(why.to_owned())
    }
}

fn main() -> ExitCode {
    // `cargo xtask simulate …` runs this program with the same arguments.
    let words = env::args_os().skip(1);
    let words = words.map(|word| word.to_string_lossy().into_owned());
    let words = match command_line::read(iter::once("simulate".to_owned()).chain(words)) {
        Ok(words) => words,
        Err(code) => return code,
    };
    match order(&words).and_then(|order| play(&order)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Wrong(why)) => command_line::wrong(&why),
        Err(Failure::Failed(why)) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn order(words: &Words) -> Result<Order, Failure> {
    let digests = words.number("--digests");
    let seeds = digests.or(words.number("--seeds"));
    let first = words.number("--seed");
    let planted = words.value("--planted").map(planted).transpose()?;
    let mut scenarios = match (words.value("--scenario"), planted) {
        (Some(name), _) => vec![scenario(name)?],
        (None, Some(planted)) => planted.scenarios(),
        (None, None) => SCENARIOS.to_vec(),
    };
    let (clients, bookings) = (words.number("--clients"), words.number("--bookings"));
    for scenario in &mut scenarios {
        scenario.clients = clients.unwrap_or(scenario.clients);
        scenario.bookings = bookings.unwrap_or(scenario.bookings);
    }
    Ok(Order {
        plan: Plan {
            first: first.unwrap_or_default(),
            seeds: seeds.unwrap_or(SEEDS),
            scenarios,
            planted,
            one_is_enough: planted.is_some(),
        },
        trace: words.value("--trace").map(str::to_owned),
        told: match (digests, first, seeds) {
            (Some(_), ..) => Told::Digests,
            (None, Some(_), None) => Told::One,
            _ => Told::Search,
        },
        whole: words.value("--scenario").is_none()
            && clients.or(bookings).is_none()
            && planted.is_none(),
        counts: words.flag("--counts"),
    })
}

fn scenario(name: &str) -> Result<Scenario, Failure> {
    let known = || SCENARIOS.iter().map(|known| (known.name, known.about));
    let found = Scenario::named(name).copied();
    found.ok_or_else(|| unknown("scenario", name, known()))
}

fn planted(name: &str) -> Result<Planted, Failure> {
    let known = || {
        Planted::ALL
            .iter()
            .map(|known| (known.name(), known.about()))
    };
    Planted::named(name).ok_or_else(|| unknown("mistake", name, known()))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = (&'a str, &'a str)>) -> Failure {
    let known = known.map(|(name, about)| format!("\n  {name:<20}{about}"));
    let known: String = known.collect();
    Failure::Wrong(format!("there is no {what} {name:?}. There are:{known}"))
}

fn play(order: &Order) -> Result<(), Failure> {
    match order.told {
        Told::Digests => digests(&order.plan),
        Told::One => play_one(order),
        Told::Search => search_all(order),
    }
}

/// Prints a line for each seed, so that two builds can be compared.
fn digests(plan: &Plan) -> Result<(), Failure> {
    for seed in plan.first..plan.first + plan.seeds {
        let report = plan.play(seed, false).ok_or("no scenario")?;
        let (name, digest) = (report.scenario, report.trace.digest());
        println!("{name} {seed} {digest:016x}");
    }
    Ok(())
}

fn play_one(order: &Order) -> Result<(), Failure> {
    let seed = order.plan.first;
    let report = order.plan.play(seed, true).ok_or("no scenario")?;
    let file = keep(&report, order.trace.as_deref())?;
    println!(
        "{} seed {seed}: {} lines, digest {:016x}, {} s of virtual time, {} sagas, {} steps",
        report.scenario,
        report.trace.lines(),
        report.trace.digest(),
        report.lasted.as_secs(),
        report.sagas,
        report.steps
    );
    println!("trace: {file}");
    if order.counts {
        print!("{}", exercised::told(&report.counts));
    }
    if report.broken.is_empty() {
        println!("every promise held in 1 run");
        return Ok(());
    }
    Err(words(&report).into())
}

/// Writes the trace of a run to `file` or to a default file, and returns its path.
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

/// Plays the plan's seeds on every core.
fn search_all(order: &Order) -> Result<(), Failure> {
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
    if order.counts {
        print!("{}", exercised::told(&tally.counts));
    }
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
        return complete(order, &tally.counts, seeds);
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
            " (the second run differed from the first!)"
        },
        first.scenario,
        first.seed,
        size(plan, first.scenario),
    )
    .into())
}

/// The options that give the world its size, if this size differs from the scenario's.
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

/// Prints as the last line that every promise held. Before this line, if the counts are printed, it lists the expected
/// occurrences that never came. A search of all scenarios with at least 10,000 seeds also lists them, and fails if
/// there are any.
fn complete(order: &Order, counts: &exercised::Counts, seeds: u64) -> Result<(), Failure> {
    let never = exercised::never(counts);
    let all_must_come = order.whole && order.plan.seeds >= MANY;
    if order.counts || all_must_come {
        for what in &never {
            println!("never: {what}");
        }
    }
    let runs = if seeds == 1 { "run" } else { "runs" };
    println!("every promise held in {seeds} {runs}");
    if all_must_come && !never.is_empty() {
        let never = never.len();
        return Err(format!(
            "but the search is not complete: {never} things never happened, see above"
        )
        .into());
    }
    Ok(())
}
