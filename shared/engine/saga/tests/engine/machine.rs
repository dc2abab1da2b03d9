//! Sagas that a state machine runs: the transitions of their inputs, and the start of their executions.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use alpes_ports::{Clock, Ending, ExecutionError, Executions, HistoryEvent, Progress, World};
use alpes_saga::{
    Answer, Coordinator, Definitions, Direction, Dispatch, Fact, Input, NoAnswer, Participants,
    Request, Requested, Saga, SagaMode, Sagas, Status, What, execution_name, start, taken_over_id,
    transition,
};
use async_trait::async_trait;
use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use simulation::{Fault, Faults};
use twins::{ManualClock, MemoryTables, world};

use crate::common::{ID, at, definition, fact, number, told, wire};

use Direction::{Do, Undo};

fn opening() -> Fact {
    Fact {
        mode: SagaMode::StepFunctions,
        ..fact("Done1", 1)
    }
}

fn begun() -> Saga {
    start(&definition(), ID, &opening(), at(1)).unwrap()
}

fn step(saga: &Saga, input: &Input, now: i64) -> Saga {
    let (next, dispatch) = transition(&definition(), saga, input, at(now));
    let sends = saga.mode == SagaMode::Orchestration;
    assert!(sends || dispatch.is_none(), "nothing is sent for it");
    assert_eq!(settled(replayed(&next)), settled(next.clone()));
    next
}

fn replayed(saga: &Saga) -> Saga {
    Saga::replay(ID, &definition(), saga.log.clone()).unwrap()
}

/// The saga without the values that the log does not have: the time of the next look at an execution, and the state of
/// the attempts at the outstanding command.
fn settled(mut saga: Saga) -> Saga {
    saga.next_look = saga.next_look.map(|_| at(0));
    if let Some(out) = &mut saga.outstanding {
        (out.attempts, out.unanswered, out.due) = (0, false, None);
    }
    saga
}

/// An event of this type, with its version in its step's event stream.
fn heard(kind: &str) -> Fact {
    let version = match kind {
        kind if kind.starts_with("Done") => 1,
        kind if kind.starts_with("Failed") => 2,
        _ => 3,
    };
    fact(kind, version)
}

fn hears(saga: &Saga, kinds: &[&str]) -> Saga {
    let events = kinds.iter().map(|kind| Input::Event(heard(kind)));
    events.fold(saga.clone(), |saga, event| step(&saga, &event, 3))
}

fn running() -> Saga {
    step(&begun(), &Input::Started(Do), 2)
}

fn cancel() -> Input {
    let reason = "changed plans".to_owned();
    Input::Cancel { reason }
}

/// The execution has succeeded: every step is done or, if there is a reason, undone.
fn succeeded(reason: Option<&str>) -> Progress {
    let mut own = json!({ "id": ID });
    if let Some(reason) = reason {
        own["reason"] = reason.into();
    }
    let output = json!({ "saga": own });
    Progress::Ended(Ending::Succeeded { output })
}

fn failed() -> Progress {
    Progress::Ended(Ending::Failed {
        error: "States.TaskFailed".into(),
        cause: "nobody answers".into(),
    })
}

#[test]
fn it_wants_its_execution_at_once_and_notes_its_start_once() {
    let saga = begun();
    assert_eq!((saga.wanted, saga.wake()), (Some(Do), Some(at(1))));
    let saga = step(&saga, &Input::Started(Do), 2);
    assert_eq!(told(&saga), ["Started", "+Do"]);
    assert_eq!((saga.wanted, saga.wake()), (None, Some(at(62))));
    assert_eq!(saga.executions().collect::<Vec<_>>(), [Do]);
    let What::ExecutionStarted { name, .. } = &saga.log[1].what else {
        panic!("{:?}", saga.log)
    };
    assert_eq!(*name, execution_name(ID, Do));
    assert_eq!(step(&saga, &Input::Started(Do), 4), saga);
}

#[test]
fn the_start_of_one_is_not_taken_for_that_of_the_other() {
    let complete = hears(&running(), &["Done2", "Done3", "Done4"]);
    let cancelled = step(&complete, &cancel(), 4);
    assert_eq!(step(&cancelled, &Input::Started(Do), 5), cancelled);
}

#[test]
fn it_completes_by_what_is_heard_in_any_order_and_twice() {
    let steps = ["Done2", "Done3", "Done4"];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let [first, second, third] = order.map(|place| steps[place]);
        let saga = hears(&running(), &[first, first, second]);
        assert_eq!(saga.status, Status::Running);
        let saga = hears(&saga, &[third, second]);
        let expected = ["Started", "+Do", first, second, third, "Completed"];
        assert_eq!(told(&saga), expected);
        assert_eq!(saga.wake(), None);
    }
}

#[test]
fn it_does_not_end_before_it_is_known_under_what_name_it_ran() {
    // The answer to the request that started the execution was lost, and the execution has done every step.
    let complete = hears(&begun(), &["Done2", "Done3", "Done4"]);
    assert_eq!(complete.status, Status::Running);
    assert_eq!(complete.wake(), Some(at(1)), "it is started again");
    let complete = step(&complete, &Input::Started(Do), 4);
    assert_eq!(complete.status, Status::Completed);
    assert_eq!(complete.executions().count(), 1);
    let undone = hears(&begun(), &["Failed2", "Undone1"]);
    assert_eq!(undone.status, Status::Compensating);
    let undone = step(&undone, &Input::Started(Do), 4);
    assert_eq!(undone.status, Status::Compensated);
}

#[test]
fn what_fails_is_undone_by_its_execution() {
    let saga = hears(&running(), &["Done2", "Failed3"]);
    assert_eq!(
        (saga.status, saga.wanted, saga.reason.as_deref()),
        (Status::Compensating, None, Some("Failed3"))
    );
    let saga = hears(&saga, &["Undone2"]);
    assert_eq!(saga.status, Status::Compensating);
    let saga = hears(&saga, &["Undone1"]);
    assert_eq!((saga.status, saga.wake()), (Status::Compensated, None));
}

#[test]
fn nobody_turns_an_execution_that_runs() {
    for saga in [begun(), running(), hears(&running(), &["Done2", "Done3"])] {
        assert_eq!(step(&saga, &cancel(), 4), saga);
    }
    let undone = hears(&running(), &["Failed2", "Undone1"]);
    assert_eq!(step(&undone, &cancel(), 4), undone);
    // A person cannot resume a saga whose execution has not failed.
    for saga in [running(), undone] {
        assert_eq!(step(&saga, &Input::Resume { note: None }, 6), saga);
        assert_eq!(step(&saga, &mark(1), 6), saga);
    }
}

fn mark(step: u32) -> Input {
    Input::MarkDone {
        step: number(step),
        note: "by hand".to_owned(),
    }
}

/// A saga whose execution failed after its second step.
fn stuck() -> Saga {
    let going = hears(&running(), &["Done2"]);
    step(&going, &Input::Execution(Do, failed()), 62)
}

/// Sends and answers every command of a saga until none is due. Returns the saga and its commands with their data.
fn undoes(mut saga: Saga) -> (Saga, Vec<Dispatch>) {
    let mut sent = vec![];
    loop {
        let (next, dispatch) = transition(&definition(), &saga, &Input::Time, at(1_000));
        let Some(dispatch) = dispatch else {
            return (next, sent);
        };
        let kind = dispatch.kind.replace("Undo", "Undone");
        let answer = Answer::Events(vec![heard(&kind)]);
        let command = dispatch.command;
        sent.push(dispatch);
        saga = step(&next, &Input::Reply { command, answer }, 1_000);
    }
}

#[test]
fn what_has_failed_is_taken_over_and_undone_whole() {
    let resume = Input::Resume {
        note: Some("it is gone".into()),
    };
    let asked: [(Input, &[&str], &str); 2] = [
        (
            resume,
            &["taken over", "resumed"],
            "its execution ended too early",
        ),
        (cancel(), &["cancelled", "taken over"], "changed plans"),
    ];
    for (input, lines, why) in asked {
        let taken = step(&stuck(), &input, 70);
        assert_eq!(taken.mode, SagaMode::Orchestration);
        assert_eq!((taken.status, taken.wanted), (Status::Compensating, None));
        let (ended, sent) = undoes(taken);
        assert_eq!(ended.status, Status::Compensated);
        // Step 4 may have been begun, although no event of step 4 arrived. Step 3 has no undoing command.
        let kinds: Vec<_> = sent.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, ["Undo4", "Undo2", "Undo1"]);
        for dispatch in sent {
            assert_eq!(dispatch.data, json!({ "why": why }));
            assert_eq!(dispatch.command, taken_over_id(ID, dispatch.step));
        }
        let told = told(&ended);
        assert_eq!(told[..4], ["Started", "+Do", "Done2", "person"]);
        assert_eq!(&told[4..6], lines);
    }
}

#[test]
fn what_a_person_undid_is_not_undone_again() {
    let before = stuck();
    for other in [3, 5] {
        assert_eq!(step(&before, &mark(other), 70), before, "nothing to undo");
    }
    let (ended, sent) = undoes(step(&before, &mark(2), 70));
    let kinds: Vec<_> = sent.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, ["Undo4", "Undo1"]);
    assert_eq!(ended.status, Status::Compensated);
    // A step that was undone before the failure needs no person.
    let failed_later = hears(&running(), &["Done2", "Failed3", "Undone2"]);
    let stuck = step(&failed_later, &Input::Execution(Do, failed()), 62);
    assert_eq!(step(&stuck, &mark(2), 70), stuck);
    let (ended, _) = undoes(step(&stuck, &mark(1), 70));
    assert_eq!(ended.status, Status::Compensated);
}

#[test]
fn what_is_undone_already_is_not_taken_over_by_who_asks_for_it_again() {
    let turned = hears(&running(), &["Done2", "Failed3"]);
    let stuck = step(&turned, &Input::Execution(Do, failed()), 62);
    assert_eq!(step(&stuck, &cancel(), 70), stuck);
}

/// The execution that should have undone the saga has failed, and then an old event is redelivered.
#[test]
fn one_that_is_to_be_undone_is_never_completed() {
    let saga = step(&cancelled(), &Input::Started(Undo), 5);
    let saga = step(&saga, &Input::Execution(Undo, failed()), 70);
    assert_eq!(saga.status, Status::NeedsIntervention);
    let again = Input::Event(Fact {
        version: 7,
        ..heard("Done4")
    });
    let saga = step(&saga, &again, 71);
    assert_eq!(saga.status, Status::NeedsIntervention);
    let (ended, sent) = undoes(step(&saga, &Input::Resume { note: None }, 72));
    assert_eq!((ended.status, sent.len()), (Status::Compensated, 3));
}

/// The coordinator has taken the saga over, and a person resumes the failed execution nevertheless.
#[test]
fn what_is_heard_after_it_was_taken_over_brings_nothing_back() {
    let taken = step(&stuck(), &Input::Resume { note: None }, 70);
    let going = hears(&taken, &["Done3", "Failed4", "Undone1"]);
    let (ended, _) = undoes(going);
    assert_eq!(ended.status, Status::Compensated);
    let late = [
        Input::Event(heard("Done4")),
        Input::Started(Do),
        Input::Execution(Do, succeeded(None)),
        Input::NoWord("nobody".into()),
    ];
    for input in late {
        assert_eq!(step(&ended, &input, 4_000).status, Status::Compensated);
    }
}

#[test]
fn what_is_completed_is_undone_by_a_second_execution() {
    let saga = hears(&running(), &["Done2", "Done3", "Done4"]);
    let saga = step(&saga, &cancel(), 10);
    assert_eq!(
        (saga.status, saga.wanted, saga.wake()),
        (Status::Compensating, Some(Undo), Some(at(10)))
    );
    let saga = step(&saga, &Input::Started(Undo), 11);
    assert_eq!(saga.wake(), Some(at(71)));
    // Step 3 has no undoing command.
    let saga = hears(&saga, &["Undone4", "Undone2", "Undone1"]);
    assert_eq!(saga.status, Status::Compensated);
    assert_eq!(
        told(&saga)[6..],
        [
            "cancelled",
            "+Undo",
            "Undone4",
            "Undone2",
            "Undone1",
            "Compensated"
        ]
    );
    assert_eq!(saga.executions().collect::<Vec<_>>(), [Do, Undo]);
}

#[test]
fn what_is_undone_behind_its_back_once_it_is_completed_is_undone_whole() {
    let saga = hears(&running(), &["Done2", "Done3", "Done4", "Undone2"]);
    assert_eq!(
        (saga.status, saga.wanted, saga.reason.as_deref()),
        (Status::Compensating, None, Some("Undone2")),
        "its own execution may be who undid it"
    );
    assert!(saga.wake() <= Some(at(5)), "it is looked at at once");
    let saga = step(&saga, &Input::Execution(Do, succeeded(None)), 5);
    assert_eq!(saga.wanted, Some(Undo));
    let saga = step(&saga, &Input::Started(Undo), 5);
    let saga = hears(&saga, &["Undone4", "Undone1"]);
    assert_eq!(saga.status, Status::Compensated);
}

#[test]
fn an_execution_that_was_not_told_that_all_is_done_undoes_it_and_nobody_else_does() {
    let saga = hears(&running(), &["Done2", "Done3", "Done4", "Undone4"]);
    let saga = step(&saga, &Input::Execution(Do, Progress::Running), 5);
    assert_eq!((saga.status, saga.wanted), (Status::Compensating, None));
    let saga = hears(&saga, &["Undone2", "Undone1"]);
    assert_eq!(saga.status, Status::Compensated);
    assert_eq!(saga.executions().collect::<Vec<_>>(), [Do]);
}

/// A saga whose steps are all done, and which is then cancelled. The execution of the saga may not have succeeded yet.
fn cancelled() -> Saga {
    let complete = hears(&running(), &["Done2", "Done3", "Done4"]);
    step(&complete, &cancel(), 10)
}

#[test]
fn a_second_execution_waits_for_the_first_to_end() {
    let waits = step(&cancelled(), &Input::Execution(Do, Progress::Running), 10);
    assert_eq!(
        (waits.status, waits.wanted, waits.wake()),
        (Status::Compensating, Some(Undo), Some(at(11)))
    );
    // The first execution is not visible yet.
    let unknown = step(&cancelled(), &Input::Execution(Do, Progress::Unknown), 10);
    assert_eq!(unknown, waits);
    let ends = step(&waits, &Input::Execution(Do, succeeded(None)), 11);
    assert_eq!(ends, waits, "the way is free");
    let gone = step(&waits, &Input::Execution(Do, Progress::Unknown), 90);
    assert_eq!(gone, waits, "an old one is forgotten");
    let failed = step(&waits, &Input::Execution(Do, failed()), 11);
    assert_eq!(failed, waits, "it undid nothing");
    // A saga that waits long is logged as late, and the coordinator asks for the progress of its execution less often.
    let late = step(&waits, &Input::Execution(Do, Progress::Running), 70);
    assert_eq!((late.is_late(), late.wake()), (true, Some(at(130))));
    let later = step(&late, &Input::Execution(Do, Progress::Running), 130);
    assert_eq!(later.wake(), Some(at(190)));
}

#[test]
fn what_the_first_execution_undoes_itself_needs_no_second() {
    let waits = step(&cancelled(), &Input::Execution(Do, Progress::Running), 10);
    let undone = succeeded(Some("Do4: no answer"));
    let early = step(&waits, &Input::Execution(Do, undone.clone()), 11);
    assert_eq!(
        (early.status, early.wanted, early.wake()),
        (Status::Compensating, Some(Undo), Some(at(12))),
        "its events are to come"
    );
    let heard = hears(&early, &["Undone4", "Undone2", "Undone1"]);
    assert_eq!(
        heard.status,
        Status::Compensating,
        "a second may run, not noted"
    );
    let saga = step(&heard, &Input::Execution(Do, undone), 12);
    assert_eq!(
        (saga.status, saga.wanted, saga.wake()),
        (Status::Compensated, None, None)
    );
    assert_eq!(saga.executions().collect::<Vec<_>>(), [Do]);
}

#[test]
fn what_the_first_execution_fails_to_undo_requires_a_person() {
    let part = hears(&cancelled(), &["Undone4"]);
    let stuck = step(&part, &Input::Execution(Do, failed()), 11);
    assert_eq!(
        (stuck.status, stuck.wanted, stuck.wake()),
        (Status::NeedsIntervention, None, None)
    );
    // A person resumes the execution.
    let saga = hears(&stuck, &["Undone2", "Undone1"]);
    assert_eq!(saga.status, Status::Compensated);
    assert_eq!(saga.executions().collect::<Vec<_>>(), [Do]);
}

#[test]
fn what_is_undone_while_it_runs_and_is_done_all_the_same_is_undone_by_a_second_execution() {
    let saga = hears(&running(), &["Done2", "Undone2", "Done3", "Done4"]);
    assert_eq!(
        (saga.status, saga.wanted),
        (Status::Compensating, None),
        "it may be undoing it"
    );
    let saga = step(&saga, &Input::Execution(Do, succeeded(None)), 62);
    assert_eq!(
        (saga.status, saga.wanted, saga.wake()),
        (Status::Compensating, Some(Undo), Some(at(62)))
    );
    // Another process had asked for the progress too.
    let again = step(&saga, &Input::Execution(Do, succeeded(None)), 63);
    assert_eq!(again, saga);
    let saga = step(&saga, &Input::Started(Undo), 64);
    let saga = hears(&saga, &["Undone4", "Undone1"]);
    assert_eq!(saga.status, Status::Compensated);
}

#[test]
fn an_undoing_that_leaves_nothing_is_the_end_once_the_execution_says_so() {
    // A participant refused a step's command, and a refusal is no event. The execution undid the first step, and is
    // about to end.
    let saga = hears(&running(), &["Undone1"]);
    assert_eq!(
        (saga.status, saga.wake()),
        (Status::Compensating, Some(at(4)))
    );
    let refused = succeeded(Some("Do2: rejected"));
    let undone = step(&saga, &Input::Execution(Do, refused), 4);
    assert_eq!((undone.status, undone.wake()), (Status::Compensated, None));
    // In the other case, another sender undid the first step, and the execution continues.
    let saga = step(&saga, &Input::Execution(Do, Progress::Running), 4);
    assert_eq!(saga.status, Status::Compensating);
    let saga = hears(&saga, &["Done2", "Done3", "Done4"]);
    let saga = step(&saga, &Input::Execution(Do, succeeded(None)), 70);
    assert_eq!(saga.wanted, Some(Undo));
}

#[test]
fn what_is_not_heard_of_yet_may_stand() {
    // Step 3 was done, so step 2 was done too. The event of step 2 has not arrived yet, and step 2 may still need
    // undoing.
    for kinds in [
        &["Done3", "Failed4", "Undone1"][..],
        &["Failed4", "Undone1"],
        &["Done4", "Undone4", "Undone1"],
        &["Undone4", "Undone1"],
    ] {
        let saga = hears(&running(), kinds);
        assert_eq!(saga.status, Status::Compensating, "{kinds:?}");
        assert!(saga.wake().is_some());
        let stuck = step(&saga, &Input::Execution(Do, failed()), 62);
        assert_eq!(stuck.status, Status::NeedsIntervention, "{kinds:?}");
        let told = step(&saga, &Input::Execution(Do, succeeded(Some("Failed4"))), 62);
        assert_eq!(told.status, Status::Compensated, "{kinds:?}");
        let heard = hears(&saga, &["Done2"]);
        assert_eq!(heard.status, Status::Compensating, "{kinds:?}");
        assert_eq!(hears(&heard, &["Undone2"]).status, Status::Compensated);
        assert_eq!(hears(&saga, &["Undone2"]).status, Status::Compensated);
    }
}

#[test]
fn one_that_fails_requires_a_person_and_what_is_heard_after_ends_it() {
    let stuck = hears(&running(), &["Done2", "Failed3"]);
    let stuck = step(&stuck, &Input::Execution(Do, failed()), 62);
    assert_eq!(
        (stuck.status, stuck.wake()),
        (Status::NeedsIntervention, None)
    );
    let What::NeedsIntervention { step: of, problem } = &stuck.log.last().unwrap().what else {
        panic!("{:?}", stuck.log)
    };
    assert_eq!(
        (*of, problem.as_str()),
        (number(2), "States.TaskFailed: nobody answers")
    );
    let again = step(&stuck, &Input::Execution(Do, failed()), 63);
    assert_eq!(again, stuck, "it is said once");
    // A person resumes the execution.
    let going = hears(&stuck, &["Undone2"]);
    assert_eq!(going.status, Status::Compensating);
    assert_eq!(
        going.wake(),
        Some(at(63)),
        "it may fail again, and is looked at"
    );
    let failed_again = step(&going, &Input::Execution(Do, failed()), 63);
    assert_eq!(failed_again.status, Status::NeedsIntervention);
    assert_eq!(
        hears(&failed_again, &["Undone1"]).status,
        Status::Compensated
    );
    assert_eq!(hears(&going, &["Undone1"]).status, Status::Compensated);
}

#[test]
fn one_that_fails_before_anything_is_undone_can_still_be_completed() {
    let stuck = step(&running(), &Input::Execution(Do, failed()), 62);
    let going = hears(&stuck, &["Done2", "Done3"]);
    assert_eq!(going.status, Status::NeedsIntervention);
    assert_eq!(hears(&going, &["Done4"]).status, Status::Completed);
    let turned = hears(&going, &["Failed4"]);
    assert_eq!(turned.status, Status::Compensating);
    assert!(turned.wake().is_some());
}

#[test]
fn one_that_is_gone_requires_a_person() {
    let saga = step(&running(), &Input::Execution(Do, Progress::Unknown), 62);
    assert_eq!(saga.status, Status::NeedsIntervention);
}

#[test]
fn one_that_began_just_now_may_not_be_told_yet() {
    let undone = hears(&running(), &["Undone1"]);
    let saga = step(&undone, &Input::Execution(Do, Progress::Unknown), 5);
    assert_eq!(saga.status, Status::Compensating);
    assert!(saga.wake().is_some(), "it is looked at again");
}

#[test]
fn one_that_runs_for_long_is_noted_as_late_once_and_looked_at_again() {
    let runs = Input::Execution(Do, Progress::Running);
    let late = step(&running(), &runs, 62);
    assert_eq!(told(&late), ["Started", "+Do", "delayed"]);
    assert_eq!((late.is_late(), late.wake()), (true, Some(at(122))));
    let later = step(&late, &runs, 130);
    assert_eq!(told(&later), told(&late));
    assert_eq!(later.wake(), Some(at(190)));
    let complete = hears(&later, &["Done2", "Done3", "Done4"]);
    assert_eq!((complete.is_late(), complete.wake()), (false, None));
    // The coordinator asked for the progress before the execution ended.
    assert_eq!(step(&complete, &runs, 200), complete);
}

#[test]
fn time_alone_changes_nothing() {
    for saga in [begun(), running()] {
        assert_eq!(step(&saga, &Input::Time, 1_000), saga);
    }
}

#[test]
fn one_that_would_begin_too_late_is_undone_by_our_own_engine() {
    let late = at(2 * 3_600);
    let saga = start(&definition(), ID, &opening(), late).unwrap();
    assert_eq!((saga.mode, saga.wanted), (SagaMode::Orchestration, None));
    assert_eq!(saga.status, Status::Compensating);
}

/// An input from two numbers: the kind of the input, and its step.
fn input((what, about): (u8, u8)) -> Input {
    let place = about % 4 + 1;
    let kind = |name: &str| Input::Event(heard(&format!("{name}{place}")));
    let direction = if about % 2 == 0 { Do } else { Undo };
    let progress = match about % 5 {
        0 => Progress::Running,
        1 => Progress::Unknown,
        2 => failed(),
        3 => succeeded(None),
        _ => succeeded(Some("because")),
    };
    match what {
        0..=2 => kind("Done"),
        3 => kind("Failed"),
        4 | 5 => kind("Undone"),
        6 => Input::Started(direction),
        7 => Input::Execution(direction, progress),
        8 => cancel(),
        9 => Input::Resume { note: None },
        10 => Input::MarkDone {
            step: number(place.into()),
            note: "done".into(),
        },
        _ => Input::Time,
    }
}

proptest! {
    #[test]
    fn whatever_is_heard_it_is_the_fold_of_its_log_and_somebody_looks_after_it(
        plan in prop::collection::vec((0..12_u8, 0..20_u8), 0..40),
    ) {
        let (mut saga, mut now) = (begun(), 1);
        let mut asked = false;
        for chosen in plan {
            now += 3;
            let before = saga.clone();
            saga = step(&saga, &input(chosen), now);
            asked |= chosen.0 == 8 && saga != before;
            prop_assert!(!asked || saga.status != Status::Completed, "what is taken is done: {:?}", told(&saga));
            prop_assert!(before.mode == saga.mode || saga.mode == SagaMode::Orchestration);
            prop_assert!(saga.log.starts_with(&before.log), "the log is only added to");
            let waits = saga.status == Status::NeedsIntervention;
            prop_assert!(saga.status.has_ended() || waits || saga.wake().is_some(), "{:?}", told(&saga));
            prop_assert!(!saga.status.has_ended() || saga.wake().is_none());
            prop_assert!(saga.wanted.is_none() || saga.wake().is_some(), "{:?}", told(&saga));
            prop_assert!(before.status != Status::Compensated || saga.status == Status::Compensated);
            let began = |saga: &Saga| saga.executions().count();
            if began(&saga) > began(&before) {
                prop_assert_eq!(saga.executions().last(), before.wanted);
            }
            prop_assert!(saga.executions().count() <= 2);
        }
        // From any state that the inputs led to, a person can end the saga. A saga that was taken over may need several
        // attempts.
        for _ in 0..3 {
            if saga.status == Status::NeedsIntervention {
                saga = step(&saga, &Input::Resume { note: None }, now);
            }
            saga = undoes(saga).0;
        }
        // A state machine that undoes the saga on request ends it too.
        for _ in 0..4 {
            if let Some(direction) = saga.wanted {
                saga = step(&saga, &Input::Started(direction), now);
            }
            saga = hears(&saga, &["Failed2", "Undone4", "Undone2", "Undone1"]);
            if let Some(direction) = saga.executions().last() {
                saga = step(&saga, &Input::Execution(direction, succeeded(Some("because"))), now);
            }
        }
        prop_assert!(saga.status.has_ended(), "{:?}", told(&saga));
    }
}

/// A state machine whose executions do nothing on their own.
#[derive(Default)]
struct Machine {
    /// The input of each execution, by the execution's name.
    started: Mutex<BTreeMap<String, Value>>,
    /// The errors that the next starts return. Later starts succeed.
    answers: Mutex<VecDeque<ExecutionError>>,
    /// The ending of each execution that has ended, by the execution's name.
    ended: Mutex<BTreeMap<String, Progress>>,
}

impl Machine {
    fn names(&self) -> Vec<String> {
        self.started.lock().unwrap().keys().cloned().collect()
    }

    fn end(&self, direction: Direction, how: Progress) {
        let name = execution_name(ID, direction);
        self.ended.lock().unwrap().insert(name, how);
    }
}

#[async_trait]
impl Executions for Machine {
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError> {
        if let Some(error) = self.answers.lock().unwrap().pop_front() {
            return Err(error);
        }
        let mut started = self.started.lock().unwrap();
        started.entry(name.to_owned()).or_insert(input.clone());
        Ok(())
    }

    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError> {
        if let Some(ended) = self.ended.lock().unwrap().get(name) {
            return Ok(ended.clone());
        }
        let known = self.started.lock().unwrap().contains_key(name);
        Ok(if known {
            Progress::Running
        } else {
            Progress::Unknown
        })
    }

    async fn history(&self, _: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError> {
        Ok(None)
    }
}

/// Participants that must not be called.
struct Nobody;

#[async_trait]
impl Participants for Nobody {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        panic!("a state machine does this: {dispatch:?}")
    }
}

/// Participants that never answer.
struct Deaf;

#[async_trait]
impl Participants for Deaf {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        Err(NoAnswer(dispatch.kind.to_owned()))
    }
}

struct Scene {
    tables: Arc<MemoryTables>,
    world: World,
    clock: Arc<ManualClock>,
    machine: Arc<Machine>,
    faults: Faults,
}

impl Scene {
    fn new(faults: Faults) -> Self {
        let (world, clock) = world(1);
        Self {
            tables: Arc::default(),
            world,
            clock,
            machine: Arc::default(),
            faults,
        }
    }

    fn sagas(&self) -> Sagas {
        let definitions = Definitions::new(vec![definition()]);
        Sagas::new(self.tables.clone(), definitions, self.world.clone())
    }

    fn coordinator(&self) -> Coordinator {
        let machine = self.faults.executions(self.machine.clone());
        Coordinator::new(self.sagas(), Arc::new(Nobody)).with_machine(Arc::new(machine), wire())
    }

    fn without_machine(&self) -> Coordinator {
        Coordinator::new(self.sagas(), Arc::new(Deaf))
    }

    fn until(&self) -> Timestamp {
        self.clock.now() + SignedDuration::from_secs(2)
    }

    fn opening(&self) -> Fact {
        let time = self.clock.now();
        Fact { time, ..opening() }
    }

    fn hear(&self, coordinator: &Coordinator, facts: &[Fact]) {
        block_on(coordinator.observe(ID, facts, self.until())).unwrap();
    }

    fn wake(&self, coordinator: &Coordinator) {
        block_on(coordinator.wake(ID, self.until())).unwrap();
    }

    fn saga(&self) -> Saga {
        block_on(self.sagas().load(ID)).unwrap().unwrap().saga
    }

    fn is_due(&self) -> bool {
        !block_on(self.sagas().due(10)).unwrap().sagas.is_empty()
    }
}

#[test]
fn a_saga_is_stored_and_its_execution_begins_with_what_it_needs() {
    let scene = Scene::new(Faults::none());
    scene.hear(&scene.coordinator(), &[scene.opening()]);
    assert_eq!(told(&scene.saga()), ["Started", "+Do"]);
    assert!(!scene.is_due());
    let started = scene.machine.started.lock().unwrap();
    let input = &started[&execution_name(ID, Do)];
    assert_eq!(input["saga"]["id"], json!(ID));
    assert_eq!(input["undo"], json!(false));
    let told = &input["steps"]["Do1"]["answer"];
    assert_eq!(told["type"], json!("Done1"));
}

#[test]
fn a_start_without_answer_stays_due_and_is_made_again() {
    let scene = Scene::new(Faults::none());
    let errors = [
        ExecutionError::Unavailable("too many".into()),
        ExecutionError::Refused("not allowed".into()),
    ];
    scene.machine.answers.lock().unwrap().extend(errors);
    scene.hear(&scene.coordinator(), &[scene.opening()]);
    for _ in 0..2 {
        assert_eq!(told(&scene.saga()), ["Started"]);
        assert_eq!(scene.machine.names(), Vec::<String>::new());
        assert!(scene.is_due());
        scene.wake(&scene.coordinator());
    }
    assert_eq!(told(&scene.saga()), ["Started", "+Do"]);
    assert_eq!(scene.machine.names(), [ID.to_string()]);
    assert!(!scene.is_due());
}

#[test]
fn a_start_that_is_made_twice_or_whose_answer_is_lost_is_one() {
    for fault in [Fault::Twice, Fault::FailAfter, Fault::FailBefore] {
        let scene = Scene::new(Faults::once(0, fault));
        scene.hear(&scene.coordinator(), &[scene.opening()]);
        scene.hear(&scene.coordinator(), &[scene.opening()]);
        scene.wake(&scene.coordinator());
        assert_eq!(told(&scene.saga()), ["Started", "+Do"], "{fault:?}");
        assert_eq!(scene.machine.names(), [ID.to_string()]);
    }
}

#[test]
fn an_execution_that_runs_is_looked_at_once_in_its_patience() {
    let scene = Scene::new(Faults::none());
    scene.hear(&scene.coordinator(), &[scene.opening()]);
    let looks = || {
        let calls = scene.faults.trace();
        calls.iter().filter(|it| it.starts_with("progress")).count()
    };
    let mut logs = vec![];
    for minute in 1..=3 {
        scene.clock.advance(definition().patience / 2);
        scene.wake(&scene.coordinator());
        assert_eq!(looks(), minute - 1);
        scene.clock.advance(definition().patience / 2);
        assert!(scene.is_due());
        scene.wake(&scene.coordinator());
        scene.wake(&scene.coordinator());
        assert_eq!(looks(), minute);
        assert!(!scene.is_due(), "the table keeps when it is due again");
        logs.push(told(&scene.saga()));
    }
    assert_eq!(logs[0], ["Started", "+Do", "delayed"]);
    assert_eq!(logs[2], logs[0]);
}

#[test]
fn without_a_state_machine_it_begins_with_our_own_engine_and_keeps_it() {
    let scene = Scene::new(Faults::none());
    scene.hear(&scene.without_machine(), &[scene.opening()]);
    assert_eq!(scene.saga().mode, SagaMode::Orchestration);
    assert!(scene.saga().outstanding.is_some());
    let patient = scene.coordinator();
    block_on(patient.observe(ID, &[scene.opening()], scene.clock.now())).unwrap();
    assert_eq!(scene.saga().mode, SagaMode::Orchestration);
    assert_eq!(scene.machine.names(), Vec::<String>::new());
}

#[test]
fn what_a_state_machine_runs_waits_for_it_where_there_is_none() {
    let scene = Scene::new(Faults::none());
    let error = ExecutionError::Unavailable("too many".into());
    scene.machine.answers.lock().unwrap().push_back(error);
    scene.hear(&scene.coordinator(), &[scene.opening()]);
    scene.wake(&scene.without_machine());
    assert_eq!(told(&scene.saga()), ["Started"]);
    assert!(scene.is_due());
    scene.wake(&scene.coordinator());
    // The events show that every step is done, even to a coordinator without a state machine.
    let facts = ["Done2", "Done3", "Done4"].map(heard);
    scene.hear(&scene.without_machine(), &facts);
    assert_eq!(scene.saga().status, Status::Completed);
}

#[test]
fn one_of_which_nobody_tells_for_long_requires_a_person() {
    let scene = Scene::new(Faults::none());
    scene.hear(&scene.coordinator(), &[scene.opening()]);
    scene.clock.advance(definition().expiry.after);
    scene.wake(&scene.without_machine());
    assert_eq!(
        scene.saga().status,
        Status::Running,
        "it may be there again"
    );
    scene.clock.advance(Duration::from_secs(1));
    scene.wake(&scene.without_machine());
    let saga = scene.saga();
    assert_eq!(saga.status, Status::NeedsIntervention);
    let What::NeedsIntervention { problem, .. } = &saga.log.last().unwrap().what else {
        panic!("{:?}", saga.log)
    };
    assert_eq!(problem, "there is no state machine here");
    assert!(!scene.is_due());
    let resumed = block_on(
        scene
            .sagas()
            .request(ID, None, &Request::Resume(None), None),
    )
    .unwrap();
    assert!(matches!(resumed, Requested::Taken(saga) if saga.mode == SagaMode::Orchestration));
}

#[test]
fn one_of_which_nobody_tells_has_ended_if_every_step_was_heard() {
    let scene = Scene::new(Faults::none());
    let error = ExecutionError::Unavailable("too many".into());
    scene.machine.answers.lock().unwrap().push_back(error);
    scene.hear(&scene.coordinator(), &[scene.opening()]);
    let facts = ["Done2", "Done3", "Done4"].map(heard);
    scene.hear(&scene.without_machine(), &facts);
    assert_eq!(
        scene.saga().status,
        Status::Running,
        "its start is not noted"
    );
    scene.clock.advance(definition().expiry.after);
    scene.clock.advance(Duration::from_secs(1));
    scene.wake(&scene.without_machine());
    assert_eq!(scene.saga().status, Status::Completed);
}

#[test]
fn one_that_nobody_could_start_is_a_persons_again_when_something_of_it_is_undone() {
    let scene = Scene::new(Faults::none());
    let error = ExecutionError::Unavailable("too many".into());
    scene.machine.answers.lock().unwrap().push_back(error);
    scene.hear(&scene.coordinator(), &[scene.opening()]);
    scene.clock.advance(definition().expiry.after);
    scene.clock.advance(Duration::from_secs(1));
    scene.wake(&scene.without_machine());
    assert_eq!(scene.saga().status, Status::NeedsIntervention);
    scene.hear(&scene.coordinator(), &[heard("Undone2")]);
    assert_eq!(scene.saga().status, Status::Compensating);
    scene.clock.advance(definition().patience);
    scene.wake(&scene.coordinator());
    assert_eq!(scene.saga().status, Status::NeedsIntervention);
    let resumed = block_on(
        scene
            .sagas()
            .request(ID, None, &Request::Resume(None), None),
    )
    .unwrap();
    assert!(matches!(resumed, Requested::Taken(saga) if saga.mode == SagaMode::Orchestration));
}

#[test]
fn what_goes_forward_again_is_looked_at_when_somebody_undoes_its_beginning() {
    let stopped = step(&running(), &Input::Execution(Do, failed()), 62);
    assert_eq!(stopped.status, Status::NeedsIntervention);
    // A person resumes the execution while another cancels the saga. The execution may still do steps before the
    // cancellation reaches it.
    let undone = hears(&stopped, &["Undone1"]);
    assert_eq!(undone.status, Status::Compensating);
    assert!(undone.wake().is_some());
}

#[test]
fn one_that_is_cancelled_before_it_begins_needs_no_state_machine() {
    let scene = Scene::new(Faults::none());
    let cancel = Request::Cancel("changed plans".into());
    let opening = scene.opening();
    let asked = block_on(scene.sagas().request(ID, Some(&opening), &cancel, None)).unwrap();
    assert!(matches!(asked, Requested::Taken(saga) if saga.mode == SagaMode::Orchestration));
    let coordinator = scene.coordinator();
    block_on(coordinator.observe(ID, &[opening], scene.clock.now())).unwrap();
    assert_eq!(scene.saga().mode, SagaMode::Orchestration);
    assert_eq!(scene.saga().status, Status::Compensating);
    assert_eq!(scene.machine.names(), Vec::<String>::new());
}

#[test]
fn the_moment_when_an_execution_ends_is_waited_for() {
    let scene = Scene::new(Faults::none());
    let opening = scene.opening();
    scene.hear(&scene.coordinator(), std::slice::from_ref(&opening));
    let facts = ["Done2", "Done3", "Done4"].map(heard);
    scene.hear(&scene.coordinator(), &facts);
    let cancel = Request::Cancel("changed plans".into());
    block_on(scene.sagas().request(ID, Some(&opening), &cancel, None)).unwrap();
    let asked = || {
        let calls = scene.faults.trace();
        calls.iter().filter(|it| it.starts_with("progress")).count()
    };
    scene.wake(&scene.coordinator());
    assert_eq!(asked(), 2, "at once, and a second later");
}

#[test]
fn a_request_to_undo_is_refused_while_it_runs_and_starts_an_execution_after() {
    let scene = Scene::new(Faults::none());
    let opening = scene.opening();
    scene.hear(&scene.coordinator(), std::slice::from_ref(&opening));
    let ask = || {
        let cancel = Request::Cancel("changed plans".into());
        block_on(scene.sagas().request(ID, Some(&opening), &cancel, None)).unwrap()
    };
    assert!(matches!(ask(), Requested::NotNow(saga) if saga.status == Status::Running));
    let facts = ["Done2", "Done3", "Done4"].map(heard);
    scene.hear(&scene.coordinator(), &facts);
    assert!(matches!(ask(), Requested::Taken(_)));
    assert!(scene.is_due());
    // The execution has not received the last answer yet, so it may still fail and undo its steps.
    scene.wake(&scene.coordinator());
    assert_eq!(scene.machine.names(), [ID.to_string()]);
    scene.machine.end(Do, succeeded(None));
    scene.clock.advance(Duration::from_secs(1));
    assert!(scene.is_due());
    scene.wake(&scene.coordinator());
    let undoing = execution_name(ID, Undo);
    assert_eq!(scene.machine.names(), [ID.to_string(), undoing.clone()]);
    let started = scene.machine.started.lock().unwrap();
    assert_eq!(
        started[&undoing]["saga"]["reason"],
        json!("changed plans"),
        "commands that undo say why"
    );
    assert_eq!(started[&undoing]["undo"], json!(true));
}
