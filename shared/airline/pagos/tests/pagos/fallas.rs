//! Tests of every fault at every effect of a command. After the fault the command is repeated, and then the ledger and
//! the stream must agree.

use alpes_event_store::Handled;
use alpes_messages::Command;
use domain_kit::{FaultCase, Processes, event_of, every_fault};
use events::kinds;
use pagos::simulador::balance;
use simulation::{Fault, Faults};

use crate::{
    bench::Bench,
    escenario::{RESERVA, pagar, revertir},
};

/// The cases, each with the amount that is charged at the end.
fn cases() -> [FaultCase<&'static str>; 7] {
    let case = |name, before: &[Command], command: &Command, event, expected| FaultCase {
        name,
        before: before.to_vec(),
        unanswered: 0,
        command: command.clone(),
        event,
        expected,
    };
    let (visa, declined) = (pagar(1, "tok_visa"), pagar(1, "tok_rechazada"));
    // The provider fails twice and answers the third attempt.
    let third = pagar(1, "tok_intermitente");
    let paid = std::slice::from_ref(&visa);
    let failed = std::slice::from_ref(&declined);
    let revert = revertir(2);
    [
        case("pay", &[], &visa, "ReservaPagada", "119.00"),
        case("pay without funds", &[], &declined, "PagoFallido", "0"),
        FaultCase {
            unanswered: 2,
            ..case(
                "pay at the third try",
                &[],
                &third,
                "ReservaPagada",
                "119.00",
            )
        },
        case(
            "pay at the first of three tries",
            &[],
            &third,
            "ReservaPagada",
            "119.00",
        ),
        case("revert", paid, &revert, "PagoRevertido", "0.00"),
        case("revert a failure", failed, &revert, "PagoRevertido", "0"),
        case("revert nothing", &[], &revert, "PagoRevertido", "0"),
    ]
}

#[test]
fn every_fault_at_every_effect() {
    let effects = every_fault(Bench::new, cases(), |bench, charged, context| {
        let balance = balance(&bench.ledger(RESERVA)).to_string();
        assert_eq!(balance, *charged, "{context}");
        bench.check_one(context);
    });
    // The six effects of a command are: read the stream, read the ledger, write the ledger, commit, append, and mark
    // the event as published. A command without the provider's answer ends after three effects.
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
