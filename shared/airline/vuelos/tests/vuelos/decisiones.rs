//! Tests of the decision on each command, for each history.

use alpes_event_store::{Case, Decider, Decision};
use alpes_messages::{Moment, Problem, StreamId};
use domain_kit::scenario;
use domain_kit::scenario::CORRELATION;
use events::{
    VUELOS, kinds,
    vuelos::{EstadoReserva, Pasajero, ReservaCreada},
};
use serde_json::{Value, json};
use vuelos::{FAILURE, Reserva, Vuelos};

use crate::escenario::{
    RESERVA, aprobada, at, cancelada, command, creada, creada_sin_viaje, fallida, given, history,
    now, sample,
};

fn invalid(problem: &Problem) -> bool {
    problem.is(kinds::INVALID)
}

fn state(problem: &Problem) -> bool {
    problem.is(kinds::STATE) && problem.detail.is_some()
}

fn not_found(problem: &Problem) -> bool {
    problem.is(kinds::NOT_FOUND)
}

fn motivo(motivo: &str) -> Value {
    json!({ "motivo": motivo })
}

#[test]
fn crear_makes_a_pending_reservation_with_a_fare() {
    let data = vuelos::crear_reserva::parse(&sample()).unwrap();
    let pago = vuelos::tarifa::price(&data.itinerarios, 1).paid_with("tok_visa");
    given([])
        .when("CrearReserva", sample())
        .then([ReservaCreada {
            id_reserva: RESERVA,
            id_cliente: None,
            estado: EstadoReserva::Pendiente,
            fecha_creacion: now(),
            itinerarios: data.itinerarios,
            pago: Some(pago),
            pasajeros: Pasajero::one(),
        }
        .into()]);
}

/// The sample with this payment.
fn paid(pago: Value) -> Value {
    let mut data = sample();
    data["pago"] = pago;
    data
}

/// The decision on a command that makes a reservation at this time.
fn decided(data: Value, prueba: bool, at: Moment) -> Result<Value, Problem> {
    let mut command = command("CrearReserva", data);
    command.prueba = prueba;
    match vuelos::decide(&Case::first(&[], &command, at)) {
        Decision::Commit { events, .. } => Ok(events[0].data["pago"].clone()),
        Decision::Reject(problem) => Err(problem),
        Decision::Already(_) => panic!("nothing was decided before"),
    }
}

#[test]
fn the_price_is_the_systems_and_a_client_may_repeat_it() {
    let price = json!({"monto": "479.56", "monto_vat": "91.12", "moneda": "USD", "medio": "tok_x"});
    for same in [
        json!({"medio": "tok_x"}),
        json!({"medio": "tok_x", "monto": "479.560"}),
        json!({"medio": "tok_x", "moneda": "USD"}),
        price.clone(),
    ] {
        assert_eq!(
            decided(paid(same.clone()), false, now()),
            Ok(price.clone()),
            "{same}"
        );
    }
    for (pago, wrong) in [
        (json!({"monto": "0.01"}), vec!["pago.monto"]),
        (
            json!({"monto": "1", "moneda": "VND"}),
            vec!["pago.monto", "pago.moneda"],
        ),
        (
            json!({"monto": "999999999999.99", "monto_vat": "0", "moneda": "EUR"}),
            vec!["pago.monto", "pago.monto_vat", "pago.moneda"],
        ),
    ] {
        let mut pago = pago;
        pago["medio"] = json!("tok_x");
        let problem = decided(paid(pago.clone()), false, now()).unwrap_err();
        assert!(problem.is(kinds::PRICE), "{pago}");
        let fields: Vec<_> = problem.errores.iter().map(|one| &*one.campo).collect();
        assert_eq!(fields, wrong);
        let told = ["479.56", "91.12", "USD"];
        assert!(
            problem
                .errores
                .iter()
                .all(|one| told.iter().any(|price| one.detalle.ends_with(price)))
        );
    }
}

#[test]
fn only_a_command_of_a_test_sets_the_price() {
    let pago = json!({"monto": "7", "monto_vat": "0", "moneda": "EUR", "medio": "tok_rechazada"});
    assert!(decided(paid(pago.clone()), false, now()).is_err());
    let set =
        json!({"monto": "7.00", "monto_vat": "0.00", "moneda": "EUR", "medio": "tok_rechazada"});
    assert_eq!(decided(paid(pago), true, now()), Ok(set));
    let only = json!({"monto": "7", "medio": "tok_x"});
    let set = json!({"monto": "7", "monto_vat": "91.12", "moneda": "USD", "medio": "tok_x"});
    assert_eq!(decided(paid(only), true, now()), Ok(set));
}

#[test]
fn a_quote_decides_the_price_until_it_ends() {
    let mut data = sample();
    let cheaper = crate::cotizacion::cheaper(&data, now());
    data["cotizacion"] = json!(cheaper);
    let price = json!({"monto": "1.00", "monto_vat": "0.19", "moneda": "USD", "medio": "tok_visa"});
    assert_eq!(decided(data.clone(), false, now()), Ok(price));
    data["pago"] = json!({"medio": "tok_visa", "monto": "479.56"});
    assert!(
        decided(data.clone(), false, now())
            .unwrap_err()
            .is(kinds::PRICE)
    );
    data["pago"] = Value::Null;
    let later = Moment::from(now().timestamp() + vuelos::cotizacion::VALIDITY);
    let over = decided(data.clone(), false, later).unwrap_err();
    assert_eq!(over.errores[0].regla, "cotizacion-vencida");
    data["cotizacion"] = json!("abc");
    assert_eq!(
        decided(data, false, now()).unwrap_err().errores[0].regla,
        "cotizacion"
    );
}

#[test]
fn crear_keeps_the_passengers_and_the_fare_is_for_each() {
    let mut data = sample();
    data["pasajeros"] = json!([{"nombre": "Ana"}, {}, {"nombre": null}]);
    let decided = given([]).when("CrearReserva", data);
    let Decision::Commit { events, .. } = decided.decision else {
        panic!("the sample makes a reservation")
    };
    let made = &events[0].data;
    assert_eq!(made["pasajeros"], json!([{"nombre": "Ana"}, {}, {}]));
    assert_eq!(made["pago"]["monto"], "1438.68", "3 x 479.56");
}

#[test]
fn crear_is_refused_on_a_stream_that_has_begun() {
    for begun in [
        vec![creada()],
        vec![creada(), aprobada(at(2))],
        vec![creada(), cancelada(at(2), "cliente")],
        vec![cancelada(at(1), "deshacer")],
    ] {
        given(begun)
            .when("CrearReserva", sample())
            .then_refused(state);
    }
}

#[test]
fn crear_tells_what_is_wrong_with_or_without_history() {
    for history in [vec![], vec![creada()]] {
        let problem = given(history)
            .when("CrearReserva", json!({}))
            .then_refused(invalid);
        assert_eq!(problem.errores[0].campo, "itinerarios");
        assert_eq!(problem.errores[0].regla, "requerido");
    }
}

#[test]
fn aprobar_approves_what_is_pending() {
    given([creada()])
        .when("AprobarReserva", json!({}))
        .then([aprobada(now())]);
    given([creada_sin_viaje(), fallida(at(2))])
        .when("AprobarReserva", json!({}))
        .then([aprobada(now())]);
}

#[test]
fn aprobar_again_returns_the_approval_that_was() {
    given([creada(), aprobada(at(2)), fallida(at(3))])
        .when("AprobarReserva", json!({}))
        .then_already(2);
}

#[test]
fn aprobar_what_is_cancelled_fails_as_an_event() {
    for cancelled in [
        vec![creada(), cancelada(at(2), "cliente")],
        vec![creada(), aprobada(at(2)), cancelada(at(3), "cliente")],
    ] {
        given(cancelled)
            .when("AprobarReserva", json!({}))
            .then([fallida(now())]);
    }
}

#[test]
fn aprobar_what_was_never_made_is_refused() {
    for history in [vec![], vec![cancelada(at(1), "deshacer")]] {
        given(history)
            .when("AprobarReserva", json!({}))
            .then_refused(not_found);
    }
}

#[test]
fn cancelar_works_from_any_state() {
    for history in [
        vec![],
        vec![creada()],
        vec![creada(), aprobada(at(2))],
        vec![creada(), fallida(at(2))],
    ] {
        given(history)
            .when("CancelarReserva", motivo("cliente"))
            .then([cancelada(now(), "cliente")]);
    }
}

#[test]
fn cancelar_again_returns_the_cancellation_that_was() {
    for motivo in ["cliente", "plazo"].map(motivo) {
        given([creada(), cancelada(at(2), "cliente"), fallida(at(3))])
            .when("CancelarReserva", motivo.clone())
            .then_already(2);
        given([cancelada(at(1), "deshacer")])
            .when("CancelarReserva", motivo)
            .then_already(1);
    }
}

#[test]
fn a_deadline_cancels_only_what_is_not_approved() {
    given([creada()])
        .when("CancelarReserva", motivo("plazo"))
        .then([cancelada(now(), "plazo")]);
    given([creada(), aprobada(at(2))])
        .when("CancelarReserva", motivo("plazo"))
        .then_refused(state);
}

#[test]
fn a_failure_that_a_test_asks_for_is_of_what_is_pending() {
    let failure = |events| {
        let (history, aprobar) = (history(events), command("AprobarReserva", json!({})));
        (FAILURE.event)(&Case::first(&history, &aprobar, now()))
    };
    assert_eq!(FAILURE.command, "AprobarReserva");
    for pending in [vec![creada()], vec![creada(), fallida(at(2))]] {
        let failed = failure(pending).unwrap();
        assert_eq!(failed.kind, "AprobacionReservaFallida");
        assert_eq!(failed.data["motivo"], parse::FALLA_INDUCIDA);
    }
    for decided in [
        vec![],
        vec![creada(), aprobada(at(2))],
        vec![creada(), cancelada(at(2), "cliente")],
        vec![cancelada(at(1), "deshacer")],
    ] {
        assert_eq!(failure(decided), None);
    }
}

#[test]
fn the_data_of_each_command_is_checked() {
    for (kind, data, campo, regla) in [
        ("AprobarReserva", json!(null), "cuerpo", "tipo"),
        (
            "AprobarReserva",
            json!({"motivo": "x"}),
            "motivo",
            "campo-desconocido",
        ),
        ("CancelarReserva", json!([]), "cuerpo", "tipo"),
        ("CancelarReserva", json!({}), "motivo", "requerido"),
        ("CancelarReserva", json!({"motivo": 1}), "motivo", "tipo"),
        ("CancelarReserva", json!({"motivo": " "}), "motivo", "vacio"),
        (
            "CancelarReserva",
            json!({"motivo": "ñ".repeat(201)}),
            "motivo",
            "limite",
        ),
        (
            "CancelarReserva",
            json!({"motivo": "x", "otro": 1}),
            "otro",
            "campo-desconocido",
        ),
        ("PagarReserva", json!({}), "type", "comando-desconocido"),
    ] {
        let problem = given([creada()]).when(kind, data).then_refused(invalid);
        let [violation] = problem.errores.as_slice() else {
            panic!("one violation: {problem:?}")
        };
        assert_eq!(
            (violation.campo.as_str(), &*violation.regla),
            (campo, regla)
        );
    }
    given([])
        .when("CancelarReserva", motivo(&"ñ".repeat(200)))
        .then([cancelada(now(), &"ñ".repeat(200))]);
}

#[test]
fn the_store_is_told_the_same() {
    let crear = command("CrearReserva", sample());
    let cancelar = command("CancelarReserva", motivo("cliente"));
    let stream = StreamId::new(VUELOS, RESERVA);
    let commands = [(crear.clone(), true, false), (cancelar, false, true)];
    scenario::routed(&Vuelos, stream, commands);
    let case = Case::first(&[], &crear, now());
    let decided = futures::executor::block_on(Vuelos.decide(&case));
    assert_eq!(decided, Ok(vuelos::decide(&case)));
}

#[test]
fn a_reader_sees_the_reservation() {
    use EstadoReserva::{Aprobada, Cancelada, Pendiente};
    for (events, estado, last) in [
        (vec![creada()], Pendiente, 1),
        (vec![creada(), fallida(at(2))], Pendiente, 2),
        (vec![creada(), aprobada(at(2))], Aprobada, 2),
        (
            vec![creada(), aprobada(at(2)), cancelada(at(3), "x")],
            Cancelada,
            3,
        ),
        (
            vec![creada(), cancelada(at(2), "x"), fallida(at(3))],
            Cancelada,
            3,
        ),
    ] {
        let detalle = Reserva::fold(&history(events)).detalle().unwrap();
        assert_eq!(detalle.estado, estado);
        assert_eq!(detalle.fecha_actualizacion, at(last));
        let shown = serde_json::to_value(&detalle).unwrap();
        assert_eq!(shown["id_reserva"], json!(RESERVA));
        assert_eq!(shown["id_correlacion"], json!(CORRELATION));
        assert_eq!(shown["id_cliente"], Value::Null);
        assert_eq!(shown["fecha_creacion"], "2026-01-31T12:00:01.000Z");
        assert_eq!(shown["itinerarios"], sample()["itinerarios"]);
        assert_eq!(shown["pago"]["medio"], "tok_visa");
    }
    for unmade in [vec![], vec![cancelada(at(1), "deshacer")]] {
        let reserva = Reserva::fold(&history(unmade));
        assert!(!reserva.exists() && reserva.detalle().is_none());
    }
}

#[test]
fn history_that_the_rules_would_refuse_still_folds() {
    let mut impossible = creada();
    let leg = &mut impossible.data["itinerarios"][0]["odos"][0]["segmentos"][0]["legs"][0];
    leg["destino"] = leg["origen"].clone();
    leg["fecha_llegada"] = leg["fecha_salida"].clone();
    leg["origen"]["codigo"] = "???".into();
    impossible.data["pago"]["moneda"] = "DEM".into();
    let data = impossible.data.clone();
    let detalle = Reserva::fold(&history([impossible])).detalle().unwrap();
    assert_eq!(json!(detalle.itinerarios), data["itinerarios"]);
    assert_eq!(json!(detalle.pago), data["pago"]);

    // Three histories: a reservation approved after it was cancelled, one made after it was cancelled, and one approved
    // without having been made.
    let estado = |events: Vec<_>| Reserva::fold(&history(events)).estado();
    assert_eq!(
        estado(vec![creada(), cancelada(at(2), "x"), aprobada(at(3))]),
        Some(EstadoReserva::Cancelada)
    );
    assert_eq!(
        estado(vec![cancelada(at(1), "x"), creada()]),
        Some(EstadoReserva::Cancelada)
    );
    assert_eq!(estado(vec![aprobada(at(1))]), Some(EstadoReserva::Aprobada));
}
