//! The results about sagas, as text and tables.

use std::fmt::Write;

use serde::Serialize;

use super::{
    calls::{API, Engine, ORCHESTRATOR, SagaCalls},
    engines::{self, Engines},
    load::SagaLoad,
    prices::{AS_OF, Bill, Costs, of_100_ms},
};
use crate::stats::ratio;

/// The goal for the number of the orchestrator's writes for one saga.
const TARGET_WRITES: usize = 5;

#[derive(Debug, Serialize)]
pub struct Sagas {
    pub calls: SagaCalls,
    pub by_machine: SagaCalls,
    pub costs: Costs,
    pub load: Vec<SagaLoad>,
    pub engines: Engines,
}

/// The columns: the measurement, the result, and the goal or peer.
type Row = (&'static str, String, String);

impl Sagas {
    /// The rows for the table of a README.
    pub fn rows(&self) -> Vec<Row> {
        let saga = self.calls.of(ORCHESTRATOR);
        let costs = &self.costs;
        let mut rows = vec![
            (
                "AWS calls that drive an approved saga: reads · writes · invocations",
                format!(
                    "{} · {} · {}",
                    saga.count("GetItem"),
                    saga.count("UpdateItem"),
                    saga.count("Invoke")
                ),
                format!("aim ≤ {TARGET_WRITES} writes"),
            ),
            (
                "driving a million approved sagas, AWS list prices",
                format!("${:.2}", costs.ours.total()),
                format!(
                    "Step Functions Standard ${:.2}, Express ${:.2}; ${:.2} of each is to watch it",
                    costs.standard.total(),
                    costs.express.total(),
                    costs.watching.total()
                ),
            ),
        ];
        let of = |engine: Engine| self.speed(engine);
        if let (Some(own), Some(other)) = (of(Engine::Own), of(Engine::StepFunctions)) {
            rows.push((
                "sagas on the local runtime, request to Aprobada, 1 · 8 clients",
                own,
                format!("Step Functions: {other}"),
            ));
        }
        let of = |name| self.engines.standing(name);
        if let (Some(ours), Some(pure), Some(peer)) =
            (of(engines::OURS), of(engines::PURE), of(engines::PEER))
        {
            rows.push((
                "saga engine in memory, four steps: with its table · transitions alone",
                format!(
                    "{:.0} · {:.0} sagas/s",
                    ours.sagas_per_second, pure.sagas_per_second
                ),
                format!(
                    "steno 0.5 {:.0} sagas/s, {:.2} times ours with its table",
                    peer.sagas_per_second,
                    ratio(peer.sagas_per_second, ours.sagas_per_second)
                ),
            ));
        }
        rows
    }

    fn speed(&self, engine: Engine) -> Option<String> {
        let of_it = self.load.iter();
        let of_it = of_it.filter(|load| load.engine == engine.name());
        let [one, .., eight] = of_it.map(|load| &load.load).collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(format!(
            "{:.0} · {:.0} /s, p50 {:.0} · {:.0} ms, p99 {:.0} · {:.0} ms",
            one.per_second, eight.per_second, one.p50, eight.p50, one.p99, eight.p99
        ))
    }

    pub fn write(&self, text: &mut String) {
        self.write_calls(text);
        self.write_costs(text);
        self.write_load(text);
        self.write_engines(text);
    }

    fn write_calls(&self, text: &mut String) {
        let apis = [
            "GetItem",
            "UpdateItem",
            "PutItem",
            "TransactWriteItems",
            "PutRecord",
            "Invoke",
        ];
        let _ = writeln!(
            text,
            "\n### Calls of one approved reservation\n\nThe calls for the sample reservation, from the request to Completada, without the projector, \
             the timers and clients that poll.\n\n| function | {} | other | write units: items · indexes | read units | put units |\n\
             |{}",
            apis.join(" | "),
            " --- |".repeat(apis.len() + 5)
        );
        for (name, share) in &self.calls.shares {
            let counts = apis.map(|api| share.count(api));
            let named: usize = counts.iter().sum();
            let _ = writeln!(
                text,
                "| {name} | {} | {} | {} · {} | {} | {} |",
                counts.map(|count| count.to_string()).join(" | "),
                share.total() - named,
                share.item_writes,
                share.index_writes,
                share.reads,
                share.puts
            );
        }
        let saga = self.calls.of(ORCHESTRATOR);
        let sizes: Vec<_> = saga.written.iter().map(usize::to_string).collect();
        let _ = writeln!(
            text,
            "\nThe orchestrator is invoked {} times: with the event that opens the saga, and with the saga's own events, which it knows already. \
             The orchestrator writes the saga {} times (aim ≤ {TARGET_WRITES}); after these writes the item has {} bytes.",
            self.calls.batches,
            saga.written.len(),
            sizes.join(", ")
        );
        let machine = self.by_machine.of(ORCHESTRATOR);
        let _ = writeln!(
            text,
            "\nFor a reservation that Step Functions runs, the orchestrator starts the execution and watches it: {} reads, {} writes ({} · {} write units) \
             in {} invocations, one for each event, which is the dearest case. The execution makes {} state transitions.",
            machine.count("GetItem"),
            machine.count("UpdateItem"),
            machine.item_writes,
            machine.index_writes,
            self.by_machine.batches,
            self.by_machine.transitions
        );
    }

    fn write_costs(&self, text: &mut String) {
        let costs = &self.costs;
        let _ = writeln!(
            text,
            "\n### A million approved sagas, in US dollars\n\nList prices of AWS in us-east-1, {AS_OF}, without free tiers. Quantities are for \
             one saga and prices for a million units, so their product is the cost of a million sagas.\n\n\
             | | | of a saga | price | a million sagas |\n| --- | --- | --- | --- | --- |"
        );
        let (standard, express) = ("Step Functions Standard", "Step Functions Express");
        bill(text, "ours", &costs.ours);
        bill(text, standard, &costs.standard);
        bill(text, express, &costs.express);
        bill(text, "under all three", &costs.common);
        let (ours, watching) = (costs.ours.total(), costs.watching.total());
        let alone = costs.express.total() - watching;
        let _ = writeln!(
            text,
            "\nThe event log does not move an execution of Step Functions on. The orchestrator starts executions and watches them, so that their \
             sagas are listed and shown; watching is ${watching:.2} of either sum. An execution of Express alone costs ${alone:.2}: for a short saga \
             that nobody asks about, **Express is the cheapest**, {:.0} times cheaper than our saga, which writes its log to a table; these writes \
             are {:.0} % of our price. Express may run an execution more than once (asynchronous) or not to its end (synchronous), ends after five \
             minutes at the latest, does not recognise a second start under one name, and keeps no history; CloudWatch can log an execution, \
             and bills the log separately. Standard has none of these limits, at {:.0} times our price.",
            ratio(ours, alone),
            100.0 * share_of(&costs.ours, "write units"),
            ratio(costs.standard.total(), ours)
        );
        let _ = writeln!(
            text,
            "\nTimes are measured on the local runtime with one client: {:.0} ms from the beginning of a saga to its end, {:.1} ms for an invocation \
             of the orchestrator that only looks at a saga, {:.1} ms for an invocation of `{API}`. Times on AWS differ: each 100 ms more of a saga \
             costs ${:.2} more with our orchestrator. The saga is alone in its batch, which is the dearest case: the sagas of a batch share \
             an invocation and wait at the same time.",
            costs.durations.saga,
            costs.durations.idle,
            costs.durations.api,
            of_100_ms()
        );
    }

    fn write_load(&self, text: &mut String) {
        text.push_str(
            "\n### Sagas on the local runtime\n\nTimes run from before the request until the saga's Fin, which comes after ReservaAprobada is \
             committed.\n\n| engine | clients | sagas | sagas/s | p50 ms | p99 ms | Inicio to Fin, p50 ms |\n\
             | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for SagaLoad { engine, load, saga } in &self.load {
            let _ = writeln!(
                text,
                "| {engine} | {} | {} | {:.1} | {:.0} | {:.0} | {saga:.0} |",
                load.clients, load.requests, load.per_second, load.p50, load.p99
            );
        }
    }

    fn write_engines(&self, text: &mut String) {
        let base = self.engines.standing(engines::OURS);
        let base = base.map_or(0.0, |ours| ours.sagas_per_second);
        let _ = writeln!(
            text,
            "\n### Saga engines in memory\n\nThe sagas have {} steps and run one after the other. For every engine the \
             participants answer immediately, with the same events. Our log of each saga has {} entries. Times in ms.\n\n| | sagas | sagas/s | steps/s | p50 | p99 | sagas/s ÷ ours |\n\
             | --- | --- | --- | --- | --- | --- | --- |",
            self.engines.steps, self.engines.entries
        );
        for standing in &self.engines.standings {
            let _ = writeln!(
                text,
                "| {} | {} | {:.0} | {:.0} | {:.3} | {:.3} | {:.2} |",
                standing.name,
                standing.sagas,
                standing.sagas_per_second,
                standing.steps_per_second,
                standing.p50,
                standing.p99,
                ratio(standing.sagas_per_second, base)
            );
        }
    }
}

fn bill(text: &mut String, who: &str, bill: &Bill) {
    for line in &bill.lines {
        let _ = writeln!(
            text,
            "| {who} | {} | {} {} | {:.4} | {:.2} |",
            line.what,
            quantity(line.quantity),
            line.unit,
            line.price,
            line.dollars
        );
    }
    let total = bill.total();
    let _ = writeln!(text, "| **{who}** | **in all** | | | **{total:.2}** |");
}

/// The value as a whole number, or with four decimals.
fn quantity(value: f64) -> String {
    if value.fract() > 0.0 {
        format!("{value:.4}")
    } else {
        format!("{value:.0}")
    }
}

/// The share of the bill's total that its lines with this unit make up, from 0 to 1.
fn share_of(bill: &Bill, unit: &str) -> f64 {
    let lines = bill.lines.iter().filter(|line| line.unit == unit);
    let dollars: f64 = lines.map(|line| line.dollars).sum();
    ratio(dollars, bill.total())
}
