//! The report: a table for a README, a document with all results, and the results as JSON.

use std::{fmt::Write, fs};

use serde::Serialize;

use crate::{
    calls::Calls,
    load::Load,
    peers::{self, Peers},
    replay::Replay,
    sagas::report::Sagas,
    starts::{PEER_OF_PYTHON, PYTHON, Start, Warm},
    stats::ratio,
};

/// The goals for every function: start time in milliseconds and resident memory in MB.
const TARGET_START: f64 = 15.0;
const TARGET_RESIDENT: f64 = 16.0;
const TARGET_BINARY: f64 = 7.0;
const TARGET_ZIP: f64 = 3.0;

#[derive(Debug, Serialize)]
pub struct Report {
    pub machine: Machine,
    pub peer: String,
    pub quick: bool,
    pub starts: Vec<Start>,
    pub calls: Calls,
    pub peers: Peers,
    pub warm: Vec<Warm>,
    pub load: Vec<Load>,
    pub replay: Replay,
    pub sagas: Sagas,
}

#[derive(Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub processors: usize,
    pub kernel: String,
    /// The load average of the minute before the run, which shows how busy the machine was with other work.
    pub load: String,
}

impl Machine {
    pub fn this() -> Self {
        let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name"));
        let kernel = read("/proc/sys/kernel/osrelease");
        let load = read("/proc/loadavg");
        Self {
            processor: model
                .map_or("unknown", |model| {
                    model.trim_start_matches([' ', '\t', ':'])
                })
                .to_owned(),
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: kernel.trim().to_owned(),
            load: load
                .split_whitespace()
                .next()
                .unwrap_or("unknown")
                .to_owned(),
        }
    }
}

fn find<T>(all: &[T], is: impl Fn(&T) -> bool) -> Option<&T> {
    all.iter().find(|one| is(one))
}

impl Report {
    fn functions(&self) -> impl Iterator<Item = &Start> {
        self.starts.iter().filter(|start| start.name != PYTHON)
    }

    /// The largest value among all functions.
    fn worst(&self, of: impl Fn(&Start) -> f64) -> f64 {
        self.functions().map(of).fold(0.0, f64::max)
    }

    fn start(&self, name: &str) -> Option<&Start> {
        find(&self.starts, |start| start.name == name)
    }

    fn warm(&self, name: &str) -> Option<&Warm> {
        find(&self.warm, |warm| warm.name == name)
    }

    fn load(&self, method: &str, clients: usize) -> Option<&Load> {
        find(&self.load, |load| {
            load.request.starts_with(method) && load.clients == clients
        })
    }

    /// The table for a README.
    pub fn summary(&self) -> String {
        let mut table = String::from("| what | measured | aim or peer |\n| --- | --- | --- |\n");
        let mut row = |what: &str, measured: String, other: String| {
            let _ = writeln!(table, "| {what} | {measured} | {other} |");
        };
        let python = self.start(PYTHON);
        let start = self.worst(|start| start.median);
        let twin = self.start(PEER_OF_PYTHON).map_or(0.0, |start| start.median);
        row(
            "cold start, spawn to first `/next`, slowest function, median",
            format!("{start:.1} ms"),
            python.map_or_else(String::new, |python| {
                format!(
                    "aim ≤ {TARGET_START} ms; Python + boto3 {:.0} ms, {:.0} times ours",
                    python.median,
                    ratio(python.median, twin)
                )
            }),
        );
        row(
            "memory at that moment · after 100 invocations, largest function",
            format!(
                "{:.1} · {:.1} MB",
                self.worst(|start| start.resident),
                self.worst(|start| start.resident_after)
            ),
            python.map_or_else(String::new, |python| {
                format!(
                    "aim ≤ {TARGET_RESIDENT} MB; Python {:.0} · {:.0} MB",
                    python.resident, python.resident_after
                )
            }),
        );
        row(
            "binary · zip, largest function",
            format!(
                "{:.1} · {:.1} MB",
                self.worst(|start| start.binary.unwrap_or_default()),
                self.worst(|start| start.zip.unwrap_or_default())
            ),
            format!("aim ≤ {TARGET_BINARY} · {TARGET_ZIP} MB"),
        );
        let calls = &self.calls;
        row(
            "AWS calls of a command: opens a stream · existing stream",
            format!("{} · {}", calls.opening, calls.existing),
            "aim 3 · 4".to_owned(),
        );
        row(
            &format!(
                "table calls of a batch, for all views: {} events of {} reservations",
                calls.batch_events, calls.batch_reservations
            ),
            format!("{} reads, {} writes", calls.batch_reads, calls.batch_writes),
            format!("aim ≤ {} writes a view", calls.batch_reservations),
        );
        let (ours, peer) = (self.peers.p50(peers::OURS), self.peers.p50(peers::PEER));
        row(
            "committing a command to DynamoDB, p50",
            format!("{ours:.1} ms"),
            format!(
                "dynamo-es 0.5 {peer:.1} ms, {:.2} times ours",
                ratio(peer, ours)
            ),
        );
        if let (Some(ours), Some(python)) = (self.warm(PEER_OF_PYTHON), self.warm(PYTHON)) {
            row(
                "processor time of a warm invocation of `http-commands`",
                format!("{:.2} ms", ours.cpu),
                format!(
                    "Python + boto3 {:.2} ms, {:.0} times ours",
                    python.cpu,
                    ratio(python.cpu, ours.cpu)
                ),
            );
        }
        for (method, what) in [
            ("POST", "POST /vuelos/reserva"),
            ("GET", "GET /vuelos/reserva/{id}"),
        ] {
            if let (Some(one), Some(eight)) = (self.load(method, 1), self.load(method, 8)) {
                row(
                    &format!("`{what}` on the local runtime, 1 · 8 clients"),
                    format!(
                        "{:.0} · {:.0} /s, p99 {:.0} · {:.0} ms",
                        one.per_second, eight.per_second, one.p99, eight.p99
                    ),
                    "the machine is the limit: it also runs the sagas".to_owned(),
                );
            }
        }
        for (what, measured, other) in self.replay.rows() {
            row(&what, measured, other.to_owned());
        }
        for (what, measured, other) in self.sagas.rows() {
            row(what, measured, other);
        }
        table
    }

    /// The text of `docs/benchmarks.md`.
    pub fn document(&self) -> String {
        let mut text = String::from(include_str!("method.md"));
        let _ = writeln!(
            text,
            "\n## Results\n\nMeasured on {} with {} processors, Linux {}, load {} before the run; {}{}.\n",
            self.machine.processor,
            self.machine.processors,
            self.machine.kernel,
            self.machine.load,
            self.peer,
            if self.quick { "; a quick run" } else { "" }
        );
        text.push_str(&self.summary());
        self.write_starts(&mut text);
        self.write_calls(&mut text);
        self.write_peers(&mut text);
        self.write_python(&mut text);
        self.write_load(&mut text);
        self.write_replay(&mut text);
        self.sagas.write(&mut text);
        wrapped(&text)
    }

    fn write_starts(&self, text: &mut String) {
        let starts = self.starts.first().map_or(0, |start| start.starts);
        let _ = writeln!(
            text,
            "\n### Starts and sizes\n\n{starts} starts of each. Times in ms; memory and sizes in MB of 1,048,576 bytes. Aims: median ≤ \
             {TARGET_START}, memory ≤ {TARGET_RESIDENT}, binary ≤ {TARGET_BINARY}, zip ≤ {TARGET_ZIP}. A value that misses its aim is bold.\n\n\
             | function | median | p95 | on CPU | plain HTTP endpoint | memory | after {} invocations | binary | zip |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
            self.starts.first().map_or(0, |start| start.invocations)
        );
        for start in &self.starts {
            // Python is measured only for comparison, so it has no goals.
            let mark = |value: f64, target: f64| {
                if start.name != PYTHON && value > target {
                    format!("**{value:.1}**")
                } else {
                    format!("{value:.1}")
                }
            };
            let size = |size: Option<f64>, target| {
                size.map_or("–".to_owned(), |size| mark(size, target))
            };
            let _ = writeln!(
                text,
                "| {} | {} | {:.1} | {:.1} | {:.1} | {} | {} | {} | {} |",
                start.name,
                mark(start.median, TARGET_START),
                start.p95,
                start.cpu,
                start.median_at_endpoint,
                mark(start.resident, TARGET_RESIDENT),
                mark(start.resident_after, TARGET_RESIDENT),
                size(start.binary, TARGET_BINARY),
                size(start.zip, TARGET_ZIP),
            );
        }
    }

    fn write_replay(&self, text: &mut String) {
        let _ = write!(
            text,
            "\n### Replays\n\nEvents a second while a view is rebuilt: {} events of {} reservations in memory, and all events in the archive \
             of the local runtime.\n\n| view | folded alone | archive to table, in memory | archive to table, on the local runtime | of events |\n\
             | --- | --- | --- | --- | --- |\n",
            self.replay.events, self.replay.reservations
        );
        for view in &self.replay.views {
            let _ = writeln!(
                text,
                "| {} | {:.0} | {:.0} | {:.0} | {} |",
                view.view, view.folded, view.in_memory, view.at_endpoint, view.archived
            );
        }
        text.push_str(
            "\nReading JSON, of events and of rows, limits folding alone. In memory, packing and unpacking the archive limits a rebuild as well. On \
             the local runtime each row is a call over HTTP.\n",
        );
    }

    fn write_calls(&self, text: &mut String) {
        let calls = &self.calls;
        let _ = writeln!(
            text,
            "\n### Calls\n\nA command that opens a stream makes {} calls, and a command on an existing stream {}. A batch of {} events of {} \
             reservations costs all views together {} reads and {} writes (a read of many keys counts once; DynamoDB takes 100 keys a call).",
            calls.opening,
            calls.existing,
            calls.batch_events,
            calls.batch_reservations,
            calls.batch_reads,
            calls.batch_writes
        );
    }

    fn write_peers(&self, text: &mut String) {
        let base = self.peers.p50(peers::OURS);
        let _ = writeln!(
            text,
            "\n### Event stores on the same DynamoDB endpoint\n\nEach command opens a stream with one event of {} bytes; \
             the commands run one after the other.\n\n| | calls | commands | commands/s | p50 ms | p99 ms | p50 ÷ ours |\n\
             | --- | --- | --- | --- | --- | --- | --- |",
            self.peers.event_bytes
        );
        for standing in &self.peers.standings {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.0} | {:.2} | {:.2} | {:.2} |",
                standing.name,
                standing.calls,
                standing.commands,
                standing.per_second,
                standing.p50,
                standing.p99,
                ratio(standing.p50, base)
            );
        }
    }

    fn write_python(&self, text: &mut String) {
        let base = self.warm(PEER_OF_PYTHON);
        let (p50, cpu) = base.map_or((0.0, 0.0), |warm| (warm.p50, warm.cpu));
        let _ = writeln!(
            text,
            "\n### Warm invocations against plain Python\n\n\
             | | invocations | p50 ms | p99 ms | on CPU ms, mean | p50 ÷ ours | on CPU ÷ ours |\n\
             | --- | --- | --- | --- | --- | --- | --- |"
        );
        for warm in &self.warm {
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} |",
                warm.name,
                warm.invocations,
                warm.p50,
                warm.p99,
                warm.cpu,
                ratio(warm.p50, p50),
                ratio(warm.cpu, cpu)
            );
        }
    }

    fn write_load(&self, text: &mut String) {
        text.push_str(
            "\n### The API on the local runtime\n\n| request | clients | requests | requests/s | p50 ms | p99 ms |\n\
             | --- | --- | --- | --- | --- | --- |\n",
        );
        for load in &self.load {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.0} | {:.1} | {:.1} |",
                load.request, load.clients, load.requests, load.per_second, load.p50, load.p99
            );
        }
    }
}

/// Wraps prose at 120 characters, and leaves rows of tables whole.
fn wrapped(text: &str) -> String {
    const WIDTH: usize = 120;
    let mut fitting = String::new();
    for line in text.lines() {
        if line.starts_with('|') {
            fitting.push_str(line);
        } else {
            let mut width = 0;
            for (place, word) in line.split(' ').enumerate() {
                let letters = word.chars().count();
                if place > 0 {
                    let fits = width + 1 + letters <= WIDTH;
                    fitting.push(if fits { ' ' } else { '\n' });
                    width = if fits { width + 1 } else { 0 };
                }
                fitting.push_str(word);
                width += letters;
            }
        }
        fitting.push('\n');
    }
    fitting
}

#[test]
fn prose_fits_and_tables_stay_whole() {
    let (prose, row) = (
        ["ñandú"; 30].join(" "),
        format!("| {} |", ["ñandú"; 30].join(" ")),
    );
    let text = wrapped(&format!("# A\n\n{prose}\n\n{row}\n  - a b\n"));
    let wide: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 120)
        .collect();
    assert_eq!(wide, [row]);
    assert_eq!(text.split_whitespace().count(), 67);
    assert!(text.ends_with("\n  - a b\n"), "{text}");
}
