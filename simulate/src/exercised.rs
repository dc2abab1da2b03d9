//! What runs came by, and what they never did.
//!
//! A search that never comes by something proves nothing about it. So all that a world can do is listed here, and a long search in
//! which some of it never happened fails.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use alpes_saga::{Direction, Meaning, Saga, SagaMode, Status, What};
use simulation::Kernel;
use source_mapping::Rule;

/// What happened, by kind and name, and how often.
pub type Counts = BTreeMap<(&'static str, Cow<'static, str>), u64>;

/// The kind of what a saga's log says, with its mode.
const LINE: &str = "saga line";
/// The kind of how a saga ended, with its mode.
const END: &str = "saga end";
/// The kind of the rules of mappings.
const RULE: &str = "rule";

/// What happens to effects, functions, mappings, the schedule and clocks; and what operators do.
const HAPPENS: &[(&str, &[&str])] = &[
    ("clocks", &["back", "forward"]),
    (
        "fault",
        &[
            "conflict",
            "conflict among failed conditions",
            "fails before",
            "fails after",
            "gap",
            "happens twice",
            "happens late",
            "index lags",
            "kills before",
            "kills after",
            "slow",
            "stale read",
            "throttled",
        ],
    ),
    (
        "execution",
        &[
            "cancelled where it was stuck",
            "failed",
            "forgotten: Compensated",
            "forgotten: Completed",
            "forgotten: NeedsIntervention",
            "redriven at once",
            "stopped",
            "timed out",
        ],
    ),
    (
        "lambda",
        &[
            "answered",
            "cold start",
            "could not bear a record",
            "died",
            "failed",
            "started twice",
            "throttled",
            "timed out",
            "warm start",
        ],
    ),
    ("large", &["accepted", "refused"]),
    ("log", &["poison", "reservation of the first builds"]),
    (
        "mapping",
        &[
            "discarded",
            "expired",
            "gave up a shard",
            "lease lost",
            "made anew",
            "merge",
            "split",
        ],
    ),
    (
        "operator",
        &[
            "deployed a build with a mistake",
            "deployed a build: newer",
            "deployed a build: older",
            "deployed a state machine: newer",
            "deployed a state machine: older",
            "deployed everything anew",
            "discarded what nobody can read",
            "had a saga go on",
            "had a saga go on in vain",
            "rebuilt a view",
            "may not have a saga go on any more",
            "redrove an execution",
            "repaired participants",
            "the projector is down",
            "took a saga over",
            "undid a step by hand",
        ],
    ),
    ("other builds", &["parked", "reaction", "saga"]),
    (
        "participant",
        &[
            "error AprobarReserva",
            "error CancelarReserva",
            "error ConfirmarReserva",
            "error PagarReserva",
            "error RevertirConfirmacion",
            "error RevertirPago",
            "silence AprobarReserva",
            "silence CancelarReserva",
            "silence ConfirmarReserva",
            "silence PagarReserva",
            "silence RevertirConfirmacion",
            "silence RevertirPago",
        ],
    ),
    (
        "reader",
        &[
            "followed a saga",
            "followed events",
            "read a report",
            "read everything",
            "saw a saga before it began",
            "walked through a list",
            "walked through sagas",
        ],
    ),
    (
        "refused",
        &["a cancellation", "a resumption", "an odd letter"],
    ),
    ("schedule", &["late", "silent", "twice"]),
    ("stream", &["forgot records"]),
    ("timers", &["a few things at once"]),
];

/// What a saga's log says, by who moves the saga on. `CommandRejected` is never to come, and is for `shared/testing/saga-kit`: a participant
/// refuses nothing that this definition sends.
const LINES: &[(SagaMode, &[&str])] = &[
    (
        SagaMode::Orchestration,
        &[
            "CancellationRequested",
            "CommandImpossible",
            "CommandSent",
            "CompensationSent",
            "Ended",
            "EventReceived doubt",
            "EventReceived failure",
            "EventReceived note",
            "EventReceived reversal",
            "EventReceived success",
            "NeedsIntervention",
            "NoAnswer do",
            "NoAnswer undo",
            "Resumed",
            "Started",
            "StepMarked",
            "TakenOver",
            "TimedOut do",
            "TimedOut undo",
        ],
    ),
    (
        SagaMode::Choreography,
        &[
            "Delayed",
            "Ended",
            "EventReceived failure",
            "EventReceived note",
            "EventReceived reversal",
            "EventReceived success",
            "Started",
        ],
    ),
    (
        SagaMode::StepFunctions,
        &[
            "CancellationRequested",
            "Delayed",
            "Ended",
            "EventReceived failure",
            "EventReceived note",
            "EventReceived reversal",
            "EventReceived success",
            "ExecutionStarted do",
            "ExecutionStarted undo",
            "NeedsIntervention",
            "Started",
        ],
    ),
];

/// How a saga can stand in the end, by who moves it on.
const ENDS: &[(SagaMode, &[Status])] = &[
    (
        SagaMode::Orchestration,
        &[Status::Completed, Status::Compensated],
    ),
    (
        SagaMode::Choreography,
        &[Status::Completed, Status::Compensated],
    ),
    (
        SagaMode::StepFunctions,
        &[Status::Completed, Status::Compensated],
    ),
];

/// What a line of a saga's log is.
fn line(what: &What) -> &'static str {
    match what {
        What::Started { .. } => "Started",
        What::CommandSent { .. } => "CommandSent",
        What::EventReceived { meaning, .. } => match meaning {
            Meaning::Success => "EventReceived success",
            Meaning::Failure => "EventReceived failure",
            Meaning::Doubt => "EventReceived doubt",
            Meaning::Reversal => "EventReceived reversal",
            Meaning::Note => "EventReceived note",
        },
        What::CommandRejected { .. } => "CommandRejected",
        What::CommandImpossible { .. } => "CommandImpossible",
        What::NoAnswer { direction, .. } => match direction {
            Direction::Do => "NoAnswer do",
            Direction::Undo => "NoAnswer undo",
        },
        What::TimedOut { direction, .. } => match direction {
            Direction::Do => "TimedOut do",
            Direction::Undo => "TimedOut undo",
        },
        What::ExecutionStarted { direction, .. } => match direction {
            Direction::Do => "ExecutionStarted do",
            Direction::Undo => "ExecutionStarted undo",
        },
        What::CancellationRequested { .. } => "CancellationRequested",
        What::CompensationSent { .. } => "CompensationSent",
        What::NeedsIntervention { .. } => "NeedsIntervention",
        What::Resumed { .. } => "Resumed",
        What::StepMarked { .. } => "StepMarked",
        What::TakenOver {} => "TakenOver",
        What::Delayed {} => "Delayed",
        What::Ended { .. } => "Ended",
    }
}

fn of(mode: SagaMode, what: &str) -> String {
    format!("{mode:?}: {what}")
}

/// Counts what became of a saga.
pub(crate) fn count(kernel: &Kernel, saga: &Saga) {
    for entry in &saga.log {
        kernel.count(LINE, of(saga.mode, line(&entry.what)));
    }
    kernel.count(END, of(saga.mode, saga.status.name()));
}

/// How many sagas were counted.
#[must_use]
pub fn sagas(counts: &Counts) -> u64 {
    let ends = counts.iter().filter(|((kind, _), _)| *kind == END);
    ends.map(|(_, times)| times).sum()
}

/// All that a long search must come by.
fn expected() -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
    let happens = HAPPENS.iter().flat_map(|(kind, names)| {
        let names = names.iter();
        names.map(|name| (*kind, Cow::Borrowed(*name)))
    });
    let lines = LINES.iter().flat_map(|(mode, lines)| {
        let lines = lines.iter();
        lines.map(|line| (LINE, of(*mode, line).into()))
    });
    let ends = ENDS.iter().flat_map(|(mode, ends)| {
        let ends = ends.iter();
        ends.map(|end| (END, of(*mode, end.name()).into()))
    });
    let rules = Rule::ALL.iter().map(|rule| (RULE, rule.id().into()));
    happens.chain(lines).chain(ends).chain(rules)
}

/// What was to be expected, and never came.
#[must_use]
pub fn never(counts: &Counts) -> Vec<String> {
    let missing = expected().filter(|what| !counts.contains_key(what));
    missing
        .map(|(kind, name)| format!("{kind}: {name}"))
        .collect()
}

/// Counts as text, a line each.
#[must_use]
pub fn told(counts: &Counts) -> String {
    let mut text = String::new();
    let mut kind = "";
    for ((of, name), times) in counts {
        if *of != kind {
            text.push_str(of);
            text.push('\n');
            kind = of;
        }
        // A string takes whatever is written to it.
        let _ = writeln!(text, "  {times:>12}  {name}");
    }
    text
}
