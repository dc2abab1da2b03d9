//! Tests of the decision on each command, for each history and each answer of the gateway.

use alpes_event_store::Case;
use alpes_messages::{Problem, StreamId};
use domain_kit::scenario;
use events::{PAGOS, kinds};
use pagos::{
    FAILURE, MAX_MEDIO, PAGAR_RESERVA, Pagos,
    gateway::{Anulacion, Cobro, NoAnswer},
};
use parse::FALLA_INDUCIDA;
use serde_json::{Value, json};

use crate::{
    bench::Bench,
    escenario::{
        RESERVA, before, command, fallido, given, history, now, pagada, pagar, pago, revertido,
        revertir,
    },
};

const CHARGE: &str = "cobrar pago-00000000-0000-0000-0000-000000000001 100.00 tok_visa";
const VOID: &str = "anular pago-00000000-0000-0000-0000-000000000001";

fn invalid(problem: &Problem) -> bool {
    problem.is(kinds::INVALID)
}

fn state(problem: &Problem) -> bool {
    problem.is(kinds::STATE) && problem.detail.is_some()
}

fn no_answer<T>() -> Result<T, NoAnswer> {
    Err(NoAnswer("the line is dead".into()))
}

fn visa() -> events::vuelos::Pago {
    pago("100.00", "tok_visa")
}

#[test]
fn pagar_charges_and_tells_what_was_charged() {
    given([])
        .when(&pagar(1, "tok_visa"))
        .then(CHARGE, [pagada(visa(), now())]);
    // An earlier command charged another payment and was interrupted. The event has the payment that was charged.
    let first = pago("70.00", "tok_otra");
    given([])
        .whose_charge(Ok(Cobro::Cobrado(first.clone())))
        .when(&pagar(1, "tok_visa"))
        .then(CHARGE, [pagada(first, now())]);
}

#[test]
fn pagar_that_is_declined_fails_as_an_event() {
    let motivo = "sin fondos".to_owned();
    given([])
        .whose_charge(Ok(Cobro::Rechazado { motivo }))
        .when(&pagar(1, "tok_visa"))
        .then(CHARGE, [fallido("sin fondos", now())]);
}

#[test]
fn pagar_again_returns_what_came_of_it() {
    given([pagada(visa(), before())])
        .when(&pagar(2, "tok_visa"))
        .then_already(1);
    // The answer of a charge may have been lost before a test forced the payment to fail, so the charge is voided.
    given([fallido("sin fondos", before())])
        .when(&pagar(2, "tok_visa"))
        .then_voided_and_already(1);
    given([pagada(visa(), before()), fallido("x", before())])
        .when(&pagar(2, "tok_visa"))
        .then_already(1);
}

#[test]
fn pagar_what_was_reverted_is_refused() {
    for history in [
        vec![revertido(false, before())],
        vec![pagada(visa(), before()), revertido(true, before())],
        vec![fallido("sin fondos", before()), revertido(false, before())],
    ] {
        given(history)
            .when(&pagar(2, "tok_visa"))
            .then_refused(state);
    }
}

#[test]
fn revertir_voids_whatever_has_happened() {
    for (history, anulacion, devuelto) in [
        (vec![pagada(visa(), before())], Anulacion::Devuelto, true),
        (vec![fallido("x", before())], Anulacion::SinCargo, false),
        (vec![], Anulacion::SinCargo, false),
        // A command charged, and never reached its commit.
        (vec![], Anulacion::Devuelto, true),
    ] {
        given(history)
            .whose_void(Ok(anulacion))
            .when(&revertir(2))
            .then(VOID, [revertido(devuelto, now())]);
    }
}

#[test]
fn revertir_again_returns_the_reversal_that_was() {
    given([pagada(visa(), before()), revertido(true, before())])
        .when(&revertir(3))
        .then_voided_and_already(2);
    // A test committed this reversal by hand, without a refund.
    given([revertido(false, before())])
        .when(&revertir(3))
        .then_voided_and_already(1);
}

#[test]
fn without_an_answer_nothing_is_decided() {
    given([])
        .whose_charge(no_answer())
        .when(&pagar(1, "tok_visa"))
        .then_unavailable("the line is dead");
    given([pagada(visa(), before())])
        .whose_void(no_answer())
        .when(&revertir(2))
        .then_unavailable("the line is dead");
}

/// Every violation of a command's data, as `campo: regla`.
fn faults(kind: &str, data: Value) -> Vec<String> {
    let problem = given([])
        .when(&command(1, RESERVA, kind, data))
        .then_refused(invalid);
    assert!(
        problem
            .errores
            .iter()
            .all(|fault| !fault.detalle.is_empty())
    );
    let named = problem
        .errores
        .iter()
        .map(|fault| format!("{}: {}", fault.campo, fault.regla));
    named.collect()
}

fn with(field: &str, value: Value) -> Vec<String> {
    let mut data = json!(visa());
    data[field] = value;
    faults(PAGAR_RESERVA, data)
}

#[test]
fn the_data_of_a_payment_is_checked() {
    for (field, value, regla) in [
        ("monto", json!("0.00"), "monto-positivo"),
        ("monto", json!("-1.00"), "formato"),
        ("monto", json!("1e3"), "formato"),
        ("monto", json!(100), "tipo"),
        ("monto", json!(null), "requerido"),
        ("monto_vat", json!("-0.01"), "formato"),
        ("monto_vat", json!([]), "tipo"),
        ("moneda", json!("usd"), "formato"),
        ("moneda", json!("EURO"), "formato"),
        ("medio", json!(""), "vacio"),
        ("medio", json!("ñ".repeat(MAX_MEDIO + 1)), "limite"),
        ("propina", json!("1.00"), "campo-desconocido"),
    ] {
        assert_eq!(with(field, value), [format!("{field}: {regla}")]);
    }
    assert_eq!(
        faults(PAGAR_RESERVA, json!({"monto": "0", "moneda": "US"})),
        [
            "monto: monto-positivo",
            "monto_vat: requerido",
            "moneda: formato",
            "medio: requerido"
        ]
    );
    assert_eq!(faults(PAGAR_RESERVA, json!([])), ["cuerpo: tipo"]);

    let mut data = json!(visa());
    data["monto_vat"] = "0".into();
    data["medio"] = "ñ".repeat(MAX_MEDIO).into();
    let fits = command(1, RESERVA, PAGAR_RESERVA, data);
    let charged = format!(
        "{}{}",
        CHARGE.trim_end_matches("tok_visa"),
        "ñ".repeat(MAX_MEDIO)
    );
    given([])
        .when(&fits)
        .then(&charged, [pagada(visa(), now())]);
}

#[test]
fn the_data_of_a_reversal_and_the_type_are_checked() {
    assert_eq!(
        faults("RevertirPago", json!({"monto": "1.00"})),
        ["monto: campo-desconocido"]
    );
    assert_eq!(faults("RevertirPago", json!(null)), ["cuerpo: tipo"]);
    assert_eq!(
        faults("AprobarReserva", json!({})),
        ["type: comando-desconocido"]
    );
}

#[test]
fn the_store_is_told_whose_stream_it_is_and_what_undoes() {
    let bench = Bench::new();
    let pagos: Pagos = bench.pagos(&simulation::Faults::none());
    let stream = StreamId::new(PAGOS, RESERVA);
    let commands = [
        (pagar(1, "tok_visa"), false, false),
        (revertir(2), false, true),
    ];
    scenario::routed(&pagos, stream, commands);
}

#[test]
fn a_failure_that_a_test_asks_for_is_of_what_is_undecided() {
    let failure = |events| {
        let (history, pagar) = (history(events), pagar(1, "tok_visa"));
        (FAILURE.event)(&Case::first(&history, &pagar, now()))
    };
    assert_eq!(FAILURE.command, PAGAR_RESERVA);
    assert_eq!(failure(vec![]), Some(fallido(FALLA_INDUCIDA, now())));
    for decided in [
        pagada(visa(), before()),
        fallido("sin fondos", before()),
        revertido(false, before()),
    ] {
        assert_eq!(failure(vec![decided]), None);
    }
}
