//! The history of an execution, as AWS tells it.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use states_language::{Call, Ending, Happened, HistoryEvent, Run, Start, Step};

use crate::{
    error::AwsError,
    input::{put, put_some, read, seconds},
    names::REGION,
    states::{
        alone::{Apart, output},
        engine::{Engine, start},
        executions::{invalid_token, results_page},
        journal::{Entry, Input},
        revisions,
        rows::{Execution, given},
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct History {
    execution_arn: String,
    max_results: Option<usize>,
    #[serde(default)]
    reverse_order: bool,
    next_token: Option<String>,
    include_execution_data: Option<bool>,
}

impl Engine {
    pub(super) fn history(&self, input: &Value) -> Result<Value, AwsError> {
        let request: History = read(input)?;
        let page = results_page(request.max_results)?;
        let execution = self.execution(&request.execution_arn)?;
        let with_data = request.include_execution_data.unwrap_or(true);
        let mut events = self.events(&execution, with_data)?;
        if request.reverse_order {
            events.reverse();
        }
        // A token is the id of the first event of its page, so that events that are added meanwhile do not move it.
        let from = match &request.next_token {
            None => 0,
            Some(token) => place(&events, token).ok_or_else(invalid_token)?,
        };
        let mut events = events.split_off(from);
        let rest = events.split_off(page.min(events.len()));
        let mut answer = json!({"events": events});
        let next = rest.first().and_then(|next| next.get("id"));
        put_some(&mut answer, "nextToken", next.map(Value::to_string));
        Ok(answer)
    }

    fn events(&self, execution: &Execution, with_data: bool) -> Result<Vec<Value>, AwsError> {
        let revision = self
            .store
            .read(|connection| revisions::revision(connection, execution.revision))?;
        let definition: Value =
            serde_json::from_str(&revision.definition).map_err(AwsError::internal)?;
        let input: Value = serde_json::from_str(&execution.input).map_err(AwsError::internal)?;
        let mut teller = Teller {
            apart: Apart::new(&execution.machine, &definition),
            start: start(&execution.machine, &execution.name, input.clone()),
            began: execution.started,
            run: self.at_start(execution)?,
            seen: 0,
            state: None,
            data: Some(input),
            redrives: 0,
            with_data,
            events: vec![],
        };
        teller.began(&execution.input, &revision.role);
        for entry in self.journal(execution)? {
            teller.tell(&entry);
        }
        Ok(teller.events)
    }
}

fn place(events: &[Value], token: &str) -> Option<usize> {
    let id: u64 = token.parse().ok()?;
    events
        .iter()
        .position(|event| event.get("id").is_some_and(|known| *known == id))
}

/// Follows an execution through its journal, and tells what happens.
struct Teller<'a> {
    apart: Apart<'a>,
    start: Start,
    began: Timestamp,
    run: Run,
    /// The number of events of the run that were told.
    seen: usize,
    /// The state that the run is in, by itself.
    state: Option<Run>,
    /// The data that enter the next state; `None` if they are not known.
    data: Option<Value>,
    redrives: u64,
    with_data: bool,
    events: Vec<Value>,
}

impl Teller<'_> {
    fn began(&mut self, input: &str, role: &str) {
        let mut details = json!({"roleArn": role});
        self.put_data(&mut details, "input", Some(input.to_owned()));
        let details = ("executionStartedEventDetails", details);
        self.push(self.began, "ExecutionStarted", details);
    }

    fn tell(&mut self, entry: &Entry) {
        if let Input::Redriven(_) = entry.input {
            self.redrives += 1;
            let details = json!({"redriveCount": self.redrives});
            let details = ("executionRedrivenEventDetails", details);
            self.push(entry.at, "ExecutionRedriven", details);
        }
        let step = entry.apply(&mut self.run);
        if let Some(state) = &mut self.state {
            entry.apply(state);
        }
        let news = self.run.history().get(self.seen..).unwrap_or_default();
        let news = news.to_vec();
        self.seen += news.len();
        for event in news {
            self.happened(entry, event);
        }
        if let Step::Call(call) = step {
            self.called(entry.at, &call);
        }
    }

    fn happened(&mut self, entry: &Entry, HistoryEvent { when, what }: HistoryEvent) {
        match what {
            Happened::Entered(state) => self.entered(entry, when, &state),
            Happened::Left(state) => self.left(when, &state),
            Happened::Answered(payload) => self.answered(when, &payload),
            Happened::CallFailed { error, cause } => {
                self.call_failed(entry, when, &error, &cause);
            }
            Happened::Ended(ending) => self.ended(entry, when, &ending),
        }
    }

    fn entered(&mut self, entry: &Entry, when: Timestamp, state: &str) {
        let mut details = json!({"name": state});
        let data = self.data.as_ref().map(Value::to_string);
        self.put_data(&mut details, "input", data);
        let kind = format!("{}StateEntered", self.apart.kind(state));
        self.push(when, &kind, ("stateEnteredEventDetails", details));
        self.state = match &self.data {
            Some(data) if self.with_data => {
                let start = self.start.clone();
                self.apart
                    .enter(state, start, self.began, entry, data.clone())
            }
            _ => None,
        };
    }

    fn left(&mut self, when: Timestamp, state: &str) {
        self.data = self.state.take().as_ref().and_then(output);
        let mut details = json!({"name": state});
        let data = self.data.as_ref().map(Value::to_string);
        self.put_data(&mut details, "output", data);
        let kind = format!("{}StateExited", self.apart.kind(state));
        self.push(when, &kind, ("stateExitedEventDetails", details));
    }

    fn called(&mut self, when: Timestamp, call: &Call) {
        let mut details = lambda();
        let parameters = json!({"FunctionName": call.function, "Payload": call.payload});
        put(&mut details, "region", REGION);
        put(&mut details, "parameters", parameters.to_string());
        let timeout = call.timeout.map(|timeout| timeout.as_secs());
        put_some(&mut details, "timeoutInSeconds", timeout);
        let details = ("taskScheduledEventDetails", details);
        self.push(when, "TaskScheduled", details);
        let details = ("taskStartedEventDetails", lambda());
        self.push(when, "TaskStarted", details);
    }

    fn answered(&mut self, when: Timestamp, payload: &Value) {
        let answer = json!({"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200});
        let mut details = lambda();
        self.put_data(&mut details, "output", Some(answer.to_string()));
        let details = ("taskSucceededEventDetails", details);
        self.push(when, "TaskSucceeded", details);
    }

    fn call_failed(&mut self, entry: &Entry, when: Timestamp, error: &str, cause: &str) {
        let mut details = lambda();
        put_failure(&mut details, error, cause);
        let (kind, field) = match entry.input {
            Input::TimedOut => ("TaskTimedOut", "taskTimedOutEventDetails"),
            _ => ("TaskFailed", "taskFailedEventDetails"),
        };
        self.push(when, kind, (field, details));
    }

    fn ended(&mut self, entry: &Entry, when: Timestamp, ending: &Ending) {
        let mut details = json!({});
        let (kind, field) = match ending {
            Ending::Succeeded { output } => {
                self.put_data(&mut details, "output", Some(output.to_string()));
                ("ExecutionSucceeded", "executionSucceededEventDetails")
            }
            Ending::Failed { error, cause } => {
                put_failure(&mut details, error, cause);
                match entry.input {
                    Input::Stopped(_) => ("ExecutionAborted", "executionAbortedEventDetails"),
                    _ => ("ExecutionFailed", "executionFailedEventDetails"),
                }
            }
        };
        self.push(when, kind, (field, details));
    }

    /// Adds data to the details of an event, unless the caller wants none.
    fn put_data(&self, details: &mut Value, field: &str, data: Option<String>) {
        if let Some(data) = data.filter(|_| self.with_data) {
            put(details, field, data);
            put(
                details,
                &format!("{field}Details"),
                json!({"truncated": false}),
            );
        }
    }

    fn push(&mut self, at: Timestamp, kind: &str, (field, details): (&str, Value)) {
        let before = self.events.len();
        let mut event = json!({
            "timestamp": seconds(at),
            "type": kind,
            "id": before + 1,
            "previousEventId": previous(before, kind),
        });
        put(&mut event, field, details);
        self.events.push(event);
    }
}

/// The event that an event names as the one before it. On AWS the entry into the first state and a stop name none.
fn previous(before: usize, kind: &str) -> usize {
    if before == 1 || kind == "ExecutionAborted" {
        0
    } else {
        before
    }
}

fn lambda() -> Value {
    json!({"resourceType": "lambda", "resource": "invoke"})
}

fn put_failure(details: &mut Value, error: &str, cause: &str) {
    for (field, text) in [("error", error), ("cause", cause)] {
        put_some(details, field, given(text));
    }
}
