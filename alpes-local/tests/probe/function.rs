//! A function for tests: a custom runtime that does what its events order.
//!
//! An event is an order: `{"probe": {"do": WHAT, …}}`, with these members.
//!
//! | member | meaning |
//! | --- | --- |
//! | `do` | `echo` (the default), `answer`, `environment`, `fail`, `exit`, `sleep`, `report` |
//! | `ms` | sleeps so long first |
//! | `print` | prints this text, with a line end |
//! | `allocate` | allocates so many MB and keeps them |
//! | `spawn` | starts a child that sleeps for ten minutes, and prints `child` and its process id |
//! | `with`, `bytes` | `answer`: this JSON, or a text of so many bytes |
//! | `code` | `exit`: the exit code |
//! | `leave` | the process exits with this code once its answer is accepted |
//! | `type` | `fail`: the type of the error |
//!
//! A batch (`Records`) has an order in each record: in `kinesis.data`, in base64, or in `body`. A record that orders
//! `report` is reported in `batchItemFailures`; one that orders `fail` or `exit` fails the batch; one that orders
//! `answer` gives the answer for the whole batch. Records without an order are fine. For each invocation a line of JSON
//! is appended to the file that the variable `PROBE_FILE` names. The variable `PROBE_INIT` is an order for the
//! initialisation.

mod runtime_api;

use std::{
    env,
    fs::OpenOptions,
    io::Write,
    process::{Command, exit},
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use crate::runtime_api::{Invocation, Outcome, Runtime};

fn main() -> Outcome<()> {
    let mut runtime = Runtime::connect()?;
    let mut hoard = Hoard::default();
    if let Ok(order) = env::var("PROBE_INIT") {
        let order = serde_json::from_str(&order)?;
        if let Err(failure) = hoard.obey(&order, &Value::Null) {
            runtime.post("init/error", &failure)?;
            exit(1);
        }
    }
    loop {
        let invocation = runtime.next()?;
        let (path, body) = match hoard.run(&invocation) {
            Ok(answer) => ("response", answer),
            Err(failure) => ("error", failure),
        };
        runtime.post(
            &format!("invocation/{}/{path}", invocation.request_id),
            &body,
        )?;
        if let Some(code) = order(&invocation.event)
            .get("leave")
            .and_then(Value::as_i64)
        {
            exit(code.try_into()?);
        }
    }
}

/// The memory that orders have made the process keep.
#[derive(Default)]
struct Hoard(Vec<Vec<u8>>);

impl Hoard {
    /// Runs an invocation. The error is the document of a failure.
    fn run(&mut self, invocation: &Invocation) -> Result<Value, Value> {
        let event = &invocation.event;
        note(invocation).map_err(|error| failure("Probe.File", &error.to_string()))?;
        match event.get("Records").and_then(Value::as_array) {
            Some(records) => self.run_batch(records),
            None => self.obey(order(event), event),
        }
    }

    fn run_batch(&mut self, records: &[Value]) -> Result<Value, Value> {
        let (mut reported, mut ordered) = (Vec::new(), None);
        for record in records {
            let content = content(record);
            let order = order(&content);
            let answer = self.obey(order, &content)?;
            match what(order) {
                "report" => reported.push(json!({ "itemIdentifier": identifier(record) })),
                "answer" => ordered = Some(answer),
                _ => {}
            }
        }
        Ok(ordered.unwrap_or_else(|| json!({ "batchItemFailures": reported })))
    }

    fn obey(&mut self, order: &Value, event: &Value) -> Result<Value, Value> {
        self.prepare(order)
            .map_err(|error| failure("Probe.Error", &error.to_string()))?;
        match what(order) {
            "answer" => Ok(answer(order)),
            "environment" => Ok(env::vars()
                .map(|(name, value)| (name, value.into()))
                .collect::<Map<_, _>>()
                .into()),
            "fail" => {
                let error_type = order.get("type").and_then(Value::as_str);
                Err(failure(error_type.unwrap_or("Probe.Failed"), "as ordered"))
            }
            "exit" => exit(
                order
                    .get("code")
                    .and_then(Value::as_i64)
                    .and_then(|code| code.try_into().ok())
                    .unwrap_or(1),
            ),
            _ => Ok(event.clone()),
        }
    }

    fn prepare(&mut self, order: &Value) -> Outcome<()> {
        if let Some(text) = order.get("print").and_then(Value::as_str) {
            println!("{text}");
        }
        if let Some(megabytes) = number(order, "allocate") {
            // Memory counts as used once it is written.
            self.0.push(vec![1; usize::try_from(megabytes << 20)?]);
        }
        if order.get("spawn").is_some() {
            let child = Command::new("sleep").arg("600").spawn()?;
            println!("child {}", child.id());
        }
        if let Some(millis) = number(order, "ms") {
            sleep(Duration::from_millis(millis));
        }
        Ok(())
    }
}

fn order(event: &Value) -> &Value {
    event.get("probe").unwrap_or(&Value::Null)
}

fn what(order: &Value) -> &str {
    order.get("do").and_then(Value::as_str).unwrap_or("echo")
}

fn number(order: &Value, name: &str) -> Option<u64> {
    order.get(name).and_then(Value::as_u64)
}

fn answer(order: &Value) -> Value {
    match number(order, "bytes") {
        Some(bytes) => "x".repeat(usize::try_from(bytes).unwrap_or(0)).into(),
        None => order.get("with").cloned().unwrap_or_default(),
    }
}

fn failure(error_type: &str, message: &str) -> Value {
    json!({ "errorType": error_type, "errorMessage": message })
}

/// The contents of a record of a stream or of a queue; null if it is no JSON.
fn content(record: &Value) -> Value {
    let data = record.pointer("/kinesis/data").and_then(Value::as_str);
    let text = match data {
        Some(data) => BASE64_STANDARD.decode(data).unwrap_or_default(),
        None => record
            .get("body")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .into(),
    };
    serde_json::from_slice(&text).unwrap_or_default()
}

/// The identifier of a record in a report of failures.
fn identifier(record: &Value) -> &Value {
    let places = [
        "/kinesis/sequenceNumber",
        "/dynamodb/SequenceNumber",
        "/messageId",
    ];
    let found = places.iter().find_map(|place| record.pointer(place));
    found.unwrap_or(&Value::Null)
}

/// Appends a line about the invocation to the file that the test reads.
fn note(invocation: &Invocation) -> Outcome<()> {
    let Ok(path) = env::var("PROBE_FILE") else {
        return Ok(());
    };
    let records = invocation.event.get("Records").and_then(Value::as_array);
    let mut line = json!({
        "requestId": invocation.request_id,
        "functionArn": invocation.arn,
        "pid": std::process::id(),
        "at": u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
    });
    let about = match records {
        Some(records) => ("records", records.iter().map(summary).collect()),
        None => ("event", invocation.event.clone()),
    };
    if let Some(line) = line.as_object_mut() {
        line.insert(about.0.to_owned(), about.1);
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}

/// A record in short: its shard if it has one, and its identifier.
fn summary(record: &Value) -> Value {
    let event_id = record.get("eventID").and_then(Value::as_str);
    let shard = event_id
        .and_then(|id| id.split_once(':'))
        .map(|(shard, _)| shard);
    json!({ "shard": shard, "id": identifier(record) })
}
