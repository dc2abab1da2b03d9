//! Properties of the context, checked over random sequences of commands on several reservations that share flights.

use std::collections::BTreeMap;

use alpes_event_store::Handled;
use alpes_messages::Command;
use domain_kit::{Processes, event_of};
use events::{IdReserva, kinds};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};
use simulation::Faults;
use uuid::Uuid;

use crate::{
    bench::Bench,
    carreras::{Trouble, run},
    escenario::{BOG_MIA, Flight, JFK_BOG, MIA_JFK, confirm_for, revert, sillas},
};

const FLIGHTS: [Flight; 3] = [BOG_MIA, JFK_BOG, MIA_JFK];

/// A command on a reservation: the confirmation of these legs for this number of passengers, or the reversal if the
/// list is empty.
type Step = (u128, Vec<Flight>, u32);

fn step() -> impl Strategy<Value = Step> {
    let legs = prop_oneof![
        3 => vec(select(FLIGHTS.to_vec()), 1..5),
        2 => Just(vec![]),
    ];
    (0..4_u128, legs, 1..4_u32)
}

fn command(id: u128, (reservation, legs, passengers): &Step) -> Command {
    let subject = IdReserva(Uuid::from_u128(*reservation));
    if legs.is_empty() {
        revert(id, subject)
    } else {
        confirm_for(*passengers, id, subject, legs)
    }
}

fn capacities(free: [u32; 3]) -> [(Flight, i64); 3] {
    let mut numbers = free.into_iter().map(i64::from);
    FLIGHTS.map(|flight| (flight, numbers.next().unwrap()))
}

fn with_free(free: [u32; 3]) -> Bench {
    let bench = Bench::new();
    for (flight, free) in FLIGHTS.into_iter().zip(free) {
        bench.set_free(flight, free);
    }
    bench
}

/// The state of a reservation in the model.
#[derive(Clone)]
enum Reserva {
    Holds(BTreeMap<Flight, u32>),
    Failed,
    Undone,
}

/// A simple model of the inventory, which executes one command after the other.
struct Model {
    free: BTreeMap<Flight, u32>,
    reservations: BTreeMap<u128, Reserva>,
}

impl Model {
    /// Executes a command. Returns the type and the seats of the new event; `None` if the command has no new event.
    fn apply(&mut self, (reservation, legs, passengers): &Step) -> Option<(&'static str, Value)> {
        let before = self.reservations.get(reservation).cloned();
        let (after, kind, told) = if legs.is_empty() {
            let held = match before {
                Some(Reserva::Undone) => return None,
                Some(Reserva::Holds(held)) => held,
                Some(Reserva::Failed) | None => BTreeMap::new(),
            };
            for (flight, seats) in &held {
                *self.free.get_mut(flight).unwrap() += seats;
            }
            (Reserva::Undone, "ConfirmacionGDSRevertida", held)
        } else {
            if before.is_some() {
                return None;
            }
            let mut wanted: BTreeMap<Flight, u32> = BTreeMap::new();
            for leg in legs {
                *wanted.entry(*leg).or_default() += passengers;
            }
            let mut short = wanted.clone();
            short.retain(|flight, seats| *seats > self.free[flight]);
            if short.is_empty() {
                for (flight, seats) in &wanted {
                    *self.free.get_mut(flight).unwrap() -= seats;
                }
                (
                    Reserva::Holds(wanted.clone()),
                    "ReservaGDSConfirmada",
                    wanted,
                )
            } else {
                (Reserva::Failed, "ConfirmacionFallida", short)
            }
        };
        self.reservations.insert(*reservation, after);
        let told: Vec<_> = told
            .into_iter()
            .map(|(flight, seats)| sillas(flight, seats))
            .collect();
        Some((kind, json!(told)))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn one_after_the_other_they_do_what_the_model_does(
        free in any::<[u8; 3]>().prop_map(|free| free.map(|free| u32::from(free % 9))),
        steps in vec(step(), 1..30),
    ) {
        let bench = with_free(free);
        let mut model = Model {
            free: FLIGHTS.into_iter().zip(free).collect(),
            reservations: BTreeMap::new(),
        };
        for (id, step) in (1..).zip(&steps) {
            let length = |bench: &Bench| -> usize {
                bench.histories().iter().map(|(_, history)| history.len()).sum()
            };
            let before = length(&bench);
            let handled = bench.insist(&Faults::none(), &command(id, step));
            let applied = model.apply(step);
            prop_assert_eq!(length(&bench), before + usize::from(applied.is_some()));
            if let Some((kind, told)) = applied {
                let event = event_of(&handled);
                let field = if kind == "ConfirmacionFallida" { "sin_sillas" } else { "sillas" };
                prop_assert_eq!((&*event.kind, &event.data[field]), (kind, &told));
            }
            for (flight, free) in &model.free {
                prop_assert_eq!(bench.seats(*flight).0, i64::from(*free));
            }
        }
        prop_assert_eq!(bench.check(&capacities(free)), Ok(()));
    }

    #[test]
    fn side_by_side_and_whatever_fails_seats_held_are_those_of_active_reservations(
        free in any::<[u8; 3]>().prop_map(|free| free.map(|free| u32::from(free % 9))),
        clients in vec(vec(step(), 1..5), 1..6),
        seed in any::<u64>(),
        fault_one_in in prop_oneof![Just(0_u64), 4..40_u64],
        kill_one_in in prop_oneof![Just(0_u64), 10..80_u64],
    ) {
        let bench = with_free(free);
        let mut id = 0;
        let mut numbered = |step: &Step| {
            id += 1;
            command(id, step)
        };
        let commands: Vec<Vec<_>> = clients
            .iter()
            .map(|steps| steps.iter().map(&mut numbered).collect())
            .collect();
        let trouble = Trouble { seed, fault_one_in, kill_one_in };
        let answers = run(&bench, trouble, commands).map_err(TestCaseError::fail)?;
        prop_assert_eq!(answers.len(), clients.iter().map(Vec::len).sum::<usize>());
        prop_assert_eq!(bench.check(&capacities(free)), Ok(()));
        let undone = |subject| answers.iter().any(|(command, _)| {
            command.subject == subject && command.kind == gds::REVERTIR_CONFIRMACION
        });
        let mut of_kind: BTreeMap<(IdReserva, String), Vec<_>> = BTreeMap::new();
        for (command, handled) in &answers {
            match handled {
                Handled::Committed { .. } => of_kind
                    .entry((command.subject, command.kind.clone()))
                    .or_default()
                    .push(event_of(handled).id),
                Handled::Rejected(problem) => {
                    prop_assert_eq!(&*command.kind, gds::CONFIRMAR_RESERVA);
                    prop_assert!(problem.is(kinds::STATE) && undone(command.subject));
                }
            }
        }
        // A repeated command is decided only once, so all of its answers have the same event.
        for events in of_kind.values() {
            prop_assert!(events.iter().all(|event| event == &events[0]), "{:?}", of_kind);
        }
    }
}
