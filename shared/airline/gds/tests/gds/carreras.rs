//! Tests of concurrent processes. A seed decides the order of their steps, and any effect can have a fault.

use std::collections::{BTreeMap, VecDeque};

use alpes_event_store::{HandleError, Handled};
use alpes_messages::Command;
use domain_kit::event_of;
use events::IdReserva;
use futures::future::BoxFuture;
use gds::Gds;
use serde_json::json;
use simulation::{Dice, Faults, Scheduler, Step};
use uuid::Uuid;

use crate::{
    bench::Bench,
    escenario::{BOG_MIA, Flight, MIA_JFK, confirm, confirm_for, revert, sillas},
    planted::Bug,
};

/// The seed of a run, and the rates of its faults.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    pub seed: u64,
    /// On average one effect in this many fails; 0 means that no effect fails.
    pub fault_one_in: u64,
    /// On average one step in this many kills its process; 0 means that no step does.
    pub kill_one_in: u64,
}

/// The answer to a command; `None` for a task that only executed a late effect.
type Answer = Option<Result<Handled, HandleError>>;

/// Runs clients concurrently. Each client sends its commands in order, and repeats a command until it gets an answer.
/// Returns every answer.
pub fn run(
    bench: &Bench,
    trouble: Trouble,
    clients: Vec<Vec<Command>>,
) -> Result<Vec<(Command, Handled)>, String> {
    let dice = Dice::new(trouble.seed);
    let faults = Faults::by_chance(dice.clone(), trouble.fault_one_in);
    let process = |command: &Command| -> BoxFuture<'static, Answer> {
        let (store, command) = (bench.store(&faults), command.clone());
        Box::pin(async move { Some(store.handle(&Gds, &command).await) })
    };
    let mut clients: Vec<VecDeque<_>> = clients.into_iter().map(VecDeque::from).collect();
    let mut scheduler = Scheduler::default();
    let mut working = BTreeMap::new();
    for (client, commands) in clients.iter().enumerate() {
        if let Some(command) = commands.front() {
            working.insert(scheduler.spawn(process(command)), client);
        }
    }
    let mut answers = vec![];
    for _ in 0..200_000 {
        scheduler.spawn_late(&faults, || None);
        let (ended, answer) = match scheduler.step(&dice, trouble.kill_one_in) {
            Step::Progress => continue,
            Step::Idle => return Ok(answers),
            Step::Done(process, answer) => (process, answer),
            Step::Killed(process) => (process, None),
        };
        let Some(client) = working.remove(&ended) else {
            continue;
        };
        if let Some(Ok(handled)) = answer {
            let command = clients[client].pop_front().unwrap();
            answers.push((command, handled));
        }
        if let Some(command) = clients[client].front() {
            working.insert(scheduler.spawn(process(command)), client);
        }
    }
    Err("the run does not end".into())
}

const RACERS: u128 = 7;

/// Many reservations compete for the last seat of a flight. Every second reservation also wants a seat of another
/// flight, which has enough seats.
fn last_seat(trouble: Trouble, bug: Option<Bug>) -> Result<(), String> {
    let bench = Bench::with(bug);
    bench.set_free(BOG_MIA, 1);
    bench.set_free(MIA_JFK, 100);
    let legs = |racer: u128| -> &[Flight] {
        if racer.is_multiple_of(2) {
            &[BOG_MIA, MIA_JFK]
        } else {
            &[BOG_MIA]
        }
    };
    let clients = (1..=RACERS).map(|racer| {
        let subject = IdReserva(Uuid::from_u128(racer));
        vec![confirm(racer, subject, legs(racer))]
    });
    let answers = run(&bench, trouble, clients.collect())?;
    let events: Vec<_> = answers
        .iter()
        .map(|(_, handled)| event_of(handled))
        .collect();
    assert_eq!(events.len(), usize::try_from(RACERS).unwrap());
    let (won, lost): (Vec<_>, Vec<_>) = events
        .into_iter()
        .partition(|event| event.kind == "ReservaGDSConfirmada");
    if won.len() != 1 {
        return Err(format!("{} have the last seat", won.len()));
    }
    for event in lost {
        if event.kind != "ConfirmacionFallida"
            || event.data["sin_sillas"] != json!([sillas(BOG_MIA, 1)])
        {
            return Err(format!("lost with {event:?}"));
        }
    }
    bench.check(&[(BOG_MIA, 1), (MIA_JFK, 100)])
}

fn troubles(seeds: u64) -> impl Iterator<Item = Trouble> {
    (0..seeds).map(|seed| Trouble {
        seed,
        fault_one_in: [0, 5, 12, 30][usize::try_from(seed % 4).unwrap()],
        kill_one_in: [0, 15, 40][usize::try_from(seed % 3).unwrap()],
    })
}

#[test]
fn of_many_that_want_the_last_seat_exactly_one_has_it() {
    for trouble in troubles(300) {
        if let Err(broken) = last_seat(trouble, None) {
            panic!("{trouble:?}: {broken}");
        }
    }
}

#[test]
fn the_winner_is_not_always_the_same() {
    let winner = |seed| {
        let bench = Bench::new();
        bench.set_free(BOG_MIA, 1);
        let trouble = Trouble {
            seed,
            fault_one_in: 0,
            kill_one_in: 0,
        };
        let clients = (1..=RACERS).map(|racer| {
            vec![confirm(
                racer,
                IdReserva(Uuid::from_u128(racer)),
                &[BOG_MIA],
            )]
        });
        let answers = run(&bench, trouble, clients.collect()).unwrap();
        let won = answers
            .iter()
            .find(|(_, handled)| event_of(handled).kind == "ReservaGDSConfirmada");
        won.unwrap().0.subject
    };
    let mut winners: Vec<_> = (0..50).map(winner).collect();
    assert_eq!(winners, (0..50).map(winner).collect::<Vec<_>>());
    winners.sort();
    winners.dedup();
    assert!(winners.len() > 3, "{winners:?}");
}

/// Several clients concurrently confirm and revert two reservations of two passengers. A third reservation, which has
/// two legs on one flight, is confirmed and not reverted.
fn back_and_forth(trouble: Trouble, bug: Option<Bug>) -> Result<(), String> {
    let bench = Bench::with(bug);
    let capacities = [(BOG_MIA, 7), (MIA_JFK, 7)];
    for (flight, _) in capacities {
        bench.set_free(flight, 7);
    }
    let subject = |number| IdReserva(Uuid::from_u128(number));
    let legs = [BOG_MIA, MIA_JFK, BOG_MIA];
    let mut clients = vec![vec![confirm(1, subject(2), &legs)]];
    clients.extend((1..=4).map(|client| {
        vec![
            confirm_for(2, 10 * client, subject(client % 2), &legs),
            revert(10 * client + 1, subject(client % 2)),
        ]
    }));
    run(&bench, trouble, clients)?;
    bench.check(&capacities)
}

#[test]
fn what_is_made_and_undone_side_by_side_holds_what_is_left() {
    for trouble in troubles(300) {
        if let Err(broken) = back_and_forth(trouble, None) {
            panic!("{trouble:?}: {broken}");
        }
    }
}

#[test]
fn each_planted_bug_is_found() {
    for bug in Bug::ALL {
        let found = troubles(3_000).find_map(|trouble| {
            let broken =
                last_seat(trouble, Some(bug)).and_then(|()| back_and_forth(trouble, Some(bug)));
            Some((trouble, broken.err()?))
        });
        let (trouble, broken) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: {trouble:?}: {broken}");
    }
}
