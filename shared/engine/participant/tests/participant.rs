//! A participant that handles commands over in-memory twins, with and without injected faults.
#![cfg(test)]

use std::{sync::Arc, time::Duration};

use alpes_event_store::{EventStore, HandleError};
use alpes_messages::{Command, Event, Reply, StreamId, SubjectId};
use alpes_participant::{FaultMode, Faults, Participant, ParticipantError, SILENCE, TABLE};
use alpes_ports::World;
use futures::{FutureExt, executor::block_on, future::BoxFuture};
use serde_json::json;
use simulation::{Dice, Fault, Scheduler, Step};
use toy::{
    DEPOSITS, Fact, INDUCED, LOANS,
    deposits::{FAILURE, MOST, Till},
    kinds, loan,
};
use twins::{ManualClock, MemoryLog, MemoryTables, world};

struct Bench {
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    world: World,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        let (world, clock) = world(1);
        Self {
            tables: Arc::new(MemoryTables::new()),
            log: Arc::new(MemoryLog::new(1, world.clock.clone())),
            world,
            clock,
        }
    }

    fn faults(&self) -> Faults {
        Faults::new(self.tables.clone())
    }

    fn set(&self, comando: &str, modo: FaultMode, veces: u32) {
        self.set_for(None, comando, modo, veces);
    }

    fn set_for(&self, only: Option<SubjectId>, comando: &str, modo: FaultMode, veces: u32) {
        let faults = self.faults();
        block_on(faults.set(DEPOSITS, comando, only, modo, veces)).unwrap();
    }

    /// A participant whose ports fail as `trouble` says.
    fn participant(&self, tests: bool, trouble: &simulation::Faults) -> Participant<Fact> {
        let tables = Arc::new(trouble.tables(self.tables.clone()));
        let log = Arc::new(trouble.log(self.log.clone()));
        Participant {
            context: DEPOSITS,
            store: EventStore::new(tables.clone(), log, self.world.clone(), toy::catalogue()),
            decider: Arc::new(Till),
            failure: FAILURE,
            faults: tests.then(|| Faults::new(tables)),
            world: self.world.clone(),
        }
    }

    fn send(&self, command: &Command) -> Result<Reply, ParticipantError> {
        let participant = self.participant(true, &simulation::Faults::none());
        block_on(participant.handle(command))
    }

    /// The type and reason of each event in the log.
    fn log(&self) -> Vec<(String, String)> {
        let records = self.log.records();
        let events = records
            .iter()
            .map(|record| Event::decode(&record.data, &toy::catalogue()).unwrap().0);
        events
            .map(|event| {
                let reason = event.data["reason"].as_str().unwrap_or_default().to_owned();
                (event.kind, reason)
            })
            .collect()
    }
}

fn command(id: u128, kind: &str) -> Command {
    toy::command(id, kind, loan(7), json!({ "cents": MOST + 1 }))
}

/// A command that pays the deposit of the loan.
fn pay(id: u128) -> Command {
    command(id, "PayDeposit")
}

fn reason(reply: &Result<Reply, ParticipantError>) -> &str {
    match reply {
        Ok(Reply::Eventos { eventos }) => eventos[0].data["reason"].as_str().unwrap(),
        other => panic!("no events: {other:?}"),
    }
}

#[test]
fn a_command_is_answered_with_its_events_or_a_refusal() {
    let bench = Bench::new();
    assert_eq!(reason(&bench.send(&pay(1))), "not enough money");
    let Ok(Reply::Rechazado { problema }) = bench.send(&command(2, "HandOver")) else {
        panic!("not refused")
    };
    assert_eq!(problema.errores[0].campo, "type");
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn every_error_has_a_type_of_its_own() {
    let bench = Bench::new();
    let error = bench.send(&command(1, "AskForCredit")).unwrap_err();
    assert!(error.to_string().contains("the bank does not answer"));
    assert_eq!(error.error_type(), "Unavailable");

    // The second call of a command that opens a stream is the append.
    let trouble = simulation::Faults::once(1, Fault::FailBefore);
    let participant = bench.participant(false, &trouble);
    let error = block_on(participant.handle(&pay(2))).unwrap_err();
    assert_eq!(error, HandleError::NotAppended.into());
    assert_eq!(error.error_type(), "NotAppended");
    // The command took effect, and its event is not in the log yet. When the command is sent again, it is answered once
    // the event is in the log.
    assert_eq!(bench.log(), []);
    assert_eq!(reason(&bench.send(&pay(2))), "not enough money");
    assert_eq!(bench.log().len(), 1);

    let stream = StreamId::new(DEPOSITS, command(1, "").subject);
    for (error, error_type) in [
        (HandleError::Contention(stream).into(), "Contention"),
        (HandleError::Broken("?".into()).into(), "Broken"),
        (ParticipantError::InducedError, "InducedError"),
        (ParticipantError::InducedSilence, "InducedSilence"),
    ] {
        assert_eq!(error.error_type(), error_type);
    }
}

#[test]
fn without_faults_nothing_is_looked_up() {
    let bench = Bench::new();
    bench.set("PayDeposit", FaultMode::Error, 1);
    let trouble = simulation::Faults::none();
    let participant = bench.participant(false, &trouble);
    assert_eq!(
        reason(&block_on(participant.handle(&pay(1)))),
        "not enough money"
    );
    let looked = trouble.trace();
    assert!(
        !looked.iter().any(|effect| effect.contains(TABLE.0)),
        "{looked:?}"
    );
}

#[test]
fn an_error_is_answered_at_once_and_silence_after_a_while_and_nothing_is_done() {
    let bench = Bench::new();
    let start = bench.world.clock.now();
    bench.set("PayDeposit", FaultMode::Error, 2);
    for _ in 0..2 {
        assert_eq!(bench.send(&pay(1)), Err(ParticipantError::InducedError));
    }
    assert_eq!(bench.world.clock.now(), start);
    bench.set("PayDeposit", FaultMode::Silence, 1);
    assert_eq!(bench.send(&pay(1)), Err(ParticipantError::InducedSilence));
    let waited = bench.world.clock.now().duration_since(start);
    assert_eq!(Duration::try_from(waited).unwrap(), SILENCE);
    assert_eq!(bench.log(), []);
    assert_eq!(reason(&bench.send(&pay(1))), "not enough money");
}

#[test]
fn a_failure_is_an_event_and_the_same_reply_for_the_same_command() {
    let bench = Bench::new();
    bench.clock.advance(Duration::from_secs(5));
    bench.set("PayDeposit", FaultMode::Failure, 1);
    let failed = bench.send(&pay(1));
    assert_eq!(reason(&failed), INDUCED);
    assert_eq!(bench.send(&pay(1)), failed);
    // Another command of the same subject gets the same outcome.
    assert_eq!(bench.send(&pay(2)), failed);
    let only = [("DepositRefused".to_owned(), INDUCED.to_owned())];
    assert_eq!(bench.log(), only);
}

#[test]
fn an_outcome_that_there_is_stands() {
    let bench = Bench::new();
    let first = bench.send(&pay(1));
    bench.set("PayDeposit", FaultMode::Failure, 2);
    assert_eq!(bench.send(&pay(1)), first);
    assert_eq!(bench.send(&pay(2)), first);
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn what_has_no_failure_of_its_own_is_refused_unless_it_was_done() {
    let bench = Bench::new();
    let done = bench.send(&command(1, "ReturnDeposit"));
    bench.set("ReturnDeposit", FaultMode::Failure, 2);
    assert_eq!(bench.send(&command(1, "ReturnDeposit")), done);
    let Ok(Reply::Rechazado { problema }) = bench.send(&command(2, "ReturnDeposit")) else {
        panic!("not refused")
    };
    assert!(problema.is(kinds::STATE));
    assert_eq!(problema.detail.as_deref(), Some(INDUCED));
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn a_fault_is_for_one_command_of_one_context_as_often_as_it_says() {
    let bench = Bench::new();
    let take = |context, comando| {
        let faults = bench.faults();
        block_on(faults.take(context, comando, loan(1), None)).unwrap()
    };
    assert_eq!(take(DEPOSITS, "PayDeposit"), None);
    bench.set("PayDeposit", FaultMode::Error, 2);
    assert_eq!(take(LOANS, "PayDeposit"), None);
    assert_eq!(take(DEPOSITS, "ReturnDeposit"), None);
    assert_eq!(take(DEPOSITS, "PayDeposit"), Some(FaultMode::Error));
    // A later fault replaces an earlier one with the same key.
    bench.set("PayDeposit", FaultMode::Failure, 1);
    assert_eq!(take(DEPOSITS, "PayDeposit"), Some(FaultMode::Failure));
    assert_eq!(take(DEPOSITS, "PayDeposit"), None);
    bench.set("PayDeposit", FaultMode::Failure, 3);
    bench.set("PayDeposit", FaultMode::Failure, 0);
    assert_eq!(take(DEPOSITS, "PayDeposit"), None);
    assert_eq!(bench.tables.all(TABLE), []);
}

#[test]
fn a_fault_of_one_subject_is_for_it_alone_and_comes_first() {
    let bench = Bench::new();
    let take = |subject| {
        let faults = bench.faults();
        block_on(faults.take(DEPOSITS, "PayDeposit", subject, None)).unwrap()
    };
    let (one, other) = (loan(1), loan(2));
    bench.set_for(Some(one), "PayDeposit", FaultMode::Silence, 1);
    assert_eq!(take(other), None);
    bench.set("PayDeposit", FaultMode::Error, 2);
    assert_eq!(take(one), Some(FaultMode::Silence));
    assert_eq!(take(other), Some(FaultMode::Error));
    assert_eq!(take(one), Some(FaultMode::Error));
    assert_eq!((take(one), take(other)), (None, None));
    // Each fault is set and cleared on its own.
    for only in [Some(one), Some(other), None] {
        bench.set_for(only, "PayDeposit", FaultMode::Failure, 1);
    }
    bench.set_for(Some(one), "PayDeposit", FaultMode::Failure, 0);
    assert_eq!(take(other), Some(FaultMode::Failure));
    assert_eq!(take(one), Some(FaultMode::Failure));
    assert_eq!((take(one), take(other)), (None, None));
}

/// A call fails, or happens twice, at every step between the induced failure and the answer.
#[test]
fn an_induced_failure_is_not_lost_with_the_call_that_took_it() {
    for fault in [Fault::FailBefore, Fault::FailAfter, Fault::Twice] {
        for place in 0.. {
            let bench = Bench::new();
            bench.set("PayDeposit", FaultMode::Failure, 1);
            let trouble = simulation::Faults::once(place, fault);
            let first = block_on(bench.participant(true, &trouble).handle(&pay(1)));
            let again = bench.send(&pay(1));
            assert_eq!(reason(&again), INDUCED, "{fault:?} at {place}: {first:?}");
            if trouble.count() <= place {
                assert!(place > 3, "only {place} steps");
                break;
            }
        }
    }
}

#[test]
fn a_fault_is_taken_exactly_as_often_as_it_says_by_many_at_once() {
    let mut contended = 0;
    for seed in 0..300 {
        let dice = Dice::new(seed);
        let (veces, takers) = (1 + dice.below(5), 1 + dice.below(8));
        let bench = Bench::new();
        bench.set(
            "PayDeposit",
            FaultMode::Failure,
            u32::try_from(veces).unwrap(),
        );
        let mut scheduler = Scheduler::default();
        let trouble = simulation::Faults::by_chance(dice.clone(), 0);
        for _ in 0..takers {
            let faults = Faults::new(Arc::new(trouble.tables(bench.tables.clone())));
            let work: BoxFuture<'static, _> = async move {
                let (context, anyone) = (DEPOSITS, loan(1));
                faults.take(context, "PayDeposit", anyone, None).await
            }
            .boxed();
            scheduler.spawn(work);
        }
        let mut taken = 0;
        loop {
            match scheduler.step(&dice, 0) {
                Step::Done(_, answer) => taken += u64::from(answer.unwrap().is_some()),
                Step::Progress => {}
                Step::Killed(_) | Step::Idle => break,
            }
        }
        assert_eq!(taken, veces.min(takers), "seed {seed}");
        contended += u64::from(trouble.count() > usize::try_from(takers * 3).unwrap());
    }
    assert!(contended > 20, "only {contended} runs met one another");
}

#[test]
fn every_mode_has_one_name() {
    for mode in FaultMode::ALL {
        assert_eq!(FaultMode::named(mode.name()), Some(mode));
    }
    assert_eq!(FaultMode::named("Failure"), None);
}
