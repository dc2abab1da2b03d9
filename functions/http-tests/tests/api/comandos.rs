//! Tests of commands that are sent to their participants.

use std::{collections::BTreeSet, sync::Arc};

use alpes_event_store::HandleError;
use alpes_messages::SagaMode;
use alpes_participant::ParticipantError;
use alpes_ports::{CallError, FunctionName};
use events::{COMMANDS, CONTEXTS, IdReserva, VUELOS};
use http_testing::{SECRET, sample};
use serde_json::{Value, json};
use twins::MemoryFunctions;

use crate::support::{Pruebas, about, fixture, golden};

fn pago() -> Value {
    json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": "tok_visa"})
}

#[test]
fn every_command_there_is_a_sample_of_can_be_sent() {
    let mut seen = BTreeSet::new();
    for context in CONTEXTS {
        for sample in golden(context.name)["commands"].as_array().unwrap() {
            let kind = sample["type"].as_str().unwrap();
            seen.insert((context, kind.to_owned()));

            let fixture = fixture();
            let id: IdReserva = sample["subject"].as_str().unwrap().parse().unwrap();
            if kind == vuelos::APROBAR_RESERVA {
                let mut command = fixture.creation();
                command.subject = id;
                fixture.take(VUELOS, &command);
            }
            let path = format!("{}/{kind}", context.name);
            let reply = fixture
                .prueba(&path, &about(id, sample["data"].clone()))
                .accepted();
            assert_eq!(reply["resultado"], "eventos", "{kind}");
            let event = &reply["eventos"][0];
            assert_eq!(event["subject"], id.to_string(), "{kind}");
            assert_eq!(event["prueba"], true, "{kind}");
            assert!(fixture.logged().contains(event), "{kind}");
        }
    }
    let all = COMMANDS.iter();
    let all = all.map(|known| (known.context, known.name.to_owned()));
    assert_eq!(seen, all.collect());
}

#[test]
fn a_reservation_goes_all_the_way_by_hand() {
    let fixture = fixture();
    let made = fixture.prueba("vuelos/CrearReserva", &json!({"data": sample()}));
    let saga = made.header("X-Correlacion").unwrap().to_owned();
    let made = made.accepted();
    let event = &made["eventos"][0];
    assert_eq!(event["correlationid"], saga);
    let id: IdReserva = event["subject"].as_str().unwrap().parse().unwrap();
    for (path, data) in [
        ("pagos/PagarReserva", pago()),
        (
            "gds/ConfirmarReserva",
            json!({"itinerarios": sample()["itinerarios"]}),
        ),
        ("vuelos/AprobarReserva", json!({})),
        ("vuelos/CancelarReserva", json!({"motivo": "a mano"})),
        ("gds/RevertirConfirmacion", json!({})),
        ("pagos/RevertirPago", json!({})),
    ] {
        let answer = fixture.prueba(path, &about(id, data));
        assert_eq!(answer.header("X-Correlacion"), Some(&*saga), "{path}");
        let reply = answer.accepted();
        assert_eq!(reply["eventos"][0]["correlationid"], saga, "{path}");
    }
    assert_eq!(
        fixture.events_of(id),
        [
            "ReservaCreada",
            "ReservaPagada",
            "ReservaGDSConfirmada",
            "ReservaAprobada",
            "ReservaCancelada",
            "ConfirmacionGDSRevertida",
            "PagoRevertido"
        ]
    );
    assert!(fixture.logged().iter().all(|event| event["prueba"] == true));
}

#[test]
fn a_command_belongs_to_the_saga_of_its_reservation() {
    let fixture = fixture();
    let own = fixture.fresh();
    let mut asked = about(fixture.create(None), pago());
    asked["id_correlacion"] = own.to_string().into();
    // The command gets the saga of the reservation's stream, and not the saga that the request names.
    let id: IdReserva = asked["id_reserva"].as_str().unwrap().parse().unwrap();
    let paid = fixture.prueba("pagos/PagarReserva", &asked).accepted();
    let saga = fixture.saga_of(id).to_string();
    assert_eq!(paid["eventos"][0]["correlationid"], saga);
    // If the reservation has no stream, the command gets the saga that the request names. If the request names none,
    // the saga gets the reservation's id.
    asked["id_reserva"] = fixture.fresh().to_string().into();
    let paid = fixture.prueba("pagos/PagarReserva", &asked).accepted();
    assert_eq!(paid["eventos"][0]["correlationid"], own.to_string());
    let alone = about(fixture.fresh(), pago());
    let paid = fixture.prueba("pagos/PagarReserva", &alone).accepted();
    assert_ne!(paid["eventos"][0]["correlationid"], own.to_string());
}

#[test]
fn a_command_has_the_mode_of_its_reservation() {
    let fixture = fixture();
    let mut data = sample();
    data["saga"] = "coreografia".into();
    let made = fixture
        .prueba("vuelos/CrearReserva", &json!({"data": data}))
        .accepted();
    assert_eq!(made["eventos"][0]["sagamode"], "coreografia");
    let id: IdReserva = made["eventos"][0]["subject"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let paid = fixture
        .prueba("pagos/PagarReserva", &about(id, pago()))
        .accepted();
    assert_eq!(paid["eventos"][0]["sagamode"], "coreografia");

    let mut command = fixture.creation();
    command.sagamode = SagaMode::Orchestration;
    fixture.take(VUELOS, &command);
    let paid = fixture
        .prueba("pagos/PagarReserva", &about(command.subject, pago()))
        .accepted();
    assert_eq!(paid["eventos"][0]["sagamode"], "orquestacion");
}

#[test]
fn an_id_is_made_for_a_reservation_that_brings_none() {
    let fixture = fixture();
    let id = fixture.fresh();
    let body = about(id, sample());
    let made = fixture.prueba("vuelos/CrearReserva", &body).accepted();
    assert_eq!(made["eventos"][0]["subject"], id.to_string());
    let subjects: BTreeSet<_> = (0..2)
        .map(|_| {
            let made = fixture
                .prueba("vuelos/CrearReserva", &json!({"data": sample()}))
                .accepted();
            made["eventos"][0]["subject"].to_string()
        })
        .collect();
    assert_eq!(subjects.len(), 2);
}

#[test]
fn with_a_key_a_repetition_has_the_same_answer() {
    let fixture = fixture();
    let body = json!({"data": sample()});
    let first = fixture.prueba_with_key("vuelos/CrearReserva", "clave-1", &body);
    let again = fixture.prueba_with_key("vuelos/CrearReserva", "clave-1", &body);
    assert_eq!((first.status.as_u16(), &first.text), (202, &again.text));
    assert_eq!(fixture.logged().len(), 1);

    let mut other = sample();
    other["id_cliente"] = "otro".into();
    let answer = fixture.prueba_with_key("vuelos/CrearReserva", "clave-1", &json!({"data": other}));
    answer.assert_problem(422, "clave-de-idempotencia-reutilizada", "other");
    // The same idempotency key at another path makes another command.
    let subject = first.body["eventos"][0]["subject"].as_str().unwrap();
    let cancel = about(subject.parse().unwrap(), json!({"motivo": "x"}));
    fixture
        .prueba_with_key("vuelos/CancelarReserva", "clave-1", &cancel)
        .accepted();
}

#[test]
fn a_refusal_is_the_participants_and_its_fields_are_below_data() {
    let fixture = fixture();
    let id = fixture.fresh();
    for (path, data, errores) in [
        (
            "vuelos/CrearReserva",
            json!({}),
            vec!["data.itinerarios: requerido"],
        ),
        (
            "vuelos/CancelarReserva",
            json!({"motivo": "", "otro": 1}),
            vec!["data.otro: campo-desconocido", "data.motivo: vacio"],
        ),
        (
            "pagos/PagarReserva",
            json!({"monto": "0", "monto_vat": "19.00", "moneda": "usd", "medio": "tok_visa"}),
            vec!["data.monto: monto-positivo", "data.moneda: formato"],
        ),
        (
            "pagos/RevertirPago",
            json!({"x": 1}),
            vec!["data.x: campo-desconocido"],
        ),
        (
            "gds/ConfirmarReserva",
            json!({}),
            vec!["data.itinerarios: requerido"],
        ),
    ] {
        let answer = fixture.prueba(path, &about(id, data));
        answer.assert_problem(400, "solicitud-invalida", path);
        let told: BTreeSet<_> = answer.errores().into_iter().collect();
        let errores = errores.into_iter().map(str::to_owned).collect();
        assert_eq!(told, errores, "{path}");
    }
    fixture.assert_nothing_happened("refused");

    let answer = fixture.prueba("vuelos/AprobarReserva", &about(id, json!({})));
    answer.assert_problem(404, "no-existe", "never made");
    let id = fixture.create(None);
    let answer = fixture.prueba("vuelos/CrearReserva", &about(id, sample()));
    answer.assert_problem(409, "estado-no-lo-permite", "made before");
}

#[test]
fn data_may_be_left_out_where_there_are_none() {
    let fixture = fixture();
    let id = fixture.create(None);
    fixture
        .prueba("vuelos/AprobarReserva", &json!({"id_reserva": id}))
        .accepted();
    let missing = fixture.prueba("vuelos/CancelarReserva", &json!({"id_reserva": id}));
    missing.assert_problem(400, "solicitud-invalida", "no data");
    assert_eq!(missing.errores(), ["data.motivo: requerido"]);
}

#[test]
fn a_participant_that_misbehaves_does_so_here_too() {
    let fixture = fixture();
    let id = fixture.create(None);
    let set = |modo: &str| {
        let falla =
            json!({"contexto": "pagos", "comando": "PagarReserva", "modo": modo, "veces": 1});
        fixture.prueba("fallas", &falla).accepted();
    };
    for (modo, word) in [("error", "FallaInducida"), ("silencio", "Silencio")] {
        set(modo);
        let answer = fixture.prueba("pagos/PagarReserva", &about(id, pago()));
        answer.assert_problem(503, "no-disponible", word);
        assert_eq!(answer.header("Retry-After"), Some("1"));
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.ends_with(word), "{detail}");
    }
    assert_eq!(fixture.events_of(id), ["ReservaCreada"]);
    set("falla");
    let failed = fixture
        .prueba("pagos/PagarReserva", &about(id, pago()))
        .accepted();
    assert_eq!(failed["eventos"][0]["type"], "PagoFallido");
}

#[test]
fn when_there_is_no_reply_it_is_said_whether_to_try_again() {
    let failed = |error_type: &str| CallError::Failed {
        error_type: error_type.to_owned(),
        message: SECRET.to_owned(),
    };
    let errors = [
        ParticipantError::Store(HandleError::NotAppended),
        ParticipantError::Store(HandleError::Unavailable(SECRET.into())),
        ParticipantError::Store(HandleError::Broken(SECRET.into())),
    ];
    let of_participants = errors.map(|error| failed(error.error_type()));
    let [not_appended, unavailable, broken] = of_participants;
    for (error, status) in [
        (not_appended, 503),
        (unavailable, 503),
        (broken, 500),
        (failed("InvalidCommand"), 500),
        (failed("Sandbox.Timedout"), 503),
        (failed(""), 503),
        (CallError::Unavailable(SECRET.into()), 503),
        (CallError::Refused(SECRET.into()), 500),
    ] {
        let name = error.to_string();
        let functions = MemoryFunctions::new();
        functions.deploy(FunctionName("participant-pagos"), move |_| {
            let error = error.clone();
            async move { Err(error) }
        });
        let fixture = fixture().with_functions(Arc::new(functions));
        let id = fixture.create(None);
        let answer = fixture.prueba("pagos/PagarReserva", &about(id, pago()));
        let kind = if status == 503 {
            "no-disponible"
        } else {
            "error-interno"
        };
        answer.assert_problem(status, kind, &name);
    }
}

#[test]
fn a_reply_that_cannot_be_read_is_a_fault_of_ours() {
    let functions = MemoryFunctions::new();
    let reply = |_| async { Ok(b"{}".to_vec()) };
    functions.deploy(FunctionName("participant-pagos"), reply);
    let fixture = fixture().with_functions(Arc::new(functions));
    let answer = fixture.prueba("pagos/PagarReserva", &about(fixture.fresh(), pago()));
    answer.assert_problem(500, "error-interno", "no reply");
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let fixture = fixture();
    for path in [
        "vuelos/PagarReserva",
        "pagos/pagarreserva",
        "hoteles/CrearReserva",
        "vuelos/ReservaCreada",
    ] {
        let answer = fixture.prueba(path, &about(fixture.fresh(), json!({})));
        answer.assert_problem(404, "no-existe", path);
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains(path), "{detail}");
        for known in COMMANDS {
            assert!(detail.contains(&format!("{}/{}", known.context.name, known.name)));
        }
    }
    fixture.assert_nothing_happened("nowhere");
}
