//! The log of a saga, rebuilt from the histories of its executions.

use alpes_ports::{Ending, Happened, HistoryEvent};
use alpes_saga::{Direction, Fact, Input, Saga, SagaMode, Status, executed, start, transition};
use jiff::Timestamp;
use serde_json::Value;

use crate::common::{ID, at, definition, fact, told, wire};

use Direction::{Do, Undo};

fn step(saga: &Saga, input: &Input) -> Saga {
    transition(&definition(), saga, input, at(100)).0
}

fn running() -> Saga {
    let opening = Fact {
        mode: SagaMode::StepFunctions,
        ..fact("Done1", 1)
    };
    let saga = start(&definition(), ID, &opening, at(0)).unwrap();
    step(&saga, &Input::Started(Do))
}

fn hears(saga: &Saga, kinds: &[&str]) -> Saga {
    let place = |kind: &str| if kind.starts_with("Undone") { 2 } else { 1 };
    let events = kinds.iter().map(|kind| fact(kind, place(kind)));
    events.fold(saga.clone(), |saga, event| {
        step(&saga, &Input::Event(event))
    })
}

/// An execution's history in short form: the name of a state that was entered, `=Done2` for an answer, `!` for a failed
/// call, `.` for success, `x` for failure.
fn history(told: &[&str]) -> Vec<HistoryEvent> {
    let happened = told.iter().map(|told| match *told {
        "!" => Happened::CallFailed {
            error: "States.Timeout".into(),
            cause: String::new(),
        },
        "." => Happened::Ended(Ending::Succeeded {
            output: Value::Null,
        }),
        "x" => Happened::Ended(Ending::Failed {
            error: "States.Timeout".into(),
            cause: String::new(),
        }),
        "=" => Happened::Answered(Value::Null),
        told => match told.strip_prefix('=') {
            Some(kind) => Happened::Answered(kind.into()),
            None => Happened::Entered(told.to_owned()),
        },
    });
    let when = |place: usize| at(i64::try_from(place).unwrap());
    let events = happened.enumerate();
    events
        .map(|(place, what)| HistoryEvent {
            when: when(place),
            what,
        })
        .collect()
}

fn read(watched: &Saga, histories: &[&[&str]]) -> Saga {
    let histories: Vec<_> = histories.iter().map(|told| history(told)).collect();
    executed(&definition(), watched, &histories, &wire())
}

const FORWARD: [&str; 7] = ["2 Do2", "=Done2", "3 Do3", "=Done3", "4 Do4", "=Done4", "."];

#[test]
fn what_is_answered_is_what_the_coordinator_would_have_logged() {
    let watched = hears(&running(), &["Done2", "Done3", "Done4"]);
    let went = read(&watched, &[&FORWARD]);
    assert_eq!(
        told(&went),
        [
            "Started",
            ">Do2",
            "+Do",
            "Done2",
            ">Do3",
            "Done3",
            ">Do4",
            "Done4",
            "Completed"
        ]
    );
    assert_eq!(
        (went.status, went.mode),
        (Status::Completed, SagaMode::StepFunctions)
    );
    let When { first, last } = times(&went);
    assert_eq!((first, last), (at(0), at(5)), "as the history has them");
}

struct When {
    first: Timestamp,
    last: Timestamp,
}

fn times(saga: &Saga) -> When {
    When {
        first: saga.started(),
        last: saga.updated(),
    }
}

#[test]
fn calls_are_counted_by_command() {
    let watched = hears(&running(), &["Undone2", "Undone1"]);
    let again = "2 Do2: again";
    let went = read(
        &watched,
        &[&[
            "2 Do2",
            "!",
            "2 Do2: pause",
            again,
            "!",
            "!",
            "2 undo: Undo2",
            "!",
            "=Undone2",
            "1 undo: Undo1",
            "=Undone1",
            ".",
        ]],
    );
    assert_eq!(
        told(&went)[3..],
        [
            "no answer 1",
            "no answer 2",
            "no answer 3",
            "timed out x3",
            "<Undo2",
            "no answer 1",
            "Undone2 x2",
            "<Undo1",
            "Undone1",
            "Compensated"
        ]
    );
}

#[test]
fn a_refusal_after_a_call_without_answer_is_in_doubt() {
    let watched = hears(&running(), &["Undone2"]);
    let sure = read(&watched, &[&["2 Do2", "="]]);
    assert_eq!(told(&sure)[3..], ["rejected", "<Undo1"]);
    let doubtful = read(&watched, &[&["2 Do2", "!", "2 Do2: again", "="]]);
    assert_eq!(told(&doubtful)[3..], ["no answer 1", "rejected?", "<Undo2"]);
}

const STUCK: [&str; 7] = ["2 Do2", "=Failed2", "1 undo: Undo1", "!", "!", "!", "x"];

#[test]
fn an_answer_that_is_told_twice_is_of_the_call_before() {
    let calls = [
        "2 Do2",
        "!",
        "2 Do2: again",
        "=Done2",
        "3 Do3",
        "=Done2",
        "=Done3",
    ];
    let once = ["2 Do2", "!", "2 Do2: again", "=Done2", "3 Do3", "=Done3"];
    let lines = told(&read(&running(), &[&calls]));
    assert_eq!(lines, told(&read(&running(), &[&once])));
}

#[test]
fn what_is_given_up_requires_a_person_and_goes_on_when_one_has_it_go_on() {
    let watched = hears(&running(), &["Failed2"]);
    let went = read(&watched, &[&STUCK]);
    assert_eq!(
        told(&went)[3..],
        [
            "Failed2",
            "<Undo1",
            "no answer 1",
            "no answer 2",
            "no answer 3",
            "timed out x3",
            "person"
        ]
    );
    assert_eq!(went.status, Status::NeedsIntervention);
    let watched = hears(&watched, &["Undone1"]);
    let redriven = [&STUCK[..], &["=Undone1", "."]].concat();
    let went = read(&watched, &[&redriven]);
    assert_eq!(told(&went)[10..], ["resumed", "Undone1", "Compensated"]);
    assert_eq!(went.status, Status::Compensated);
    // A person undid the step by hand.
    let by_hand = read(&watched, &[&STUCK]);
    assert_eq!(by_hand.status, Status::Compensated);
}

#[test]
fn an_execution_that_fails_otherwise_requires_a_person_too() {
    let went = read(&running(), &[&["2 Do2", "=Done2", "x"]]);
    assert_eq!(told(&went)[3..], ["Done2", ">Do3", "person"]);
    assert_eq!(went.status, Status::NeedsIntervention);
}

#[test]
fn both_executions_are_one_log() {
    let watched = hears(&running(), &["Done2", "Done3", "Done4"]);
    let reason = "changed plans".to_owned();
    let watched = step(&watched, &Input::Cancel { reason });
    let watched = step(&watched, &Input::Started(Undo));
    let watched = hears(&watched, &["Undone4", "Undone2", "Undone1"]);
    let undone = [
        "4 undo: Undo4",
        "=Undone4",
        "2 undo: Undo2",
        "=Undone2",
        "1 undo: Undo1",
        "=Undone1",
        ".",
    ];
    let went = read(&watched, &[&FORWARD, &undone]);
    assert_eq!(
        told(&went)[8..],
        [
            "Completed",
            "cancelled",
            "<Undo4",
            "+Undo",
            "Undone4",
            "<Undo2",
            "Undone2",
            "<Undo1",
            "Undone1",
            "Compensated"
        ]
    );
    assert_eq!(went.status, Status::Compensated);
}

#[test]
fn it_has_ended_when_both_say_so() {
    let ahead = read(&running(), &[&FORWARD]);
    assert_eq!(ahead.status, Status::Running, "its events are on their way");
    let watched = hears(&running(), &["Done2", "Done3", "Done4"]);
    let behind = read(&watched, &[&FORWARD[..4]]);
    assert_eq!(behind.status, Status::Running);
    let unbegun = start(
        &definition(),
        ID,
        &Fact {
            mode: SagaMode::StepFunctions,
            ..fact("Done1", 1)
        },
        at(0),
    );
    let unbegun = unbegun.unwrap();
    assert_eq!(read(&unbegun, &[]), unbegun, "nothing was sent yet");
}
