//! The protocol of a command, step by step, and with every fault at every step.
#![cfg(test)]

mod common;

use alpes_event_store::{HandleError, Handled};
use alpes_messages::Command;
use alpes_ports::Tables;
use common::{Bench, add, command, open, undo};
use domain_kit::events_of;
use serde_json::json;
use simulation::{Fault, Faults};
use toy::{
    kinds,
    loans::{COPIES, Desk, stock},
};

/// Sends a command, and returns the kind of each call that the store made.
fn calls(bench: &Bench, command: &Command) -> Vec<String> {
    let faults = Faults::none();
    bench.send(&faults, command).unwrap().unwrap();
    let kind = |call: &String| call.split(' ').next().unwrap().to_owned();
    faults.trace().iter().map(kind).collect()
}

#[test]
fn opening_takes_three_calls_and_going_on_takes_four() {
    let bench = Bench::new();
    assert_eq!(calls(&bench, &open(1)), ["write", "append", "write"]);
    let going_on = ["get", "write", "append", "write"];
    assert_eq!(calls(&bench, &add(2, 1)), going_on);
    bench.check(2, "after both");
}

#[test]
fn the_log_holds_what_was_committed_byte_for_byte_and_in_order() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    bench.insist(&Faults::none(), &add(2, 3));
    let texts: Vec<_> = bench
        .log
        .records()
        .into_iter()
        .map(|record| String::from_utf8(record.data).unwrap())
        .collect();
    assert_eq!(texts, bench.stream().events);
}

#[test]
fn a_command_sent_again_gets_its_answer_again() {
    let bench = Bench::new();
    let first = bench.insist(&Faults::none(), &open(1));
    let noted = bench.insist(&Faults::none(), &add(2, 2));
    assert_eq!(bench.insist(&Faults::none(), &open(1)), first);
    assert_eq!(bench.insist(&Faults::none(), &add(2, 2)), noted);
    let versions: Vec<_> = events_of(&noted)
        .iter()
        .map(|event| event.streamversion)
        .collect();
    assert_eq!(versions, [2, 3]);
    bench.check(3, "after repetitions");
}

#[test]
fn one_id_with_two_bodies_is_refused() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    bench.insist(&Faults::none(), &add(2, 1));
    let Handled::Rejected(problem) = bench.insist(&Faults::none(), &add(2, 5)) else {
        panic!("accepted")
    };
    assert!(problem.is(kinds::KEY_REUSED));
    bench.check(2, "after the refusal");
}

#[test]
fn a_rejection_stores_nothing_and_a_second_opening_is_one() {
    let bench = Bench::new();
    assert!(matches!(
        bench.insist(&Faults::none(), &add(1, 1)),
        Handled::Rejected(_)
    ));
    assert_eq!(bench.tables.all(alpes_event_store::TABLE), []);
    bench.insist(&Faults::none(), &open(2));
    assert!(matches!(
        bench.insist(&Faults::none(), &open(3)),
        Handled::Rejected(_)
    ));
    bench.check(1, "after the rejections");
}

#[test]
fn undoing_what_is_undone_returns_the_event_that_was() {
    let bench = Bench::new();
    let first = bench.insist(&Faults::none(), &undo(1));
    let second = bench.insist(&Faults::none(), &undo(2));
    assert_eq!(events_of(&first), events_of(&second));
    bench.check(1, "after two cancellations");
}

#[test]
fn what_cannot_be_decided_now_changes_nothing() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    let answer = bench
        .send(&Faults::none(), &command(2, "Renew", json!({})))
        .unwrap();
    assert!(matches!(answer, Err(HandleError::Unavailable(_))));
    bench.check(1, "after the failure");
}

#[test]
fn a_full_stream_refuses_events_but_not_their_undo() {
    let bench = Bench::new();
    bench.insist(&Faults::none(), &open(1));
    let long = json!({ "count": 1, "text": "x".repeat(60_000) });
    let mut refused = false;
    for id in 2..12 {
        match bench.insist(&Faults::none(), &command(id, "Remind", long.clone())) {
            Handled::Committed { .. } => assert!(!refused, "room does not come back"),
            Handled::Rejected(problem) => {
                assert_eq!(problem.errores[0].regla, "size");
                refused = true;
            }
        }
    }
    assert!(refused);
    assert!(matches!(
        bench.insist(&Faults::none(), &undo(20)),
        Handled::Committed { .. }
    ));
}

/// A bench with one open loan, and one copy of the book on the shelf.
fn prepared() -> Bench {
    let bench = Bench::new();
    futures::executor::block_on(bench.tables.write(&stock(1).into())).unwrap();
    bench.insist(&Faults::none(), &open(1));
    bench
}

fn copies_left(bench: &Bench) -> i64 {
    bench.tables.all(COPIES)[0].1["copies"].as_i64().unwrap()
}

#[test]
fn writes_of_a_decision_happen_with_the_commit_or_not_at_all() {
    let bench = prepared();
    let taken = bench.insist(&Faults::none(), &command(2, "HandOver", json!({})));
    assert_eq!(events_of(&taken)[0].kind, "BookHandedOver");
    let other = toy::command(3, "HandOver", toy::loan(8), json!({}));
    let none_left = bench.insist(&Faults::none(), &other);
    assert_eq!(events_of(&none_left)[0].data["reason"], "no copy is left");
    assert_eq!(copies_left(&bench), 0);
    bench.check(3, "after both");
}

/// Commands that together use every path through the store, each with its expected number of events.
fn commands() -> [(&'static str, Command, usize); 4] {
    [
        ("open", open(2), 1),
        ("add", add(2, 2), 2),
        ("hand over", command(2, "HandOver", json!({})), 1),
        ("undo", undo(2), 1),
    ]
}

fn start(name: &str) -> (Bench, usize) {
    if name == "open" {
        (Bench::new(), 0)
    } else {
        (prepared(), 1)
    }
}

#[test]
fn every_fault_at_every_effect() {
    let mut runs = 0;
    for (name, command, count) in commands() {
        let effects = {
            let (bench, _) = start(name);
            let faults = Faults::none();
            bench.send(&faults, &command).unwrap().unwrap();
            faults.count()
        };
        for at in 0..effects {
            for fault in Fault::ALL {
                let context = format!("{name}, {fault:?} at effect {at}");
                let (bench, before) = start(name);
                let answer = bench.insist(&Faults::once(at, fault), &command);
                assert_eq!(events_of(&answer).len(), count, "{context}");
                bench.sweep();
                bench.check(before + count, &context);
                let again = bench.insist(&Faults::none(), &command);
                assert_eq!(events_of(&again), events_of(&answer), "{context}");
                if name == "hand over" {
                    assert_eq!(copies_left(&bench), 0, "{context}: one copy taken, once");
                }
                runs += 1;
            }
        }
    }
    assert_eq!(runs, (3 + 5 + 4 + 4) * Fault::ALL.len());
}

#[test]
fn every_crash_is_mended_by_the_sweeper_alone() {
    for (name, command, count) in commands() {
        for at in 0..8 {
            for fault in [
                Fault::KillBefore,
                Fault::KillAfter,
                Fault::FailBefore,
                Fault::FailAfter,
            ] {
                let context = format!("{name}, {fault:?} at effect {at}");
                let (bench, before) = start(name);
                let _ = bench.send(&Faults::once(at, fault), &command);
                bench.sweep();
                let committed = bench.verify().committed;
                assert!(
                    committed == before || committed == before + count,
                    "{context}: all of it or nothing"
                );
                if committed > 0 {
                    bench.check(committed, &context);
                }
            }
        }
    }
}

#[test]
fn another_command_at_every_effect() {
    for (name, command, count) in commands() {
        for at in 0..8 {
            for (others, added) in [(add(9, 3), 3), (undo(9), 1)] {
                if name == "open" {
                    continue; // `two_openings_at_every_effect_make_one_stream` tests this command.
                }
                let context = format!("{name}, overtaken by {} at effect {at}", others.kind);
                let (bench, before) = start(name);
                let (other_bench, other_command) = (bench.clone(), others.clone());
                let work = async move {
                    other_bench
                        .store(&Faults::none())
                        .handle(&Desk, &other_command)
                        .await
                        .unwrap();
                };
                let answer = bench.insist(&Faults::meanwhile(at, Box::pin(work)), &command);
                bench.insist(&Faults::none(), &others);
                // The other command cancelled the loan first, or both commands cancelled it.
                let undone =
                    others.kind == "CancelLoan" && events_of(&answer)[0].kind == "LoanCancelled";
                let expected = if undone {
                    before + 1
                } else {
                    before + count + added
                };
                assert_eq!(events_of(&answer).len(), count, "{context}");
                bench.sweep();
                bench.check(expected, &context);
            }
        }
    }
}

#[test]
fn two_openings_at_every_effect_make_one_stream() {
    for at in 0..3 {
        for same in [true, false] {
            let bench = Bench::new();
            let other = open(if same { 1 } else { 2 });
            let (other_bench, other_command) = (bench.clone(), other.clone());
            let work = async move {
                other_bench
                    .store(&Faults::none())
                    .handle(&Desk, &other_command)
                    .await
                    .unwrap();
            };
            let answer = bench.insist(&Faults::meanwhile(at, Box::pin(work)), &open(1));
            if same {
                assert_eq!(answer, bench.insist(&Faults::none(), &open(1)));
            }
            bench.check(1, &format!("openings at effect {at}, same command: {same}"));
        }
    }
}

#[test]
fn a_stream_that_is_always_overtaken_gives_up_with_a_clear_error() {
    let bench = prepared();
    let store = bench
        .store(&Faults::none())
        .with_limits(alpes_event_store::Limits {
            attempts: 0,
            ..Default::default()
        });
    let answer = futures::executor::block_on(store.handle(&Desk, &add(2, 1)));
    assert!(matches!(answer, Err(HandleError::Contention(_))));
    bench.check(1, "nothing happened");
}

#[test]
fn pending_events_go_to_the_log_before_the_next_commit() {
    let bench = prepared();
    // The process dies after the commit and before the append.
    assert!(
        bench
            .send(&Faults::once(2, Fault::KillBefore), &add(2, 1))
            .is_none()
    );
    assert!(bench.listed());
    let faults = Faults::none();
    bench.send(&faults, &add(3, 1)).unwrap().unwrap();
    let calls: Vec<_> = faults
        .trace()
        .iter()
        .map(|call| call.split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(
        calls,
        ["get", "append", "write", "write", "append", "write"]
    );
    bench.check(3, "after the next command");
}

#[test]
fn a_log_that_is_down_still_accepts_commands_but_does_not_say_appended() {
    let bench = Bench::new();
    let answer = bench
        .send(&Faults::once(1, Fault::FailBefore), &open(1))
        .unwrap()
        .unwrap();
    assert!(matches!(
        &answer,
        Handled::Committed {
            appended: false,
            ..
        }
    ));
    assert_eq!(answer.into_reply(), Err(HandleError::NotAppended));
    assert_eq!(bench.verify().pending, 1);
    // Sent again without faults, the command returns the same events, and they are in the log.
    let again = bench.send(&Faults::none(), &open(1)).unwrap().unwrap();
    assert!(again.into_reply().is_ok());
    bench.check(1, "after the repetition");
}
