//! Tests of decoding bytes that may or may not be an event. Decoding returns an event or an error, and never panics.
//!
//! The two errors have different consequences. A record with the error [`DecodeError::UnknownType`] waits for a build
//! that knows the type. A record with the error [`DecodeError::Undecodable`] waits for a person.

#![cfg(test)]

use alpes_messages::{
    Command, CommandId, Context, CorrelationId, DecodeError, Event, EventId, Moment, NewEvent,
    Origin, SagaMode, StreamId,
};
use events::{
    CONTEXTS, IdReserva, Payload,
    gds::{ConfirmacionFallida, ConfirmacionGDSRevertida, ReservaGDSConfirmada, Sillas},
    pagos::{PagoFallido, PagoRevertido, ReservaPagada},
    vuelos::{
        Aeropuerto, AprobacionReservaFallida, EstadoReserva, Itinerario, Leg, Monto, Odo, Pago,
        Pasajero, ReservaAprobada, ReservaCancelada, ReservaCreada, Segmento,
    },
};
use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::Index};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use uuid::Uuid;

const CREATED: &str = include_str!("../samples/vuelos/ReservaCreada.v3.json");
const CREATED_V2: &str = include_str!("../samples/vuelos/ReservaCreada.v2.json");
const CREATED_V1: &str = include_str!("../samples/vuelos/ReservaCreada.v1.json");
const CANCELLED: &str = include_str!("../samples/vuelos/ReservaCancelada.v1.json");
const PAID: &str = include_str!("../samples/pagos/ReservaPagada.v1.json");

fn sample(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn decode(value: &Value) -> Result<(Event, Payload), DecodeError> {
    Event::decode(value.to_string().as_bytes(), &events::catalogue())
}

#[track_caller]
fn assert_undecodable(bytes: &[u8]) {
    let result = Event::decode(bytes, &events::catalogue());
    assert!(
        matches!(result, Err(DecodeError::Undecodable(_))),
        "{result:?}"
    );
}

#[track_caller]
fn assert_unknown(result: &Result<(Event, Payload), DecodeError>) {
    assert!(
        matches!(result, Err(DecodeError::UnknownType(_))),
        "{result:?}"
    );
}

/// The sample, with another value at `pointer`.
fn with(text: &str, pointer: &str, value: impl Into<Value>) -> Value {
    let mut changed = sample(text);
    *changed.pointer_mut(pointer).expect(pointer) = value.into();
    changed
}

#[test]
fn bytes_that_are_no_event_are_undecodable() {
    let array_of_its_values: Vec<_> = sample(CANCELLED)
        .as_object()
        .unwrap()
        .values()
        .cloned()
        .collect();
    for bytes in [
        b"".as_slice(),
        b"\xff\xfe\x00",
        b"\"\xc3\x28\"",
        b"hola",
        b"{\"specversion\": \"1.0\"",
        b"null",
        b"17",
        b"\"ReservaCreada\"",
        b"[]",
        b"{}",
        "[".repeat(100_000).as_bytes(),
        format!("[{CANCELLED}]").as_bytes(),
        format!("{CANCELLED}{CANCELLED}").as_bytes(),
        Value::from(array_of_its_values).to_string().as_bytes(),
    ] {
        assert_undecodable(bytes);
    }
}

/// The values of an event's fields, as an array in the order of the Rust type. Serde can read a struct from this array,
/// but the array is not an event.
#[test]
fn fields_without_names_are_undecodable() {
    let mut event = sample(PAID);
    // Left out where they say nothing.
    event["actor"] = json!(null);
    event["prueba"] = json!(false);
    let names = [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "stream",
        "streamversion",
        "correlationid",
        "causationid",
        "sagamode",
        "traceparent",
        "actor",
        "prueba",
        "data",
    ];
    let values: Value = names.map(|name| event[name].clone()).to_vec().into();
    serde_json::from_value::<Event>(values.clone()).expect("the order of the type");
    assert_undecodable(values.to_string().as_bytes());

    let data = &sample(CANCELLED)["data"];
    let values = ["id_reserva", "fecha_actualizacion", "motivo"].map(|name| data[name].clone());
    let event = with(CANCELLED, "/data", values.to_vec());
    assert_undecodable(event.to_string().as_bytes());
}

#[test]
fn an_envelope_lacks_nothing_that_is_required() {
    for (text, optional) in [
        (CREATED, ["sagamode", "traceparent"].as_slice()),
        (
            CREATED_V1,
            &["ingestion", "datacontenttype", "service_name"],
        ),
    ] {
        for name in sample(text).as_object().unwrap().keys() {
            let mut event = sample(text);
            event.as_object_mut().unwrap().remove(name);
            if optional.contains(&name.as_str()) {
                decode(&event).expect(name);
            } else {
                assert_undecodable(event.to_string().as_bytes());
            }
        }
    }
}

#[test]
fn an_envelope_at_odds_with_itself_is_undecodable() {
    let other = "019c1350-4b80-7a11-8c01-000000000000";
    for (pointer, value) in [
        ("/specversion", json!("1.1")),
        ("/specversion", json!("")),
        ("/specversion", json!(1.0)),
        ("/id", json!("7")),
        ("/subject", json!(other)),
        ("/subject", json!("")),
        ("/stream", json!(format!("reserva-{other}"))),
        ("/stream", json!("gds-019c1350-4b80-7a11-8c01-5d6e7f8091a2")),
        (
            "/stream",
            json!("otra-019c1350-4b80-7a11-8c01-5d6e7f8091a2"),
        ),
        ("/stream", json!("reserva-")),
        ("/streamversion", json!(0)),
        ("/streamversion", json!(-1)),
        ("/streamversion", json!(1.5)),
        ("/streamversion", json!("1")),
        ("/streamversion", json!(u64::from(u32::MAX) + 1)),
        ("/source", json!("/aeroalpes/pagos")),
        ("/source", json!("vuelos")),
        ("/type", json!("ReservaCancelada")),
        ("/time", json!("ayer")),
        ("/time", json!(1_669_122_600_123_i64)),
        ("/sagamode", json!("azar")),
        ("/dataschema", json!(null)),
        // The `dataschema` belongs to another context than the event's stream and source.
        (
            "/dataschema",
            json!("urn:aeroalpes:esquema:pagos:ReservaPagada:v1"),
        ),
    ] {
        assert_undecodable(with(CREATED, pointer, value).to_string().as_bytes());
    }
}

#[test]
fn data_that_does_not_fit_its_schema_is_undecodable() {
    for (text, pointer, value) in [
        (CREATED, "/data", json!(null)),
        (CREATED, "/data", json!("x")),
        (CREATED, "/data", json!({})),
        (CREATED, "/data/estado", json!("PENDIENTE")),
        (
            CREATED,
            "/data/fecha_creacion",
            json!(1_669_122_600_001_i64),
        ),
        (CREATED, "/data/itinerarios", json!(null)),
        (CREATED, "/data/pago/monto", json!(100.0)),
        (CREATED, "/data/pago/monto", json!("cien")),
        // Data of version 2 is invalid as version 1, and data of version 1 is invalid as version 2.
        (
            CREATED,
            "/dataschema",
            json!("urn:aeroalpes:esquema:vuelos:ReservaCreada:v1"),
        ),
        (CREATED_V1, "/data/estado", json!("APROBADA")),
        (
            CREATED_V1,
            "/data/fecha_creacion",
            json!("2022-11-22T13:10:00Z"),
        ),
        (CREATED_V1, "/data/fecha_creacion", json!(i64::MAX)),
        (CREATED_V1, "/data/id_reserva", json!("None")),
        (CREATED_V1, "/time", json!(i64::MIN)),
        (CREATED_V1, "/time", json!(1.5)),
        (PAID, "/data/monto_vat", json!(null)),
    ] {
        assert_undecodable(with(text, pointer, value).to_string().as_bytes());
    }
}

#[test]
fn what_a_newer_build_may_know_is_unknown_not_undecodable() {
    let older = events::catalogue().without("ReservaCancelada");
    assert_unknown(&Event::decode(CANCELLED.as_bytes(), &older));
    Event::decode(CREATED.as_bytes(), &older).expect("the others are known as before");

    for schema in [
        "urn:aeroalpes:esquema:vuelos:ReservaCreada:v4",
        "urn:aeroalpes:esquema:vuelos:ReservaCreada:v4294967295",
        "urn:aeroalpes:esquema:vuelos:ReservaCreada:v4294967296",
        "urn:aeroalpes:esquema:vuelos:ReservaCreada:v0",
        "urn:aeroalpes:esquema:vuelos:ReservaCreada:2",
        "urn:aeroalpes:esquema:vuelos:ReservaCreada",
        "urn:aeroalpes:esquema:vuelos:ReservaCreada:v2:mas",
        "urn:aeroalpes:esquema:vuelos:ReservaDividida:v1",
        "urn:aeroalpes:esquema:hoteles:ReservaCreada:v2",
        "https://example.com/esquemas/ReservaCreada/2",
        "",
    ] {
        assert_unknown(&decode(&with(CREATED, "/dataschema", schema)));
    }
    assert_unknown(&decode(&with(CREATED_V1, "/type", "ReservaPagada")));
}

/// If a build does not know the context of an event's stream, it parks the event with the reason of an unknown type. A
/// build that knows the context retries the event.
#[test]
fn an_event_of_a_context_to_come_is_unknown() {
    let mut event = sample(CREATED);
    event["source"] = "/aeroalpes/hoteles".into();
    event["type"] = "HabitacionReservada".into();
    event["dataschema"] = "urn:aeroalpes:esquema:hoteles:HabitacionReservada:v1".into();
    event["stream"] = "hotel-019c1350-4b80-7a11-8c01-5d6e7f8091a2".into();
    assert_unknown(&decode(&event));
}

#[test]
fn what_is_not_ours_to_know_is_passed_over() {
    let mut event = sample(CANCELLED);
    event["partitionkey"] = "x".into();
    event["data"]["canal"] = "web".into();
    let (read, _) = decode(&event).unwrap();
    assert_eq!(
        read.data["canal"], "web",
        "what was committed stays in the data"
    );
}

#[test]
fn a_lifted_event_names_the_version_it_was_lifted_to() {
    let mut event = sample(CREATED);
    event["dataschema"] = "urn:aeroalpes:esquema:vuelos:ReservaCreada:v1".into();
    event["data"] = sample(CREATED_V1)["data"].clone();
    let (lifted, payload) = decode(&event).unwrap();
    assert_eq!(
        lifted.dataschema,
        "urn:aeroalpes:esquema:vuelos:ReservaCreada:v3"
    );
    let text = lifted.encode().unwrap();
    let again = Event::decode(text.as_bytes(), &events::catalogue()).unwrap();
    assert_eq!(again, (lifted, payload));
}

#[test]
fn a_reservation_from_before_passengers_has_one_without_a_name() {
    for old in [CREATED_V1, CREATED_V2] {
        let (event, payload) = decode(&sample(old)).unwrap();
        let Payload::ReservaCreada(made) = payload else {
            panic!("{payload:?}")
        };
        assert_eq!(made.pasajeros, [Pasajero { nombre: None }]);
        assert_eq!(event.data["pasajeros"], json!([{}]));
    }
}

fn ids() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn context() -> impl Strategy<Value = Context> {
    prop::sample::select(CONTEXTS.to_vec())
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    // Times of the years -9999 to 9999, in nanoseconds since 1970.
    (
        Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond(),
        any::<bool>(),
    )
        .prop_map(|(nanoseconds, recent)| {
            let nanoseconds = if recent {
                nanoseconds.rem_euclid(4_000_000_000_000_000_000)
            } else {
                nanoseconds
            };
            Timestamp::from_nanosecond(nanoseconds).unwrap()
        })
}

fn moment() -> impl Strategy<Value = Moment> {
    timestamp().prop_map(Moment::from)
}

fn pago() -> impl Strategy<Value = Pago> {
    let monto = || {
        (0..1_000_000_000_000_i64, 0..=4_u32)
            .prop_map(|(digits, scale)| Monto(Decimal::new(digits, scale)))
    };
    (monto(), monto(), "[A-Z]{3}", ".{0,20}").prop_map(|(monto, monto_vat, moneda, medio)| Pago {
        monto,
        monto_vat,
        moneda,
        medio,
    })
}

fn itinerario() -> impl Strategy<Value = Itinerario> {
    let airport = || {
        (".{0,5}", option::of(".{0,20}")).prop_map(|(codigo, nombre)| Aeropuerto { codigo, nombre })
    };
    let leg = (timestamp(), timestamp(), airport(), airport()).prop_map(
        |(fecha_salida, fecha_llegada, origen, destino)| Leg {
            fecha_salida,
            fecha_llegada,
            origen,
            destino,
        },
    );
    let segment = vec(leg, 0..3).prop_map(|legs| Segmento { legs });
    let odo = vec(segment, 0..3).prop_map(|segmentos| Odo { segmentos });
    vec(odo, 0..3).prop_map(|odos| Itinerario { odos })
}

fn sillas() -> impl Strategy<Value = Sillas> {
    (".{0,5}", ".{0,5}", timestamp(), any::<u32>()).prop_map(
        |(origen, destino, fecha_salida, sillas)| Sillas {
            origen,
            destino,
            fecha_salida,
            sillas,
        },
    )
}

fn estado() -> impl Strategy<Value = EstadoReserva> {
    prop::sample::select(EstadoReserva::ALL.to_vec())
}

#[expect(clippy::too_many_lines, reason = "an arm an event")]
fn payload() -> impl Strategy<Value = (NewEvent, Payload)> {
    fn both<T: Clone + Into<NewEvent>>(event: T, variant: fn(T) -> Payload) -> (NewEvent, Payload) {
        (event.clone().into(), variant(event))
    }
    let id = || ids().prop_map(IdReserva);
    prop_oneof![
        (
            id(),
            option::of(".{0,10}"),
            estado(),
            moment(),
            vec(itinerario(), 0..3),
            option::of(pago()),
            vec(
                option::of(".{0,10}").prop_map(|nombre| Pasajero { nombre }),
                0..4
            ),
        )
            .prop_map(
                |(id_reserva, id_cliente, estado, fecha_creacion, itinerarios, pago, pasajeros)| {
                    both(
                        ReservaCreada {
                            id_reserva,
                            id_cliente,
                            estado,
                            fecha_creacion,
                            itinerarios,
                            pago,
                            pasajeros,
                        },
                        Payload::ReservaCreada,
                    )
                }
            ),
        (id(), moment()).prop_map(|(id_reserva, fecha_actualizacion)| both(
            ReservaAprobada {
                id_reserva,
                fecha_actualizacion,
            },
            Payload::ReservaAprobada,
        )),
        (id(), moment(), ".*").prop_map(|(id_reserva, fecha_actualizacion, motivo)| both(
            AprobacionReservaFallida {
                id_reserva,
                fecha_actualizacion,
                motivo,
            },
            Payload::AprobacionReservaFallida,
        )),
        (id(), moment(), ".*").prop_map(|(id_reserva, fecha_actualizacion, motivo)| both(
            ReservaCancelada {
                id_reserva,
                fecha_actualizacion,
                motivo,
            },
            Payload::ReservaCancelada,
        )),
        (id(), pago(), moment()).prop_map(|(id_reserva, pago, fecha_actualizacion)| both(
            ReservaPagada {
                id_reserva,
                pago,
                fecha_actualizacion,
            },
            Payload::ReservaPagada,
        )),
        (id(), ".*", moment()).prop_map(|(id_reserva, motivo, fecha_actualizacion)| both(
            PagoFallido {
                id_reserva,
                motivo,
                fecha_actualizacion,
            },
            Payload::PagoFallido,
        )),
        (id(), any::<bool>(), moment()).prop_map(|(id_reserva, devuelto, fecha_actualizacion)| {
            both(
                PagoRevertido {
                    id_reserva,
                    devuelto,
                    fecha_actualizacion,
                },
                Payload::PagoRevertido,
            )
        }),
        (id(), vec(sillas(), 0..3), moment()).prop_map(
            |(id_reserva, sillas, fecha_actualizacion)| both(
                ReservaGDSConfirmada {
                    id_reserva,
                    sillas,
                    fecha_actualizacion,
                },
                Payload::ReservaGDSConfirmada,
            )
        ),
        (id(), ".*", vec(sillas(), 0..3), moment()).prop_map(
            |(id_reserva, motivo, sin_sillas, fecha_actualizacion)| both(
                ConfirmacionFallida {
                    id_reserva,
                    motivo,
                    sin_sillas,
                    fecha_actualizacion,
                },
                Payload::ConfirmacionFallida,
            )
        ),
        (id(), vec(sillas(), 0..3), moment()).prop_map(
            |(id_reserva, sillas, fecha_actualizacion)| both(
                ConfirmacionGDSRevertida {
                    id_reserva,
                    sillas,
                    fecha_actualizacion,
                },
                Payload::ConfirmacionGDSRevertida,
            )
        ),
    ]
}

fn event() -> impl Strategy<Value = (Event, Payload)> {
    (
        payload(),
        [ids(), ids(), ids(), ids()],
        1..=u32::MAX,
        moment(),
        any::<bool>(),
        option::of("[0-9a-f-]{0,60}"),
    )
        .prop_map(
            |((new, payload), [id, subject, command, saga], version, time, orchestrated, trace)| {
                let subject = IdReserva(subject);
                let command = Command {
                    id: CommandId(command),
                    kind: "Cualquiera".into(),
                    subject,
                    correlationid: CorrelationId(saga),
                    causationid: None,
                    actor: None,
                    prueba: false,
                    sagamode: if orchestrated {
                        SagaMode::Orchestration
                    } else {
                        SagaMode::Choreography
                    },
                    traceparent: trace,
                    data: Value::Null,
                };
                let origin = Origin {
                    command: &command,
                    stream: StreamId::new(new.context, subject),
                    version,
                    id: EventId(id),
                    time,
                };
                (Event::placed(new, origin), payload)
            },
        )
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Collects the JSON pointer of every place within a value.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                pointers(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                pointers(value, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// Decodes bytes. If they decode to an event, the event must be the same after it was written and read again.
fn decode_and_again(bytes: &[u8]) -> Result<(), TestCaseError> {
    let catalogue = events::catalogue();
    if let Ok(read) = Event::decode(bytes, &catalogue) {
        let text = read.0.encode().unwrap();
        prop_assert_eq!(Event::decode(text.as_bytes(), &catalogue), Ok(read));
    }
    Ok(())
}

fn any_sample() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![CREATED, CREATED_V1, CANCELLED, PAID])
}

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written((event, payload) in event()) {
        let text = event.encode().unwrap();
        let read = Event::decode(text.as_bytes(), &events::catalogue());
        prop_assert_eq!(read, Ok((event, payload)));
    }

    #[test]
    fn any_bytes_decode_without_panic(bytes in vec(any::<u8>(), 0..200)) {
        decode_and_again(&bytes)?;
    }

    #[test]
    fn any_json_decodes_without_panic(value in json_value()) {
        decode_and_again(value.to_string().as_bytes())?;
    }

    #[test]
    fn an_event_with_changed_bytes_decodes_without_panic(
        text in any_sample(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        length in option::of(any::<Index>()),
    ) {
        let mut bytes = text.as_bytes().to_vec();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        if let Some(length) = length {
            bytes.truncate(length.index(text.len()));
        }
        decode_and_again(&bytes)?;
    }

    #[test]
    fn an_event_with_changed_values_decodes_without_panic(
        text in any_sample(),
        changes in vec((any::<Index>(), json_value()), 1..3),
    ) {
        let mut event = sample(text);
        for (index, value) in changes {
            let mut places = vec![];
            pointers(&event, "", &mut places);
            let place: &String = index.get(&places);
            // If an earlier change has put a slash into a name, the pointer leads to no place.
            if let Some(found) = event.pointer_mut(place) {
                *found = value;
            }
        }
        decode_and_again(event.to_string().as_bytes())?;
    }

    #[test]
    fn a_stream_id_is_read_as_it_was_written(context in context(), id in ids()) {
        let stream = StreamId::new(context, IdReserva(id));
        let text = stream.to_string();
        prop_assert_eq!(&text, &format!("{}-{id}", context.category));
        prop_assert_eq!(text.parse(), Ok(stream));
        prop_assert_eq!(serde_json::to_value(stream).unwrap(), Value::from(text.clone()));
        prop_assert_eq!(serde_json::from_value::<StreamId>(text.into()).unwrap(), stream);
    }

    #[test]
    fn any_text_is_a_stream_id_or_is_not(text in "(reserva|pago|gds|otra|)-?[0-9a-f-]{0,40}|.*") {
        if let Ok(stream) = text.parse::<StreamId>() {
            prop_assert_eq!(stream.to_string().parse(), Ok(stream));
        }
    }
}
