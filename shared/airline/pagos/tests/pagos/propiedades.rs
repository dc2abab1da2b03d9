//! Properties of the context, checked over random sequences of commands on several reservations, and the planted
//! mistakes that break the properties.

use alpes_event_store::Handled;
use alpes_messages::Command;
use domain_kit::Processes;
use events::{IdReserva, kinds};
use pagos::{PAGAR_RESERVA, simulador::balance};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::json;
use simulation::Faults;
use uuid::Uuid;

use crate::{
    bench::Bench,
    carreras::{Heard, Trouble, run},
    escenario::{command, pago, revertir},
    planted::Bug,
};

const RESERVAS: u128 = 3;

/// A command on a reservation: the payment with this token, or the reversal if there is no token.
type Paso = (u128, Option<&'static str>);

fn paso() -> impl Strategy<Value = Paso> {
    let medio = select(vec![
        Some("tok_visa"),
        Some("tok_visa"),
        Some("tok_rechazada"),
        Some("tok_timeout"),
        Some("tok_intermitente"),
        Some("tok_otra"),
        None,
        None,
        None,
    ]);
    (0..RESERVAS, medio)
}

/// Makes the command of a step. Each payment has its own amount, which identifies its charge.
fn numbered(id: u128, (reserva, medio): Paso) -> Command {
    let subject = IdReserva(Uuid::from_u128(reserva));
    match medio {
        None => reversal(id, subject),
        Some(medio) => {
            let data = json!(pago(&format!("{id}.00"), medio));
            command(id, subject, PAGAR_RESERVA, data)
        }
    }
}

fn reversal(id: u128, subject: IdReserva) -> Command {
    let mut command = revertir(id);
    command.subject = subject;
    command
}

/// Repeats the unanswered commands without faults, and reverts payments that still have no answer, as a saga would.
/// Then checks that ledger and streams agree, and that every repeated command gets its earlier answer.
fn settle(
    bench: &Bench,
    Heard {
        answers,
        unanswered,
    }: &Heard,
) -> Result<(), String> {
    for (number, command) in (1000..).zip(unanswered) {
        let mut tries = (0..4).map(|_| bench.send(&Faults::none(), command));
        if tries.any(|answer| answer.is_some_and(|answer| answer.is_ok())) {
            continue;
        }
        bench.event(&reversal(number, command.subject));
        match bench.insist(&Faults::none(), command) {
            Handled::Rejected(problem) if problem.is(kinds::STATE) => {}
            other => return Err(format!("not refused after the reversal: {other:?}")),
        }
    }
    let reservas: Vec<_> = (0..RESERVAS)
        .map(|id| IdReserva(Uuid::from_u128(id)))
        .collect();
    bench.check(&reservas)?;
    for (command, answer) in answers {
        let again = bench.insist(&Faults::none(), command);
        match (answer, &again) {
            (Handled::Committed { events, .. }, Handled::Committed { events: same, .. })
                if events == same => {}
            // A repeated payment is refused if a reversal came after the payment's outcome.
            (Handled::Committed { .. }, Handled::Rejected(_)) if command.kind == PAGAR_RESERVA => {}
            (Handled::Rejected(_), Handled::Rejected(_)) => {}
            (answer, again) => return Err(format!("{command:?}: {answer:?}, then {again:?}")),
        }
    }
    bench.check(&reservas)
}

fn commands(clients: &[Vec<Paso>]) -> Vec<Vec<Command>> {
    let mut id = 0;
    let mut next = |paso: &Paso| {
        id += 1;
        numbered(id, *paso)
    };
    clients
        .iter()
        .map(|pasos| pasos.iter().map(&mut next).collect())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn one_after_the_other_the_first_charge_stands_until_it_is_reverted(
        pasos in vec(paso(), 1..25),
    ) {
        let bench = Bench::new();
        // The model has, for each reservation, the charged amount, true if the payment was declined or reverted, and
        // the number of failures.
        let mut model = vec![(0_u128, false, 0); 3];
        for (id, paso) in (1..).zip(&pasos) {
            let command = numbered(id, *paso);
            let _ = bench.send(&Faults::none(), &command);
            let (charged, closed, failures) = &mut model[usize::try_from(paso.0).unwrap()];
            match paso.1 {
                None => (*charged, *closed) = (0, true),
                Some(_) if *closed || *charged > 0 => {}
                Some("tok_intermitente") if *failures < 2 => *failures += 1,
                Some("tok_visa" | "tok_timeout" | "tok_intermitente") => *charged = id + 19,
                Some(_) => *closed = true,
            }
            for (reserva, (charged, ..)) in (0..).zip(&model) {
                let net = balance(&bench.ledger(IdReserva(Uuid::from_u128(reserva))));
                prop_assert_eq!(net, (*charged).into(), "after {}", id);
            }
        }
    }

    #[test]
    fn side_by_side_and_whatever_fails_money_and_streams_agree(
        clients in vec(vec(paso(), 1..5), 1..6),
        seed in any::<u64>(),
        fault_one_in in prop_oneof![Just(0_u64), 4..40_u64],
        kill_one_in in prop_oneof![Just(0_u64), 10..80_u64],
    ) {
        let bench = Bench::new();
        let trouble = Trouble { seed, fault_one_in, kill_one_in };
        let heard = run(&bench, trouble, commands(&clients));
        let sent: usize = clients.iter().map(Vec::len).sum();
        prop_assert_eq!(heard.answers.len() + heard.unanswered.len(), sent);
        prop_assert_eq!(settle(&bench, &heard), Ok(()));
    }
}

#[test]
fn each_planted_bug_is_found() {
    // The clients concurrently send a payment and a reversal of one reservation.
    let clients = || commands(&[vec![(0, Some("tok_visa"))], vec![(0, None)]]);
    for bug in Bug::ALL {
        let found = (0..2_000).find_map(|seed| {
            let bench = Bench::with(Some(bug));
            let trouble = Trouble {
                seed,
                fault_one_in: [0, 6, 12][usize::try_from(seed % 3).unwrap()],
                kill_one_in: 0,
            };
            let heard = run(&bench, trouble, clients());
            settle(&bench, &heard).err().map(|broken| (seed, broken))
        });
        let (seed, broken) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
        println!("{bug:?}: seed {seed}: {broken}");
    }
}
