//! Counts the occurrences in runs, and lists the expected occurrences that never came.
//!
//! A search proves nothing about a situation that it never reached. So the expected situations are listed here, and a
//! long search that misses one fails.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use alpes_saga::{Direction, Meaning, Saga, SagaMode, Status, What};
use simulation::Kernel;
use source_mapping::Rule;

/// The number of occurrences, by kind and name.
pub type Counts = BTreeMap<(&'static str, Cow<'static, str>), u64>;

/// The kind under which the entries of sagas' logs are counted. The names begin with the saga's mode.
const LINE: &str = "saga line";
/// The kind under which the last statuses of sagas are counted. The names begin with the saga's mode.
const END: &str = "saga end";
/// The kind under which the applied rules of event source mappings are counted.
const RULE: &str = "rule";

/// The expected occurrences around effects, functions, event source mappings, the schedule, clocks and operators.
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
            "failed on a record",
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
            "replaced",
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
            "redeployed everything",
            "discarded unreadable records",
            "resumed a saga",
            "resumed a saga in vain",
            "rebuilt a view",
            "may not resume a saga any more",
            "redrove an execution",
            "repaired participants",
            "the projector is down",
            "took over a saga",
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
            "read a list",
            "read a list of sagas",
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

/// The expected entries of sagas' logs, by mode. `CommandRejected` is missing, because no participant refuses a command
/// of this definition; `shared/testing/saga-kit` tests that entry.
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

/// The expected last statuses of sagas, by mode.
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

/// The name of an entry of a saga's log.
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

/// Counts the log entries and the last status of a saga.
pub(crate) fn count(kernel: &Kernel, saga: &Saga) {
    for entry in &saga.log {
        kernel.count(LINE, of(saga.mode, line(&entry.what)));
    }
    kernel.count(END, of(saga.mode, saga.status.name()));
}

/// The number of sagas in the counts: the sum over all last statuses.
#[must_use]
pub fn sagas(counts: &Counts) -> u64 {
    let ends = counts.iter().filter(|((kind, _), _)| *kind == END);
    ends.map(|(_, times)| times).sum()
}

/// Everything that a long search must reach.
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

/// The expected occurrences that never came.
#[must_use]
pub fn never(counts: &Counts) -> Vec<String> {
    let missing = expected().filter(|what| !counts.contains_key(what));
    missing
        .map(|(kind, name)| format!("{kind}: {name}"))
        .collect()
}

/// The counts as text, with one count on each line.
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
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  {times:>12}  {name}");
    }
    text
}
