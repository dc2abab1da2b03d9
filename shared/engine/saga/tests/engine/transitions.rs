//! `transition`, by examples and with random inputs.

use std::time::Duration;

use alpes_saga::{
    Answer, Direction, Dispatch, Input, LONGEST_REASON, LONGEST_TEXT, Saga, Status, What,
    command_id, start, transition,
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use crate::common::{ID, RETRY, at, definition, fact, number, told};

fn begun() -> Saga {
    start(&definition(), ID, &fact("Done1", 1), at(1)).unwrap()
}

fn step(saga: &Saga, input: &Input, now: Timestamp) -> (Saga, Option<Dispatch>) {
    transition(&definition(), saga, input, now)
}

fn sent(saga: &Saga, now: Timestamp) -> (Saga, Dispatch) {
    let (saga, dispatch) = step(saga, &Input::Time, now);
    (saga, dispatch.expect("something is due"))
}

fn answered(saga: &Saga, kinds: &[&str]) -> Saga {
    let command = saga.outstanding.as_ref().unwrap().command;
    let facts = kinds.iter().map(|kind| fact(kind, 1)).collect();
    let answer = Answer::Events(facts);
    step(saga, &Input::Reply { command, answer }, at(2)).0
}

fn rejected(saga: &Saga) -> Saga {
    let command = saga.outstanding.as_ref().unwrap().command;
    let answer = Answer::Rejected("no".into());
    step(saga, &Input::Reply { command, answer }, at(2)).0
}

#[test]
fn a_command_is_built_from_the_opening_event_and_sent_once_it_is_due() {
    let saga = begun();
    assert_eq!(told(&saga), ["Started", ">Do2"]);
    let (saga, dispatch) = sent(&saga, at(1));
    assert_eq!(dispatch.kind, "Do2");
    assert_eq!(dispatch.data, json!({"amount": 5}));
    assert_eq!(dispatch.command, command_id(ID, number(2), Direction::Do));
    assert_eq!(dispatch.trace.as_deref(), Some("trace"));
    assert_eq!((dispatch.attempt, dispatch.patience), (1, RETRY.patience));
    assert_eq!(step(&saga, &Input::Time, at(2)).1, None, "it was just sent");
    let (_, again) = sent(&saga, at(7));
    assert_eq!((again.command, again.attempt), (dispatch.command, 2));
}

#[test]
fn of_an_event_only_what_commands_need_is_kept() {
    assert_eq!(begun().context["Done1"], json!({"amount": 5}));
}

#[test]
fn a_definite_failure_undoes_what_was_before_it_and_a_doubtful_one_itself_too() {
    let (saga, _) = sent(&begun(), at(1));
    assert_eq!(
        told(&answered(&saga, &["Failed2"])),
        ["Started", ">Do2", "Failed2", "<Undo1"]
    );
    assert_eq!(
        told(&rejected(&saga)),
        ["Started", ">Do2", "rejected", "<Undo1"]
    );
    // The first attempt had no answer, and the command is sent again.
    let (saga, _) = sent(&saga, at(10));
    assert_eq!(
        told(&answered(&saga, &["Failed2"])),
        ["Started", ">Do2", "no answer 1", "Failed2 x2", "<Undo2"]
    );
    assert_eq!(
        told(&rejected(&saga)),
        ["Started", ">Do2", "no answer 1", "rejected?", "<Undo2"]
    );
}

#[test]
fn an_event_moves_it_on_like_the_answer_and_the_late_answer_changes_nothing() {
    let (saga, dispatch) = sent(&begun(), at(1));
    let (saga, _) = step(&saga, &Input::Event(fact("Done2", 1)), at(2));
    assert_eq!(told(&saga), ["Started", ">Do2", "Done2", ">Do3"]);
    let late = Input::Reply {
        command: dispatch.command,
        answer: Answer::Events(vec![fact("Done2", 1)]),
    };
    assert_eq!(step(&saga, &late, at(3)).0, saga);
}

#[test]
fn an_answer_counts_though_its_event_was_seen_before() {
    let (saga, _) = sent(&begun(), at(1));
    let (saga, _) = step(&saga, &Input::Event(fact("Undone1", 2)), at(2));
    assert_eq!(
        told(&saga),
        ["Started", ">Do2", "Undone1", "cancelled", "<Undo2"]
    );
    let saga = answered(&saga, &["Undone2"]);
    let command = saga.outstanding.as_ref().unwrap().command;
    let answer = Answer::Events(vec![fact("Undone1", 2)]);
    let (saga, _) = step(&saga, &Input::Reply { command, answer }, at(4));
    assert_eq!(saga.status, Status::Compensated);
}

#[test]
fn attempts_are_spent_before_anything_is_undone() {
    let (mut saga, mut now) = (begun(), 1);
    for attempt in 1..=RETRY.attempts {
        let (next, dispatch) = sent(&saga, at(now));
        assert_eq!(dispatch.attempt, attempt);
        (saga, now) = (next, now + 6);
    }
    let (saga, dispatch) = sent(&saga, at(now));
    assert_eq!(dispatch.kind, "Undo2");
    assert_eq!(dispatch.data, json!({"why": "Do2: no answer"}));
    assert_eq!(
        told(&saga),
        [
            "Started",
            ">Do2",
            "no answer 1",
            "no answer 2",
            "no answer 3",
            "timed out x3",
            "<Undo2"
        ]
    );
}

fn no_answer(saga: &Saga, why: &str, now: Timestamp) -> Saga {
    let failed = Input::NoAnswer {
        command: saga.outstanding.as_ref().unwrap().command,
        why: why.to_owned(),
        chance: 0.5,
    };
    step(saga, &failed, now).0
}

#[test]
fn each_attempt_is_told_with_its_times_and_with_what_came_instead_of_an_answer() {
    // The first attempt fails at once. The second gets no answer, and the saga is due again. The last attempt fails
    // too.
    let (saga, _) = sent(&begun(), at(1));
    let saga = no_answer(&saga, "it fell over", at(2));
    let (saga, _) = sent(&saga, at(3));
    let (saga, _) = sent(&saga, at(60));
    let saga = no_answer(&saga, &"x".repeat(500), at(61));
    let attempts = saga.log.iter().filter_map(|entry| match &entry.what {
        What::NoAnswer { .. } => Some(serde_json::to_value(entry).unwrap()),
        _ => None,
    });
    let line = |when: &str, attempt: u32, sent: &str| {
        json!({
            "when": format!("2026-01-31T10:{when}Z"), "type": "NoAnswer", "step": 2, "direction": "do",
            "attempt": attempt, "sent": format!("2026-01-31T10:{sent}Z")
        })
    };
    let mut wanted = [
        line("00:02.000", 1, "00:01.000"),
        line("01:00.000", 2, "00:03.000"),
        line("01:01.000", 3, "01:00.000"),
    ];
    wanted[0]["problem"] = "it fell over".into();
    wanted[0]["next"] = "2026-01-31T10:00:02.050Z".into();
    wanted[1]["next"] = "2026-01-31T10:01:00.000Z".into();
    // No attempt follows the last attempt, and the text about it is cut.
    wanted[2]["problem"] = format!("{}…", "x".repeat(79)).into();
    assert_eq!(attempts.collect::<Vec<_>>(), wanted);
}

#[test]
fn an_attempt_is_told_once_though_two_heard_that_it_failed() {
    let (saga, _) = sent(&begun(), at(1));
    let once = no_answer(&saga, "one says so", at(2));
    let twice = no_answer(&once, "another too", at(3));
    assert_eq!(once.log, twice.log);
}

#[test]
fn of_however_many_attempts_only_so_many_are_told() {
    let mut definition = definition();
    let call = definition.steps[1].call.as_mut().unwrap();
    call.retry.attempts = 1_000;
    let mut saga = begun();
    for second in (0..10_000).step_by(6) {
        saga = transition(&definition, &saga, &Input::Time, at(second)).0;
    }
    let told = told(&saga);
    let attempts = told.iter().filter(|line| line.starts_with("no answer"));
    // The attempts at the undoing command are logged too.
    assert_eq!(attempts.count(), 8 + RETRY.attempts as usize, "{told:?}");
}

#[test]
fn an_event_is_logged_with_its_own_time_beside_when_it_was_heard() {
    let mut late = fact("Done2", 1);
    late.time = "2026-01-31T09:59:58.1204Z".parse().unwrap();
    let (saga, _) = step(&begun(), &Input::Event(late), at(9));
    let log = serde_json::to_value(&saga.log).unwrap();
    assert_eq!(
        (&log[0]["when"], &log[0]["event_time"]),
        (
            &json!("2026-01-31T10:00:01.000Z"),
            &json!("2026-01-31T10:00:00.000Z")
        )
    );
    assert_eq!(
        (&log[2]["when"], &log[2]["event_time"]),
        (
            &json!("2026-01-31T10:00:09.000Z"),
            &json!("2026-01-31T09:59:58.120Z")
        )
    );
    assert_eq!(saga.started(), at(0), "it began when its event happened");
}

#[test]
fn a_pause_follows_an_attempt_that_failed() {
    let (saga, dispatch) = sent(&begun(), at(1));
    let failed = Input::NoAnswer {
        command: dispatch.command,
        why: "no".into(),
        chance: 0.5,
    };
    let (saga, _) = step(&saga, &failed, at(2));
    assert_eq!(saga.wake().unwrap().duration_since(at(2)).as_millis(), 50);
    assert!(saga.outstanding.unwrap().unanswered);
}

#[test]
fn what_cannot_be_undone_waits_for_a_person() {
    let (saga, _) = step(&begun(), &Input::Cancel { reason: "x".into() }, at(1));
    assert_eq!(
        told(&saga),
        ["Started", ">Do2", "cancelled", "<Undo1"],
        "Do2 was never sent"
    );
    let (saga, _) = sent(&saga, at(1));
    let stuck = rejected(&saga);
    assert_eq!(
        (stuck.status, stuck.wake()),
        (Status::NeedsIntervention, None)
    );
    // An event still advances the saga.
    let (ended, _) = step(&stuck, &Input::Event(fact("Undone1", 2)), at(3));
    assert_eq!(ended.status, Status::Compensated);
    // A person can resume the saga too.
    let (resumed, _) = step(&stuck, &Input::Resume { note: None }, at(3));
    assert_eq!(
        sent(&resumed, at(3)).1.command,
        command_id(ID, number(1), Direction::Undo)
    );
    let (marked, _) = step(
        &stuck,
        &Input::MarkDone {
            step: number(1),
            note: "by hand".into(),
        },
        at(3),
    );
    assert_eq!(marked.status, Status::Compensated);
    // A person's statement about another step is ignored: the saga may have been stuck at the other step when the
    // person looked.
    let other = Input::MarkDone {
        step: number(2),
        note: "by hand".into(),
    };
    assert_eq!(step(&stuck, &other, at(3)).0, stuck);
}

#[test]
fn a_complete_saga_is_undone_whole_when_it_is_cancelled() {
    let mut saga = begun();
    for kind in ["Done2", "Done3", "Done4"] {
        saga = answered(&saga, &[kind]);
    }
    assert_eq!(saga.status, Status::Completed);
    let (saga, _) = step(&saga, &Input::Cancel { reason: "x".into() }, at(5));
    let saga = answered(&saga, &["Undone4"]);
    // Step 3 has no undoing command.
    let saga = answered(&saga, &["Undone2"]);
    let saga = answered(&saga, &["Undone1"]);
    assert_eq!(
        told(&saga)[8..],
        [
            "cancelled",
            "<Undo4",
            "Undone4",
            "<Undo2",
            "Undone2",
            "<Undo1",
            "Undone1",
            "Compensated"
        ]
    );
}

#[test]
fn a_saga_that_would_begin_too_late_is_undone_instead() {
    let late = at(2 * 3_600);
    let saga = start(&definition(), ID, &fact("Done1", 1), late).unwrap();
    assert_eq!(told(&saga), ["Started", "cancelled", "<Undo1"]);
    assert_eq!(sent(&saga, late).1.data, json!({"why": "late"}));
}

#[test]
fn a_command_that_cannot_be_built_is_a_step_that_fails() {
    let mut opening = fact("Done1", 1);
    opening.data = json!({"amount": null});
    let saga = start(&definition(), ID, &opening, at(1)).unwrap();
    assert_eq!(
        saga.outstanding.as_ref().unwrap().direction,
        Direction::Undo
    );
    assert_eq!(
        saga.reason.as_deref(),
        Some("Do2: nothing is known of Done1.amount")
    );
}

#[test]
fn a_long_reason_is_cut_so_that_no_participant_refuses_it() {
    let (saga, _) = sent(&begun(), at(1));
    let command = saga.outstanding.as_ref().unwrap().command;
    let answer = Answer::Rejected("ñ".repeat(1_000));
    let (saga, _) = step(&saga, &Input::Reply { command, answer }, at(2));
    let reason = saga.reason.as_ref().unwrap();
    assert_eq!(reason.chars().count(), LONGEST_REASON);
    assert_eq!(saga.context["saga"]["reason"], json!(reason));
}

/// `DynamoDB`'s size limit of an item, in bytes.
const ITEM: usize = 400 * 1024;

/// A saga that a participant refuses to undo, with a long reason.
fn stuck() -> Saga {
    let (saga, _) = step(&begun(), &Input::Cancel { reason: "x".into() }, at(1));
    refused(&sent(&saga, at(1)).0)
}

fn refused(saga: &Saga) -> Saga {
    let command = saga.outstanding.as_ref().unwrap().command;
    let answer = Answer::Rejected("🧾".repeat(5_000));
    step(saga, &Input::Reply { command, answer }, at(2)).0
}

#[test]
fn a_person_has_it_go_on_as_often_as_there_is_room_and_can_always_end_it() {
    let notes = [
        (None, 60),
        (Some("🛫".repeat(LONGEST_TEXT)), 60),
        // A note of control characters, which take the most bytes in JSON.
        (Some("\u{1}".repeat(LONGEST_TEXT)), 50),
    ];
    for (note, least) in notes {
        let mut saga = stuck();
        let mut resumed = 0;
        loop {
            let resume = Input::Resume { note: note.clone() };
            let (next, _) = step(&saga, &resume, at(3));
            if next == saga {
                break;
            }
            resumed += 1;
            saga = refused(&sent(&next, at(3)).0);
        }
        println!("resumed {resumed} times, {} bytes", saga.size());
        assert!(resumed >= least, "{resumed}");
        assert_eq!(saga.status, Status::NeedsIntervention);
        let note = "🛬".repeat(LONGEST_TEXT);
        let (ended, _) = step(
            &saga,
            &Input::MarkDone {
                step: number(1),
                note,
            },
            at(4),
        );
        assert_eq!(ended.status, Status::Compensated);
        assert!(ended.size() < ITEM, "{}", ended.size());
    }
}

#[test]
fn a_saga_that_nobody_answers_has_room_for_its_attempts_too() {
    let mut definition = definition();
    for step in &mut definition.steps {
        if let Some(undo) = &mut step.compensation {
            undo.call.retry.attempts = 1_000;
        }
    }
    let (mut saga, _) = step(&begun(), &Input::Cancel { reason: "x".into() }, at(1));
    let (mut resumed, mut now) = (0, 1);
    loop {
        for _ in 0..1_001 {
            now += 6;
            saga = transition(&definition, &saga, &Input::Time, at(now)).0;
            if saga
                .outstanding
                .as_ref()
                .is_some_and(|out| out.due.is_some())
            {
                let failed = Input::NoAnswer {
                    command: saga.outstanding.as_ref().unwrap().command,
                    why: "\u{1}".repeat(500),
                    chance: 0.0,
                };
                saga = transition(&definition, &saga, &failed, at(now)).0;
            }
        }
        assert_eq!(saga.status, Status::NeedsIntervention);
        let note = Some("\u{1}".repeat(LONGEST_TEXT));
        let (next, _) = transition(&definition, &saga, &Input::Resume { note }, at(now));
        if next == saga {
            break;
        }
        (saga, resumed) = (next, resumed + 1);
    }
    println!("resumed {resumed} times, {} bytes", saga.size());
    assert!(resumed >= 25, "{resumed}");
    assert!(saga.size() < ITEM, "{}", saga.size());
}

#[test]
fn what_changes_nothing_is_passed_over_once_much_is_logged() {
    let (mut saga, _) = sent(&begun(), at(1));
    let hear = |saga: &mut Saga, kind: &str, version: u32| {
        let mut fact = fact(kind, version);
        fact.data = json!({"amount": "9".repeat(1_000)});
        *saga = step(saga, &Input::Event(fact), at(2)).0;
    };
    for version in 2..600 {
        for kind in ["Done1", "Failed3", "Done1"] {
            hear(&mut saga, kind, version);
        }
    }
    let full = saga.clone();
    assert!(saga.size() < ITEM / 2, "{}", saga.size());
    assert!(saga.log.len() > 200, "{}", saga.log.len());
    hear(&mut saga, "Failed3", 9_998);
    assert_eq!(saga, full);
    // Events that change something are logged, and so are events of a new type.
    for kind in ["Done2", "Undone4", "Undone1"] {
        let before = saga.log.len();
        hear(&mut saga, kind, 9_999);
        assert!(saga.log.len() > before, "{kind}");
    }
    assert_eq!(saga.status, Status::Compensating);
}

#[test]
fn a_saga_never_takes_more_than_its_size() {
    let (mut saga, _) = step(&stuck(), &Input::Resume { note: None }, at(3));
    saga = step(&saga, &Input::Event(fact("Done2", 1)), at(3)).0;
    let log = serde_json::to_value(&saga.log).unwrap();
    let attributes = 300;
    assert!(saga.size() >= log.to_string().len() + attributes);
    assert!(saga.size() < log.to_string().len() + 2_000, "nor much less");
}

#[test]
fn what_others_say_is_cut_and_a_trace_that_is_none_is_left_out() {
    let stuck = stuck();
    let What::NeedsIntervention { problem, .. } = &stuck.log.last().unwrap().what else {
        panic!("{:?}", stuck.log)
    };
    assert_eq!(problem.chars().count(), LONGEST_TEXT);
    let mut opening = fact("Done1", 1);
    opening.trace = Some("x".repeat(10_000));
    let saga = start(&definition(), ID, &opening, at(1)).unwrap();
    assert_eq!(saga.trace, None);
}

#[test]
fn the_log_reads_back_as_it_was_written() {
    let (saga, _) = sent(&begun(), at(1));
    let saga = answered(&saga, &["Failed2"]);
    let text = serde_json::to_string(&saga.log).unwrap();
    let log: Vec<alpes_saga::Entry> = serde_json::from_str(&text).unwrap();
    assert_eq!(log, saga.log);
    let first: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(first[0]["type"], "Started");
    assert_eq!(first[0]["event"], "Done1");
    assert_eq!(first[0]["data"], json!({"amount": 5}));
}

/// Inputs as numbers: the kind of each input, and its step or event type.
fn inputs() -> impl Strategy<Value = Vec<(u8, u8, u8)>> {
    prop::collection::vec((0..12_u8, 0..12_u8, 1..4_u8), 0..60)
}

fn input((what, about, version): (u8, u8, u8), saga: &Saga) -> Input {
    let place = about % 4 + 1;
    let kind = match about / 4 {
        0 => format!("Done{place}"),
        1 => format!("Failed{place}"),
        _ => format!("Undone{place}"),
    };
    let out = saga.outstanding.as_ref();
    let way = |direction: &Direction| {
        if *direction == Direction::Do {
            "Done"
        } else {
            "Undone"
        }
    };
    let command = match (out, about) {
        (Some(out), 0..9) => out.command,
        _ => command_id(ID, number(place.into()), Direction::Do),
    };
    let answer = Answer::Events(vec![fact(&kind, version.into())]);
    match what {
        0 | 1 => Input::Event(fact(&kind, version.into())),
        2 => Input::Reply { command, answer },
        3 => Input::Reply {
            command,
            answer: Answer::Rejected("no".into()),
        },
        4 | 5 => Input::NoAnswer {
            command,
            why: "no".into(),
            chance: 0.7,
        },
        6 => Input::Cancel {
            reason: "because".into(),
        },
        7 => Input::Resume { note: None },
        8 => Input::MarkDone {
            step: number(place.into()),
            note: "done".into(),
        },
        // The answer that the saga expects.
        9 => match out {
            Some(out) => Input::Reply {
                command: out.command,
                answer: Answer::Events(vec![fact(
                    &format!("{}{}", way(&out.direction), out.step),
                    1,
                )]),
            },
            None => Input::Time,
        },
        _ => Input::Time,
    }
}

/// The saga without its counters, which are not in the log.
fn settled(mut saga: Saga) -> Saga {
    if let Some(out) = &mut saga.outstanding {
        (out.attempts, out.unanswered, out.due) = (0, false, None);
    }
    saga
}

proptest! {
    #[test]
    fn whatever_comes_it_is_the_fold_of_its_log_and_can_still_end(plan in inputs()) {
        let (mut saga, mut now) = (begun(), 1);
        for step_ in plan {
            now += 3;
            let before = saga.clone();
            let input = input(step_, &saga);
            let dispatch;
            (saga, dispatch) = step(&saga, &input, at(now));
            prop_assert!(saga.log.starts_with(&before.log), "the log is only added to");
            let replayed = Saga::replay(ID, &definition(), saga.log.clone()).unwrap();
            prop_assert_eq!(settled(replayed), settled(saga.clone()));
            if let Some(dispatch) = dispatch {
                prop_assert!(dispatch.attempt <= RETRY.attempts);
                let out = saga.outstanding.as_ref().unwrap();
                prop_assert_eq!(dispatch.command, out.command);
            }
            let ends = saga.status.has_ended();
            prop_assert!(ends || saga.status == Status::NeedsIntervention || saga.wake().is_some());
            prop_assert!(before.status != Status::Compensated || saga.status == Status::Compensated);
        }
        // From any state that the inputs led to, participants that answer with the expected event bring the saga to its
        // end.
        for _ in 0..20 {
            if saga.status == Status::NeedsIntervention {
                saga = step(&saga, &Input::Resume { note: None }, at(now)).0;
            }
            now += i64::try_from(Duration::from_mins(2).as_secs()).unwrap();
            let (next, dispatch) = step(&saga, &Input::Time, at(now));
            saga = next;
            if dispatch.is_some() {
                saga = step(&saga, &input((9, 0, 1), &saga), at(now)).0;
            }
        }
        prop_assert!(saga.status.has_ended(), "{:?}", told(&saga));
    }
}
