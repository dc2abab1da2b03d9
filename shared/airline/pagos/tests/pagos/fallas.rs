//! Every fault at every effect, followed by the command again. Money and stream must agree.

use alpes_event_store::Handled;
use alpes_messages::Command;
use domain_kit::{Processes, event_of, every_fault};
use events::kinds;
use pagos::simulador::balance;
use simulation::{Fault, Faults};

use crate::{
    bench::Bench,
    escenario::{RESERVA, pagar, revertir},
};

/// A command, and the commands before it.
struct Case {
    name: &'static str,
    before: Vec<Command>,
    /// Number of earlier sends of the command that get no answer.
    tries: usize,
    command: Command,
    event: &'static str,
    /// The amount charged afterwards.
    charged: &'static str,
}

fn cases() -> [Case; 7] {
    let case = |name, before: &[Command], command, event, charged| Case {
        name,
        before: before.to_vec(),
        tries: 0,
        command,
        event,
        charged,
    };
    let (visa, declined) = (pagar(1, "tok_visa"), pagar(1, "tok_rechazada"));
    let intermittent = pagar(1, "tok_intermitente");
    let paid = std::slice::from_ref(&visa);
    let failed = std::slice::from_ref(&declined);
    [
        case("pay", &[], visa.clone(), "ReservaPagada", "119.00"),
        case(
            "pay without funds",
            &[],
            declined.clone(),
            "PagoFallido",
            "0",
        ),
        Case {
            tries: 2,
            ..case(
                "pay at the third try",
                &[],
                intermittent.clone(),
                "ReservaPagada",
                "119.00",
            )
        },
        case(
            "pay at the first of three tries",
            &[],
            intermittent,
            "ReservaPagada",
            "119.00",
        ),
        case("revert", paid, revertir(2), "PagoRevertido", "0.00"),
        case(
            "revert a failure",
            failed,
            revertir(2),
            "PagoRevertido",
            "0",
        ),
        case("revert nothing", &[], revertir(2), "PagoRevertido", "0"),
    ]
}

fn prepared(case: &Case) -> Bench {
    let bench = Bench::new();
    for command in &case.before {
        bench.event(command);
    }
    for _ in 0..case.tries {
        let answer = bench.send(&Faults::none(), &case.command).unwrap();
        assert!(answer.is_err());
    }
    bench
}

#[test]
fn every_fault_at_every_effect() {
    let mut effects = vec![];
    for case in cases() {
        let charged = |bench: &Bench, context: &str| {
            let charged = balance(&bench.ledger(RESERVA)).to_string();
            assert_eq!(charged, case.charged, "{context}");
            bench.check_one(context);
        };
        let prepared = || prepared(&case);
        effects.push(every_fault(
            case.name,
            prepared,
            &case.command,
            case.event,
            charged,
        ));
    }
    // The effects: read the stream; read and write the ledger; commit, append, mark as published.
    assert_eq!(effects, [6, 6, 6, 3, 6, 6, 6]);
}

#[test]
fn a_charge_that_was_never_told_of_is_given_back_whatever_fails() {
    for at in 0..6 {
        for fault in Fault::ALL {
            let context = format!("{fault:?} at effect {at}");
            let bench = Bench::new();
            let silent = pagar(1, "tok_timeout");
            for _ in 0..2 {
                assert!(bench.send(&Faults::none(), &silent).unwrap().is_err());
            }
            assert_eq!(balance(&bench.ledger(RESERVA)).to_string(), "119.00");
            let answer = event_of(&bench.insist(&Faults::once(at, fault), &revertir(2)));
            assert_eq!(answer.data["devuelto"], true, "{context}");
            assert_eq!(balance(&bench.ledger(RESERVA)).to_string(), "0.00");
            bench.check_one(&context);
        }
    }
}

#[test]
fn what_was_reverted_is_refused_without_a_word_to_the_provider() {
    for before in [vec![], vec![pagar(1, "tok_visa")]] {
        let bench = Bench::new();
        for command in before.iter().chain([&revertir(2)]) {
            bench.event(command);
        }
        let moved = bench.ledger(RESERVA);
        let faults = Faults::none();
        let Ok(Handled::Rejected(problem)) = bench.send(&faults, &pagar(3, "tok_visa")).unwrap()
        else {
            panic!("not refused")
        };
        assert!(problem.is(kinds::STATE));
        let calls = faults.trace();
        assert!(
            !calls.iter().any(|call| call.contains("ledger")),
            "{calls:?}"
        );
        assert_eq!(bench.ledger(RESERVA), moved);
        bench.check_one("after the refusal");
    }
}

#[test]
fn a_reversal_at_every_effect_of_a_payment_leaves_nothing_charged() {
    for at in 0..8 {
        let bench = Bench::new();
        let other = bench.process(&Faults::none(), &revertir(2));
        let undo = async move {
            other.await.unwrap();
        };
        bench.insist(
            &Faults::meanwhile(at, Box::pin(undo)),
            &pagar(1, "tok_visa"),
        );
        bench.event(&revertir(2));
        assert!(balance(&bench.ledger(RESERVA)).is_zero(), "{at}");
        bench.check_one(&format!("undone before effect {at}"));
    }
}
