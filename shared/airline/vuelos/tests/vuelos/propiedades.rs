//! Properties of the context, checked over random bodies and histories.

use alpes_messages::NewEvent;
use jiff::{Timestamp, tz::Offset};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};
use vuelos::{Reserva, crear_reserva::parse};

use crate::escenario::{aprobada, at, cancelada, creada, creada_sin_viaje, fallida, history};

/// A leg, relative to the previous leg: the number of airports to skip, the seconds of waiting, and the seconds of
/// flight.
type Hop = (usize, i64, i64);

const AIRPORTS: [&str; 7] = ["BOG", "JFK", "LHR", "MIA", "EZE", "SYD", "CDG"];

/// Random odos of one itinerario. An odo is a list of segmentos, and a segmento is a list of hops. The shortest flight
/// is long enough for any two of the airports.
fn journey() -> impl Strategy<Value = Vec<Vec<Vec<Hop>>>> {
    let hop = (1..AIRPORTS.len(), 0..200_000_i64, 25_000..100_000_i64);
    vec(vec(vec(hop, 1..3), 1..4), 1..4)
}

/// A valid body of this journey. The times of the body have this offset, in minutes.
fn written(
    itinerarios: &[Vec<Vec<Vec<Hop>>>],
    start: i64,
    rest: &(Option<String>, Option<Value>, Option<&str>, Option<Value>),
    minutes: i32,
) -> Value {
    let offset = Offset::from_seconds(minutes * 60).unwrap();
    let time = |second| {
        let time = Timestamp::from_second(second).unwrap();
        time.display_with_offset(offset).to_string()
    };
    let odo = |segmentos: &Vec<Vec<Hop>>, clock: &mut i64| {
        let mut place = 0;
        let mut leg = |(step, wait, flight): &Hop| {
            let from = place;
            place = (place + step) % AIRPORTS.len();
            let departure = *clock + wait;
            *clock = departure + flight;
            json!({
                "fecha_salida": time(departure),
                "fecha_llegada": time(*clock),
                "origen": {"codigo": AIRPORTS[from], "nombre": "Origen"},
                "destino": {"codigo": AIRPORTS[place]},
            })
        };
        let segmentos: Vec<_> = segmentos
            .iter()
            .map(|legs| json!({"legs": legs.iter().map(&mut leg).collect::<Vec<_>>()}))
            .collect();
        json!({ "segmentos": segmentos })
    };
    let mut clock = start;
    let itinerarios: Vec<_> = itinerarios
        .iter()
        .map(|odos| {
            let odos = odos.iter().map(|segmentos| odo(segmentos, &mut clock));
            json!({"odos": odos.collect::<Vec<_>>()})
        })
        .collect();
    let (client, pago, saga, pasajeros) = rest;
    json!({
        "itinerarios": itinerarios, "id_cliente": client, "pago": pago, "saga": saga, "pasajeros": pasajeros,
    })
}

fn pasajeros() -> impl Strategy<Value = Value> {
    let nombre = option::of("[A-Za-zñé]{1,9}");
    vec(nombre.prop_map(|nombre| json!({"nombre": nombre})), 1..=9).prop_map(Value::from)
}

fn pago() -> impl Strategy<Value = Value> {
    let currency = select(vec![("USD", 2_usize), ("JPY", 0), ("BHD", 3), ("CLF", 4)]);
    (
        currency,
        1..999_999_999_999_u64,
        0..10_u32,
        "[a-z0-9_]{1,64}",
    )
        .prop_map(|((moneda, decimals), whole, digit, medio)| {
            let fraction = digit.to_string().repeat(decimals);
            let monto = if decimals == 0 {
                whole.to_string()
            } else {
                format!("{whole}.{fraction}")
            };
            json!({"monto": monto, "monto_vat": "0", "moneda": moneda, "medio": medio})
        })
}

/// JSON of any shape that uses field names of the API.
fn any_body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        select(vec![
            "BOG",
            "JFK",
            "USD",
            "1.5",
            "2022-11-22T13:10:00Z",
            "2022-11-22T13:10:00.🛫"
        ])
        .prop_map(Value::from),
    ];
    let names = select(vec![
        "itinerarios",
        "odos",
        "segmentos",
        "legs",
        "origen",
        "destino",
        "codigo",
        "nombre",
        "fecha_salida",
        "fecha_llegada",
        "pago",
        "monto",
        "monto_vat",
        "moneda",
        "medio",
        "saga",
        "pasajeros",
        "id_cliente",
        "otro",
    ]);
    leaf.prop_recursive(7, 64, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((names.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(
                    fields
                        .into_iter()
                        .map(|(name, value)| (name.into(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn a_valid_body_is_taken_and_its_normal_form_is_a_fixed_point(
        itinerarios in vec(journey(), 1..3),
        start in 0..4_000_000_000_i64,
        rest in (
            option::of("[A-Za-z0-9._-]{1,64}"),
            option::of(pago()),
            option::of(select(vec!["orquestacion", "coreografia"])),
            option::of(pasajeros()),
        ),
        minutes in -1_000..1_000_i32,
    ) {
        let parsed = parse(&written(&itinerarios, start, &rest, minutes)).unwrap();
        let normal = serde_json::to_value(&parsed).unwrap();
        let again = parse(&normal).unwrap();
        prop_assert_eq!(&again, &parsed);
        prop_assert_eq!(serde_json::to_value(&again).unwrap(), normal);
        // The same request, written with another offset, has the same result.
        prop_assert_eq!(parse(&written(&itinerarios, start, &rest, 0)).unwrap(), parsed);
    }

    #[test]
    fn whatever_is_refused_is_refused_for_a_reason(body in any_body()) {
        if let Err(violations) = parse(&body) {
            prop_assert!((1..=parse::MAX_VIOLATIONS).contains(&violations.len()));
        }
    }

    #[test]
    fn any_history_folds_and_cancelled_stays_cancelled(kinds in vec(0..5_usize, 0..12)) {
        let event = |kind: usize| -> NewEvent {
            match kind {
                0 => creada(),
                1 => creada_sin_viaje(),
                2 => aprobada(at(2)),
                3 => fallida(at(3)),
                _ => cancelada(at(4), "x"),
            }
        };
        let history = history(kinds.iter().copied().map(event));
        let mut reserva = Reserva::default();
        let mut before = None;
        for (event, payload) in &history {
            reserva = reserva.evolve(event, payload);
            // The states are ordered as a reservation passes through them, so no event makes the state smaller.
            prop_assert!(reserva.estado() >= before);
            before = reserva.estado();
            prop_assert_eq!(reserva.exists(), reserva.detalle().is_some());
        }
        prop_assert_eq!(reserva, Reserva::fold(&history));
    }
}
