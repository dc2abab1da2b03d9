//! The price of a million approved sagas, by AWS's list prices.
//!
//! The prices are in US dollars, for us-east-1, without free tiers and discounts. Sources: the pricing pages of AWS
//! Lambda, Amazon `DynamoDB` (on-demand capacity, standard tables), Amazon Kinesis Data Streams (provisioned mode) and
//! AWS Step Functions at aws.amazon.com, as of [`AS_OF`].

use serde::Serialize;

use super::calls::{API, ORCHESTRATOR, SagaCalls};

/// The month in which these prices were read.
pub const AS_OF: &str = "November 2026";

/// Prices for a million units, or for a GB-second.
const LAMBDA_REQUESTS: f64 = 0.20;
const LAMBDA_GB_SECOND: f64 = 0.000_016_666_7;
const WRITE_UNITS: f64 = 0.625;
const READ_UNITS: f64 = 0.125;
const PUT_UNITS: f64 = 0.014;
const STANDARD_TRANSITIONS: f64 = 25.0;
const EXPRESS_REQUESTS: f64 = 1.0;
const EXPRESS_GB_SECOND: f64 = 0.000_016_67;

/// The memory of every function in the template, in GB.
const FUNCTION_GB: f64 = 0.25;
/// The least memory in GB, and the least time in ms, for which AWS bills an express workflow.
const EXPRESS_GB: f64 = 0.0625;
const EXPRESS_STEP_MS: f64 = 100.0;

const MILLION: f64 = 1_000_000.0;

/// Measured durations of one saga.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Durations {
    /// The time from the saga's first to its last log entry, in ms.
    pub saga: f64,
    /// The duration of an orchestrator's invocation with almost nothing to do, in ms.
    pub idle: f64,
    /// The duration of an invocation of `http-commands`, in ms.
    pub api: f64,
}

/// A line of a bill.
#[derive(Debug, Serialize)]
pub struct Line {
    pub what: String,
    /// The number of units that one saga takes.
    pub quantity: f64,
    pub unit: &'static str,
    /// The price of a million units.
    pub price: f64,
    /// The price of a million sagas.
    pub dollars: f64,
}

#[derive(Debug, Serialize)]
pub struct Bill {
    pub lines: Vec<Line>,
}

impl Bill {
    pub fn total(&self) -> f64 {
        self.lines.iter().map(|line| line.dollars).sum()
    }
}

/// The bill of each engine, and the costs that are the same for all engines.
#[derive(Debug, Serialize)]
pub struct Costs {
    pub durations: Durations,
    pub ours: Bill,
    pub standard: Bill,
    pub express: Bill,
    /// The orchestrator's cost of starting and watching executions, which the bills of both kinds of state machine
    /// include.
    pub watching: Bill,
    pub common: Bill,
}

/// `calls` are the calls of a saga that the orchestrator runs, `machine` those of a saga that Step Functions runs.
pub fn costs(calls: &SagaCalls, machine: &SagaCalls, durations: Durations) -> Costs {
    Costs {
        durations,
        ours: driving(
            calls,
            durations.saga + durations.idle * number(calls.batches),
        ),
        standard: standard(machine, durations),
        express: express(machine, durations),
        watching: watching(machine, durations),
        common: common(calls, durations),
    }
}

fn line(what: impl Into<String>, quantity: f64, unit: &'static str, price: f64) -> Line {
    Line {
        what: what.into(),
        quantity,
        unit,
        price,
        dollars: quantity * price,
    }
}

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// The lines of a function's bill, for this many requests and this many milliseconds in total.
fn lambda(who: &str, requests: usize, milliseconds: f64) -> [Line; 2] {
    let gb_seconds = FUNCTION_GB * milliseconds / 1_000.0;
    let price = LAMBDA_GB_SECOND * MILLION;
    [
        line(
            format!("Lambda, {who}"),
            number(requests),
            "requests",
            LAMBDA_REQUESTS,
        ),
        line(
            format!("Lambda, {milliseconds:.0} ms of 256 MB"),
            gb_seconds,
            "GB-s",
            price,
        ),
    ]
}

/// The orchestrator's bill for a saga that it runs, with `time` ms in total. The first batch reads, runs and stores the
/// saga, and each further batch reads the saga.
fn driving(calls: &SagaCalls, time: f64) -> Bill {
    let share = calls.of(ORCHESTRATOR);
    let [requests, time] = lambda(ORCHESTRATOR, calls.batches, time);
    Bill {
        lines: vec![
            requests,
            time,
            line(
                "DynamoDB, writes of the saga's item",
                number(share.item_writes),
                "write units",
                WRITE_UNITS,
            ),
            line(
                "DynamoDB, writes of its indexes",
                number(share.index_writes),
                "write units",
                WRITE_UNITS,
            ),
            line(
                "DynamoDB, reads",
                number(share.reads),
                "read units",
                READ_UNITS,
            ),
        ],
    }
}

fn watching(machine: &SagaCalls, durations: Durations) -> Bill {
    driving(machine, durations.idle * number(machine.batches))
}

/// The bill of an execution, and of the orchestrator that starts and watches it.
fn by_machine(
    execution: impl IntoIterator<Item = Line>,
    machine: &SagaCalls,
    durations: Durations,
) -> Bill {
    let watching = watching(machine, durations).lines;
    Bill {
        lines: execution.into_iter().chain(watching).collect(),
    }
}

fn standard(machine: &SagaCalls, durations: Durations) -> Bill {
    let transitions = u32::try_from(machine.transitions).map_or(f64::INFINITY, f64::from);
    let execution = line(
        "the execution",
        transitions,
        "state transitions",
        STANDARD_TRANSITIONS,
    );
    by_machine([execution], machine, durations)
}

fn express(machine: &SagaCalls, durations: Durations) -> Bill {
    let charged = (durations.saga / EXPRESS_STEP_MS).ceil().max(1.0) * EXPRESS_STEP_MS;
    let execution = [
        line("start", 1.0, "requests", EXPRESS_REQUESTS),
        line(
            format!("{charged:.0} ms of 64 MB"),
            EXPRESS_GB * charged / 1_000.0,
            "GB-s",
            EXPRESS_GB_SECOND * MILLION,
        ),
    ];
    by_machine(execution, machine, durations)
}

fn common(calls: &SagaCalls, durations: Durations) -> Bill {
    let sum = |of: &dyn Fn(&super::meter::Share) -> usize| number(calls.common().map(of).sum());
    let functions = calls.of(API).total().min(1) + calls.of(ORCHESTRATOR).count("Invoke");
    // Participants run one after another while the saga waits for them, so together they take at most as long as the
    // saga.
    let time = durations.api + durations.saga;
    let [requests, time] = lambda("http-commands and participants", functions, time);
    let writes = sum(&|share| share.write_units());
    Bill {
        lines: vec![
            requests,
            time,
            line("DynamoDB, writes", writes, "write units", WRITE_UNITS),
            line(
                "DynamoDB, reads",
                sum(&|share| share.reads),
                "read units",
                READ_UNITS,
            ),
            line(
                "Kinesis, records",
                sum(&|share| share.puts),
                "put units",
                PUT_UNITS,
            ),
        ],
    }
}

/// The price of 100 ms more of the orchestrator, for a million sagas.
pub fn of_100_ms() -> f64 {
    FUNCTION_GB * 0.1 * LAMBDA_GB_SECOND * MILLION
}

#[cfg(test)]
mod tests {
    use crate::sagas::meter::Share;

    use super::*;

    const DURATIONS: Durations = Durations {
        saga: 120.0,
        idle: 4.0,
        api: 10.0,
    };

    fn is(found: f64, wanted: f64) {
        assert!((found - wanted).abs() < 1e-6, "{found}, not {wanted}");
    }

    fn calls() -> SagaCalls {
        let saga = Share {
            calls: [("GetItem", 2), ("Invoke", 3), ("UpdateItem", 5)].into(),
            item_writes: 16,
            index_writes: 4,
            reads: 2,
            puts: 0,
            written: vec![],
        };
        let api = Share {
            calls: [("PutRecord", 1), ("UpdateItem", 2)].into(),
            item_writes: 4,
            index_writes: 2,
            reads: 0,
            puts: 1,
            written: vec![],
        };
        SagaCalls {
            shares: vec![(API, api), (ORCHESTRATOR, saga)],
            batches: 2,
            transitions: 0,
            facts: vec![],
        }
    }

    /// A saga whose execution costs nothing to watch.
    fn machine() -> SagaCalls {
        SagaCalls {
            shares: vec![],
            batches: 0,
            transitions: 5,
            facts: vec![],
        }
    }

    #[test]
    fn ours_is_two_invocations_and_its_table() {
        let bill = costs(&calls(), &machine(), DURATIONS).ours;
        let dollars: Vec<_> = bill.lines.iter().map(|line| line.dollars).collect();
        // 2 × 0.20; 0.25 GB × 0.128 s × 16.6667; 16 × 0.625; 4 × 0.625; 2 × 0.125.
        for (found, wanted) in dollars.iter().zip([0.40, 0.533_334_4, 10.0, 2.5, 0.25]) {
            is(*found, wanted);
        }
        is(bill.total(), 13.683_334_4);
    }

    #[test]
    fn a_standard_workflow_pays_by_transition() {
        is(
            costs(&calls(), &machine(), DURATIONS).standard.total(),
            125.0,
        );
        let watched = SagaCalls {
            transitions: 5,
            ..calls()
        };
        let bill = costs(&calls(), &watched, DURATIONS).standard;
        // 2 × 0.20; 0.25 GB × 0.008 s × 16.6667; 16 × 0.625; 4 × 0.625; 2 × 0.125.
        is(bill.total(), 125.0 + 0.40 + 0.033_333_4 + 10.0 + 2.5 + 0.25);
    }

    #[test]
    fn an_express_workflow_pays_by_started_hundred_milliseconds() {
        // 1 + 0.0625 GB × 0.2 s × 16.67.
        is(
            costs(&calls(), &machine(), DURATIONS).express.total(),
            1.208_375,
        );
        let brief = Durations {
            saga: 0.0,
            ..DURATIONS
        };
        is(
            costs(&calls(), &machine(), brief).express.total(),
            1.104_187_5,
        );
    }

    #[test]
    fn what_is_common_leaves_the_orchestrator_out() {
        let bill = costs(&calls(), &machine(), DURATIONS).common;
        let dollars: Vec<_> = bill.lines.iter().map(|line| line.dollars).collect();
        // 4 × 0.20; 0.25 GB × 0.13 s × 16.6667; 6 × 0.625; nothing read; 1 × 0.014.
        for (found, wanted) in dollars.iter().zip([0.80, 0.541_667_75, 3.75, 0.0, 0.014]) {
            is(*found, wanted);
        }
        is(of_100_ms(), 0.416_667_5);
    }
}
