//! A saga of four steps, the smallest saga with every kind of step.

use std::time::Duration;

use alpes_saga::{
    Answer, Call, Compensation, Definition, Entry, Expiry, Fact, Mapping, Retry, Saga, SagaId,
    SagaMode, Step, StepNumber, Texts, What, Wire,
};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

pub const ID: SagaId = SagaId(Uuid::from_u128(7));

pub const RETRY: Retry = Retry {
    attempts: 3,
    patience: Duration::from_secs(5),
    pause: Duration::from_millis(100),
    longest_pause: Duration::from_secs(1),
};

/// Step n is done by `Do{n}`, succeeds with `Done{n}`, fails with `Failed{n}`, is undone by `Undo{n}` with `Undone{n}`.
pub fn definition() -> Definition {
    let call = |data| Call {
        participant: "someone",
        data,
        retry: RETRY,
    };
    let undo = |command, success| {
        let data = Mapping::empty().field("why", "saga.reason");
        Some(Compensation {
            command,
            call: call(data),
            success,
        })
    };
    let of_first = || Mapping::empty().field("amount", "Done1.amount");
    let step = |command, call, success, failure, compensation| Step {
        command,
        call,
        success,
        failure,
        compensation,
    };
    Definition {
        name: "test",
        version: 1,
        expiry: Expiry {
            after: Duration::from_hours(1),
            reason: "late",
        },
        patience: Duration::from_mins(1),
        texts: Texts::ENGLISH,
        steps: vec![
            step("Do1", None, "Done1", None, undo("Undo1", "Undone1")),
            step(
                "Do2",
                Some(call(of_first())),
                "Done2",
                Some("Failed2"),
                undo("Undo2", "Undone2"),
            ),
            step(
                "Do3",
                Some(call(of_first())),
                "Done3",
                Some("Failed3"),
                None,
            ),
            step(
                "Do4",
                Some(call(of_first())),
                "Done4",
                Some("Failed4"),
                undo("Undo4", "Undone4"),
            ),
        ],
    }
}

pub fn number(step: u32) -> StepNumber {
    StepNumber::new(step).unwrap()
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_769_853_600 + seconds).unwrap()
}

pub fn fact(kind: &str, version: u32) -> Fact {
    Fact {
        mode: SagaMode::Orchestration,
        kind: kind.to_owned(),
        id: Uuid::new_v5(&Uuid::nil(), format!("{kind}{version}").as_bytes()),
        stream: format!("stream-{}", kind.chars().last().unwrap()),
        version,
        subject: Uuid::from_u128(9),
        time: at(0),
        trace: Some("trace".into()),
        data: json!({"amount": 5, "other": "kept out"}),
    }
}

/// A wire format with the smallest possible payloads. In an answer, a text is the type of an event, and any other value
/// is a refusal.
pub fn wire() -> Wire {
    Wire {
        function: str::to_owned,
        request: |ask| json!({ "kind": ask.kind }),
        event_type: "type",
        event_id: "id",
        event_data: "data",
        answer_of: |heard| json!({"type": heard.kind, "id": heard.id}),
        answer: |payload| {
            Some(match payload.as_str() {
                Some(kind) => Answer::Events(vec![fact(kind, 1)]),
                None => Answer::Rejected("no".into()),
            })
        },
    }
}

/// A saga's log in short form: `Started`, `>Do2`, `Done2`, `<Undo2` …
pub(crate) fn told(saga: &Saga) -> Vec<String> {
    let line = |entry: &Entry| match &entry.what {
        What::Started { .. } => "Started".to_owned(),
        What::CommandSent { command, .. } => format!(">{command}"),
        What::CompensationSent { command, .. } => format!("<{command}"),
        What::EventReceived {
            event,
            attempts: Some(count),
            ..
        } => format!("{} x{count}", event.kind),
        What::EventReceived { event, .. } => event.kind.clone(),
        What::CommandRejected { in_doubt, .. } if *in_doubt => "rejected?".to_owned(),
        What::CommandRejected { .. } => "rejected".to_owned(),
        What::NoAnswer { attempt, .. } => format!("no answer {attempt}"),
        What::TimedOut { attempts, .. } => format!("timed out x{attempts}"),
        What::ExecutionStarted { direction, .. } => format!("+{direction:?}"),
        What::CancellationRequested { .. } => "cancelled".to_owned(),
        What::NeedsIntervention { .. } => "person".to_owned(),
        What::Delayed {} => "delayed".to_owned(),
        What::TakenOver {} => "taken over".to_owned(),
        What::Resumed { .. } => "resumed".to_owned(),
        What::StepMarked { step, .. } => format!("by hand {step}"),
        What::Ended { status } => status.to_string(),
        What::CommandImpossible { .. } => "impossible".to_owned(),
    };
    saga.log.iter().map(line).collect()
}
