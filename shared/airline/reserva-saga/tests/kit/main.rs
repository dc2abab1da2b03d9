//! Tests of the saga of a reservation with the saga kit, which runs the real participants over twins (ports in memory).
//! Planted mistakes show that the kit finds mistakes.

#![cfg(test)]

mod planted;
mod play;

use alpes_saga::StepNumber;
use futures::executor::block_on;
use saga_kit::{Cancel, Report, Script, Stream, at_every_effect, campaign};

use play::Reserva;

fn assert_clean(report: &Report) {
    println!("{} runs", report.runs);
    assert!(report.failures.is_empty(), "{report}");
}

#[test]
fn it_ends_as_it_must_whatever_happens() {
    let report = block_on(campaign(&Reserva::default()));
    assert_clean(&report);
    assert!(report.runs > 1_000, "{report}");
}

/// The provider charges without an answer, so the payment's event stream is empty when the charge must be undone.
#[test]
fn a_charge_that_nobody_told_of_is_refunded() {
    let play = Reserva {
        declined_by: "tok_timeout",
        ..Reserva::default()
    };
    let fails_at = StepNumber::new(2);
    for stream in [Stream::Prompt, Stream::Held] {
        let script = Script {
            fails_at,
            stream,
            ..Script::default()
        };
        assert_clean(&block_on(at_every_effect(&play, script)));
    }
}

#[test]
fn a_payment_that_fails_twice_and_then_goes_through_is_one_charge() {
    let play = Reserva {
        paid_by: "tok_intermitente",
        ..Reserva::default()
    };
    let mut report = Report::default();
    for cancel in [Cancel::Never, Cancel::After] {
        let script = Script {
            cancel,
            ..Script::default()
        };
        let run = block_on(saga_kit::run(&play, script));
        report.add(format!("{script:?}"), run.violations);
    }
    assert_clean(&report);
}
