//! The operations on executions.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Transaction;
use serde::Deserialize;
use serde_json::{Value, json};
use states_language::{DATA_LIMIT, Failure, Run};
use uuid::Uuid;

use crate::{
    error::AwsError,
    input::{cut, fault, length, page_size, put, put_some, read, seconds},
    states::{
        arns::{check_name, execution_arn, execution_names, machine_arn, machine_name},
        engine::{Engine, Live, start, write},
        journal::Input,
        machines::{IncludedData, machine_missing},
        revisions::{self, Known},
        rows::{self, Beginning, Execution, Place, Wanted},
    },
};

/// The time after its end in which an execution can be redriven.
const REDRIVABLE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The statuses that executions have on AWS.
const STATUSES: [&str; 6] = [
    "RUNNING",
    "SUCCEEDED",
    "FAILED",
    "TIMED_OUT",
    "ABORTED",
    "PENDING_REDRIVE",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Begin {
    state_machine_arn: String,
    name: Option<String>,
    input: Option<String>,
    trace_header: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Describe {
    execution_arn: String,
    #[serde(default)]
    included_data: IncludedData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stop {
    execution_arn: String,
    error: Option<String>,
    cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Redrive {
    execution_arn: String,
    client_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    state_machine_arn: String,
    status_filter: Option<String>,
    redrive_filter: Option<RedriveFilter>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RedriveFilter {
    Redriven,
    NotRedriven,
}

/// An execution that was just started, with the time of its start, or the one that has its name already.
enum Started {
    New(Arc<Live>, Timestamp),
    Existing(Box<Execution>),
}

/// A valid request to start an execution.
struct Order {
    name: String,
    input: String,
    /// The input as JSON.
    data: Value,
    trace: Option<String>,
}

impl Order {
    fn of(request: Begin) -> Result<Self, AwsError> {
        let name = request
            .name
            .unwrap_or_else(|| Uuid::new_v4().hyphenated().to_string());
        check_name(&name)?;
        let trace = request.trace_header;
        length("traceHeader", trace.as_deref().unwrap_or_default(), 0..=256)?;
        let input = request.input.unwrap_or_else(|| "{}".to_owned());
        let data = execution_input(&input)?;
        Ok(Self {
            name,
            input,
            data,
            trace,
        })
    }
}

impl Engine {
    pub(super) fn start_execution(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        let request: Begin = read(input)?;
        let machine = machine_name(&request.state_machine_arn)?.to_owned();
        let order = Order::of(request)?;
        let began = self.begin(&machine, &order)?;
        let arn = execution_arn(&machine, &order.name);
        Ok(json!({"executionArn": arn, "startDate": seconds(began)}))
    }

    /// Starts an execution, unless it runs already. Returns the time of its start.
    fn begin(self: &Arc<Self>, machine: &str, order: &Order) -> Result<Timestamp, AwsError> {
        let started = self.store.write(|transaction| {
            let known = revisions::machine(transaction, machine)?;
            let known = known.ok_or_else(|| machine_missing(machine))?;
            match rows::by_name(transaction, machine, &order.name)? {
                Some(existing) => Ok(Started::Existing(Box::new(existing))),
                None => self.add(transaction, &known, order),
            }
        })?;
        match started {
            Started::New(live, at) => {
                self.drive(&live);
                Ok(at)
            }
            Started::Existing(existing) => same(&existing, &order.data),
        }
    }

    /// Writes a new execution of a machine at its newest revision. The machine cannot change or go meanwhile.
    fn add(
        &self,
        transaction: &Transaction<'_>,
        known: &Known,
        order: &Order,
    ) -> Result<Started, AwsError> {
        let entry = self.entry(Input::Began)?;
        let machine = self.machine(&known.name, &known.revision)?;
        let parameters = start(&known.name, &order.name, order.data.clone());
        let mut run = Run::new(machine, parameters, entry.at);
        let step = entry.apply(&mut run);
        let beginning = Beginning {
            machine: &known.name,
            name: &order.name,
            revision: known.revision.id,
            input: &order.input,
            trace: order.trace.as_deref(),
            started: entry.at,
        };
        let id = rows::add(transaction, &beginning)?;
        write(transaction, id, 0, &entry, &step)?;
        Ok(Started::New(Live::begun(id, run, step), entry.at))
    }

    pub(super) fn describe_execution(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Describe = read(input)?;
        let execution = self.execution(&request.execution_arn)?;
        let mut answer = listed(&execution);
        let included = json!({"included": true});
        if request.included_data == IncludedData::AllData {
            put(&mut answer, "input", execution.input.as_str());
            put(&mut answer, "inputDetails", included.clone());
            if let Some(output) = &execution.output {
                put(&mut answer, "output", output.as_str());
                put(&mut answer, "outputDetails", included);
            }
            put_some(&mut answer, "error", execution.error.as_deref());
            put_some(&mut answer, "cause", execution.cause.as_deref());
        }
        put_some(&mut answer, "traceHeader", execution.trace.as_deref());
        match not_redrivable(&execution, self.clock.now()) {
            None => put(&mut answer, "redriveStatus", "REDRIVABLE"),
            Some(reason) => {
                put(&mut answer, "redriveStatus", "NOT_REDRIVABLE");
                put(&mut answer, "redriveStatusReason", reason);
            }
        }
        Ok(answer)
    }

    pub(super) fn stop_execution(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Stop = read(input)?;
        let error = request.error.unwrap_or_default();
        let cause = request.cause.unwrap_or_default();
        length("error", &error, 0..=256)?;
        length("cause", &cause, 0..=32_768)?;
        let execution = self.execution(&request.execution_arn)?;
        let live = self.live(execution.id)?;
        if self.record(&live, Input::Stopped(Failure::new(&error, cause)))? {
            self.halt(&live);
        }
        let stopped = self.execution(&request.execution_arn)?.stopped;
        Ok(json!({"stopDate": stopped.map(seconds)}))
    }

    pub(super) fn redrive_execution(self: &Arc<Self>, input: &Value) -> Result<Value, AwsError> {
        let request: Redrive = read(input)?;
        let token = request.client_token;
        if let Some(token) = &token {
            length("clientToken", token, 1..=64)?;
        }
        let execution = self.execution(&request.execution_arn)?;
        if token.is_some() && token == execution.redrive_token {
            return Ok(json!({"redriveDate": execution.redriven.map(seconds)}));
        }
        if let Some(reason) = not_redrivable(&execution, self.clock.now()) {
            return Err(AwsError::client("ExecutionNotRedrivable", reason));
        }
        let live = self.rebuilt(execution.id)?;
        self.record(&live, Input::Redriven(token))?;
        self.drive(&live);
        let redriven = self.execution(&request.execution_arn)?.redriven;
        Ok(json!({"redriveDate": redriven.map(seconds)}))
    }

    pub(super) fn list_executions(&self, input: &Value) -> Result<Value, AwsError> {
        let request: List = read(input)?;
        let known = self.known(machine_name(&request.state_machine_arn)?)?;
        if let Some(status) = &request.status_filter
            && !STATUSES.contains(&status.as_str())
        {
            let rule = format!("satisfy enum value set: [{}]", STATUSES.join(", "));
            return Err(fault("statusFilter", status, &rule));
        }
        let page = results_page(request.max_results)?;
        let after = request
            .next_token
            .as_deref()
            .map(|token| Place::parse(token).ok_or_else(invalid_token));
        let wanted = Wanted {
            machine: &known.name,
            status: request.status_filter.as_deref(),
            redriven: request
                .redrive_filter
                .map(|filter| filter == RedriveFilter::Redriven),
            after: after.transpose()?,
            most: page + 1,
        };
        let mut found = self
            .store
            .read(|connection| rows::list(connection, &wanted))?;
        let next = cut(&mut found, page, |last| last.place().token());
        let found: Vec<_> = found.iter().map(listed).collect();
        let mut answer = json!({"executions": found});
        put_some(&mut answer, "nextToken", next.as_deref());
        Ok(answer)
    }

    /// The execution with this ARN, or the error that it does not exist.
    pub(super) fn execution(&self, arn: &str) -> Result<Execution, AwsError> {
        let (machine, name) = execution_names(arn)?;
        let found = self
            .store
            .read(|connection| rows::by_name(connection, machine, name))?;
        found.ok_or_else(|| execution_missing(arn))
    }
}

/// The number of events, executions or machines on a page: 100 unless the caller asks for another, and at most 1,000.
pub(super) fn results_page(asked: Option<usize>) -> Result<usize, AwsError> {
    match asked {
        None | Some(0) => Ok(100),
        asked => page_size("maxResults", asked, 0..=1000),
    }
}

pub(super) fn invalid_token() -> AwsError {
    AwsError::client("InvalidToken", "Invalid Token: 'Invalid token'")
}

pub(super) fn execution_missing(arn: &str) -> AwsError {
    AwsError::client(
        "ExecutionDoesNotExist",
        format!("Execution Does Not Exist: '{arn}'"),
    )
}

fn execution_input(text: &str) -> Result<Value, AwsError> {
    let invalid = |cause: &str| {
        let message = format!("Invalid State Machine Execution Input: '{cause}'");
        AwsError::client("InvalidExecutionInput", message)
    };
    if text.len() > DATA_LIMIT {
        return Err(invalid("it is larger than 262144 bytes"));
    }
    serde_json::from_str(text).map_err(|error| invalid(&error.to_string()))
}

/// The start of an execution that has the name already: success if it runs and has the same input.
fn same(existing: &Execution, input: &Value) -> Result<Timestamp, AwsError> {
    let known: Option<Value> = serde_json::from_str(&existing.input).ok();
    if existing.is_running() && known.as_ref() == Some(input) {
        return Ok(existing.started);
    }
    let arn = execution_arn(&existing.machine, &existing.name);
    Err(AwsError::client(
        "ExecutionAlreadyExists",
        format!("Execution Already Exists: '{arn}'"),
    ))
}

/// The reason why an execution cannot be redriven; `None` if it can.
fn not_redrivable(execution: &Execution, now: Timestamp) -> Option<String> {
    if matches!(execution.status.as_str(), rows::RUNNING | rows::SUCCEEDED) {
        return Some(format!(
            "Execution is {} and cannot be redriven",
            execution.status
        ));
    }
    let ended = execution.stopped.unwrap_or(now);
    let late = now.duration_since(ended) > REDRIVABLE;
    late.then(|| "Execution has exceeded the redrivable period of 14 days".to_owned())
}

fn listed(execution: &Execution) -> Value {
    let mut item = json!({
        "executionArn": execution_arn(&execution.machine, &execution.name),
        "stateMachineArn": machine_arn(&execution.machine),
        "name": execution.name,
        "status": execution.status,
        "startDate": seconds(execution.started),
        "redriveCount": execution.redrives,
    });
    put_some(&mut item, "stopDate", execution.stopped.map(seconds));
    put_some(&mut item, "redriveDate", execution.redriven.map(seconds));
    item
}
