//! Tests of reservations of all saga modes, concurrently.

use std::panic::AssertUnwindSafe;

use alpes_messages::SagaMode;
use proptest::prelude::*;
use simulation::{Dice, Faults};

use crate::{
    COREOGRAFIA, ORQUESTACION, STEP_FUNCTIONS, calm, estado, expected,
    sim::{Kind, Setup, Sim},
};

const MODES: [SagaMode; 3] = [ORQUESTACION, COREOGRAFIA, STEP_FUNCTIONS];

#[derive(Clone, Copy, Debug)]
struct Chaos {
    setup: Setup,
    fault_one_in: u64,
    reservations: u64,
}

/// Runs reservations of all modes and kinds, some of them cancelled, under faults, kills, copies and delays. The
/// orchestrator may or may not have a state machine.
fn chaos(chaos: Chaos) -> Result<(), String> {
    let dice = Dice::new(chaos.setup.seed);
    let faults = Faults::by_chance(dice.clone(), chaos.fault_one_in);
    let mut sim = Sim::new(chaos.setup, faults, dice.clone());
    let mut left = chaos.reservations;
    while left > 0 {
        if dice.one_in(8) {
            let mode = *dice.pick(&MODES).unwrap();
            let kind = *dice.pick(&Kind::ALL).unwrap();
            let shared = dice.one_in(4).then_some(("2026-12-24T10:00:00Z", 1));
            sim.book(kind, mode, shared);
            left -= 1;
        }
        if dice.one_in(60) && !sim.reservations.is_empty() {
            let place = usize::try_from(dice.below(u64::try_from(sim.reservations.len()).unwrap()))
                .unwrap();
            if !sim.reservations[place].cancelled {
                sim.cancel(place);
            }
        }
        if dice.one_in(100) {
            sim.has_machine = !sim.has_machine;
        }
        sim.step();
    }
    sim.has_machine = true;
    sim.run()?;
    sim.check()
}

fn chaoses() -> impl Strategy<Value = Chaos> {
    let rare = || prop_oneof![Just(0_u64), 10..80_u64];
    (
        any::<u64>(),
        rare(),
        prop_oneof![Just(0_u64), 100..400_u64],
        rare(),
        rare(),
        1..6_u64,
    )
        .prop_map(
            |(seed, fault_one_in, kill_one_in, twice_one_in, held_one_in, reservations)| Chaos {
                setup: Setup {
                    seed,
                    kill_one_in,
                    twice_one_in,
                    held_one_in,
                },
                fault_one_in,
                reservations,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_money_seats_and_logs_agree(setup in chaoses()) {
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| chaos(setup)));
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(broken)) => prop_assert!(false, "{}", broken),
            Err(_) => prop_assert!(false, "it panicked"),
        }
    }
}

#[test]
fn five_hundred_of_all_modes_interleaved_each_end_as_they_should() {
    let mut sim = calm(Setup {
        seed: 11,
        ..Setup::default()
    });
    let mut places = vec![];
    for number in 0..500_usize {
        let mode = MODES[number % 3];
        let kind = [
            Kind::Approved,
            Kind::Declined,
            Kind::NoSeat,
            Kind::NotApproved,
            Kind::Approved,
        ][number / 3 % 5];
        places.push((sim.book(kind, mode, None), kind));
        for _ in 0..20 {
            sim.step();
        }
    }
    sim.run().unwrap();
    sim.check().unwrap();
    for (place, kind) in places {
        assert_eq!(
            estado(&sim, place),
            expected(kind),
            "{:?}",
            sim.reservations[place]
        );
    }
}
