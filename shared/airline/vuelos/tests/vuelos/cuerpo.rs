//! Tests of the faults in the body of a request, with their places.

use serde_json::{Value, json};
use vuelos::crear_reserva::parse;

use crate::escenario::{body, leg, sample};

const LEG: &str = "itinerarios[0].odos[0].segmentos[0].legs[0]";

/// Every violation of a body, as `campo: regla`.
fn faults(body: &Value) -> Vec<String> {
    let violations = parse(body).map_or_else(|violations| violations, |_| vec![]);
    assert!(violations.iter().all(|fault| !fault.detalle.is_empty()));
    violations
        .into_iter()
        .map(|fault| format!("{}: {}", fault.campo, fault.regla))
        .collect()
}

/// The sample body, with another value at a place.
fn with(pointer: &str, value: Value) -> Value {
    let mut body = sample();
    *body.pointer_mut(pointer).expect(pointer) = value;
    body
}

fn with_pago(field: &str, value: Value) -> Value {
    let mut body = sample();
    body["pago"] =
        json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": "tok_visa"});
    body["pago"][field] = value;
    body
}

#[test]
fn the_tutorials_sample_is_taken_as_it_stands() {
    let parsed = parse(&sample()).unwrap();
    assert_eq!(serde_json::to_value(&parsed).unwrap(), sample());
}

#[test]
fn real_journeys_are_taken() {
    let lines = include_str!("../data/reservas.jsonl").lines();
    assert_eq!(lines.clone().count(), 20);
    for line in lines {
        assert_eq!(
            faults(&serde_json::from_str(line).unwrap()),
            [""; 0],
            "{line}"
        );
    }
}

#[test]
fn the_shape_of_the_body() {
    for not_object in [json!(null), json!([]), json!("x"), json!(1)] {
        assert_eq!(faults(&not_object), ["cuerpo: tipo"]);
    }
    assert_eq!(faults(&json!({})), ["itinerarios: requerido"]);
    assert_eq!(
        faults(&json!({"itinerarios": null})),
        ["itinerarios: requerido"]
    );
    assert_eq!(faults(&json!({"itinerarios": {}})), ["itinerarios: tipo"]);
    assert_eq!(faults(&json!({"itinerarios": []})), ["itinerarios: vacio"]);
    for (pointer, campo) in [
        ("/itinerarios/0/odos", "itinerarios[0].odos"),
        (
            "/itinerarios/0/odos/0/segmentos",
            "itinerarios[0].odos[0].segmentos",
        ),
        (
            "/itinerarios/0/odos/0/segmentos/0/legs",
            "itinerarios[0].odos[0].segmentos[0].legs",
        ),
    ] {
        for (value, regla) in [
            (json!(null), "requerido"),
            (json!({}), "tipo"),
            (json!([]), "vacio"),
        ] {
            assert_eq!(faults(&with(pointer, value)), [format!("{campo}: {regla}")]);
        }
        assert_eq!(
            faults(&with(&format!("{pointer}/0"), json!(1))),
            [format!("{campo}[0]: tipo")]
        );
    }
}

#[test]
fn unknown_fields_are_named_wherever_they_are() {
    for (pointer, campo) in [
        ("", ""),
        ("/itinerarios/0", "itinerarios[0]."),
        ("/itinerarios/0/odos/0", "itinerarios[0].odos[0]."),
        (
            "/itinerarios/0/odos/0/segmentos/0",
            "itinerarios[0].odos[0].segmentos[0].",
        ),
        (
            "/itinerarios/0/odos/0/segmentos/0/legs/0",
            "itinerarios[0].odos[0].segmentos[0].legs[0].",
        ),
        (
            "/itinerarios/0/odos/0/segmentos/0/legs/0/origen",
            "itinerarios[0].odos[0].segmentos[0].legs[0].origen.",
        ),
    ] {
        let mut body = sample();
        body.pointer_mut(pointer).unwrap()["extra"] = json!(1);
        assert_eq!(faults(&body), [format!("{campo}extra: campo-desconocido")]);
    }
    assert_eq!(
        faults(&with_pago("extra", json!(1))),
        ["pago.extra: campo-desconocido"]
    );
    let mut long = sample();
    long[&"x".repeat(5_000)] = json!(1);
    assert_eq!(
        faults(&long),
        [format!("{}: campo-desconocido", "x".repeat(64))]
    );
}

#[test]
fn dates_are_those_of_rfc_3339() {
    let pointer = "/itinerarios/0/odos/0/segmentos/0/legs/0/fecha_salida";
    for (text, normal) in [
        ("2022-11-22T13:10:00Z", "2022-11-22T13:10:00Z"),
        ("2022-11-22t08:10:00-05:00", "2022-11-22T13:10:00Z"),
        ("2022-11-22T13:10:00.000z", "2022-11-22T13:10:00Z"),
        ("2022-11-22T13:10:00-00:00", "2022-11-22T13:10:00Z"),
        ("1900-01-01T00:00:00Z", "1900-01-01T00:00:00Z"),
        // A leap second is the last second of its day in UTC, in any offset.
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
        ("2016-12-31T18:59:60-05:00", "2016-12-31T23:59:59Z"),
        ("2017-01-01T05:44:60+05:45", "2016-12-31T23:59:59Z"),
        // Digits of a second's fraction after the ninth are cut.
        ("2022-11-22T13:10:00.0000000000Z", "2022-11-22T13:10:00Z"),
        (
            "2022-11-22T08:10:00.1234567899-05:00",
            "2022-11-22T13:10:00.123456789Z",
        ),
        (
            "2022-11-22T13:10:00.99999999999999999999Z",
            "2022-11-22T13:10:00.999999999Z",
        ),
    ] {
        let parsed = parse(&with(pointer, text.into())).expect(text);
        let shown = serde_json::to_value(parsed).unwrap();
        assert_eq!(shown.pointer(pointer).unwrap(), normal);
    }
    for text in [
        "",
        "ayer",
        "2022-11-22",
        "2022-11-22T13:10:00",
        "2022-11-22T13:10Z",
        "2022-11-22 13:10:00Z",
        "20221122T131000Z",
        "2022-11-22T13:10:00.Z",
        "2022-11-22T13:10:00,5Z",
        "2022-11-22T13:10:00-05",
        "2022-11-22T13:10:00-0500",
        "2022-11-22T13:10:00+24:00",
        "2022-11-22T13:10:00-05:00[America/Bogota]",
        "2022-02-30T13:10:00Z",
        "2022-11-22T25:10:00Z",
        "+002022-11-22T13:10:00Z",
        "２022-11-22T13:10:00Z",
        "2027-11-22T13:10:60Z",
        "2027-11-22T23:59:60-05:00",
        "2027-11-22T13:10:60.5Z",
        "2027-11-22T23:59:61Z",
        "2027-11-22T13:10:00.0000000000",
        "2027-11-22T13:10:00.00000000x0Z",
    ] {
        assert_eq!(
            faults(&with(pointer, text.into())),
            [format!("{LEG}.fecha_salida: fecha")],
            "{text}"
        );
    }
    for text in [
        "1899-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
    ] {
        assert_eq!(
            faults(&with(pointer, text.into())),
            [format!("{LEG}.fecha_salida: fecha-fuera-de-rango")]
        );
    }
    assert_eq!(
        faults(&with(pointer, json!(1_669_122_600))),
        [format!("{LEG}.fecha_salida: tipo")]
    );
}

#[test]
fn airports_are_known() {
    let pointer = "/itinerarios/0/odos/0/segmentos/0/legs/0/origen";
    for (value, fault) in [
        (json!("BOG"), ": tipo"),
        (json!({}), ".codigo: requerido"),
        (json!({"codigo": 1}), ".codigo: tipo"),
        (json!({"codigo": "bog"}), ".codigo: formato"),
        (json!({"codigo": "BOGO"}), ".codigo: formato"),
        (json!({"codigo": ""}), ".codigo: formato"),
        (json!({"codigo": "ZZZ"}), ".codigo: aeropuerto-desconocido"),
        (json!({"codigo": "TXL"}), ".codigo: aeropuerto-cerrado"),
        (json!({"codigo": "PNH"}), ".codigo: aeropuerto-cerrado"),
        (json!({"codigo": "BOG", "nombre": 1}), ".nombre: tipo"),
        (
            json!({"codigo": "BOG", "nombre": "ñ".repeat(201)}),
            ".nombre: limite",
        ),
    ] {
        assert_eq!(
            faults(&with(pointer, value)),
            [format!("{LEG}.origen{fault}")]
        );
    }
    for codigo in ["ULH", "SPR", "LCR", "WSI", "KTI"] {
        // Some of these airports are too far from New York for the two hours of the sample's leg.
        let mut body = with(pointer, json!({"codigo": codigo}));
        let leg = &mut body["itinerarios"][0]["odos"][0]["segmentos"][0]["legs"][0];
        leg["fecha_llegada"] = "2022-11-23T15:10:00Z".into();
        assert_eq!(faults(&body), [""; 0], "{codigo}");
    }
    for nombre in [json!(null), json!("ñ".repeat(200))] {
        let value = json!({"codigo": "BOG", "nombre": nombre});
        assert_eq!(faults(&with(pointer, value)), [""; 0]);
    }
}

#[test]
fn a_leg_goes_somewhere_and_takes_time() {
    let same_place = leg("BOG", "2022-11-22T13:10:00Z", "BOG", "2022-11-22T15:10:00Z");
    assert_eq!(
        faults(&body(&[vec![same_place]])),
        [format!("{LEG}.destino.codigo: mismo-aeropuerto")]
    );
    for llegada in ["2022-11-22T13:10:00Z", "2022-11-22T14:09:00+01:00"] {
        let no_time = leg("BOG", "2022-11-22T13:10:00Z", "JFK", llegada);
        assert_eq!(
            faults(&body(&[vec![no_time]])),
            [format!("{LEG}.fecha_llegada: llegada-antes-de-salida")]
        );
    }
}

#[test]
fn legs_and_segmentos_connect() {
    let first = || leg("BOG", "2022-11-22T10:00:00Z", "MIA", "2022-11-22T13:00:00Z");
    let next = leg("MIA", "2022-11-22T13:00:00Z", "JFK", "2022-11-22T16:00:00Z");
    let elsewhere = leg("FLL", "2022-11-22T14:00:00Z", "JFK", "2022-11-22T16:00:00Z");
    let too_early = leg("MIA", "2022-11-22T12:59:59Z", "JFK", "2022-11-22T16:00:00Z");
    let both = leg("FLL", "2022-11-22T09:00:00Z", "JFK", "2022-11-22T16:00:00Z");

    let within = "itinerarios[0].odos[0].segmentos[0].legs[1]";
    let across = "itinerarios[0].odos[0].segmentos[1].legs[0]";
    for (second, broken) in [
        (next, vec![]),
        (elsewhere, vec!["origen.codigo: conexion-lugar"]),
        (too_early, vec!["fecha_salida: conexion-tiempo"]),
        (
            both,
            vec![
                "origen.codigo: conexion-lugar",
                "fecha_salida: conexion-tiempo",
            ],
        ),
    ] {
        let at = |place: &str| -> Vec<_> {
            broken
                .iter()
                .map(|fault| format!("{place}.{fault}"))
                .collect()
        };
        assert_eq!(faults(&body(&[vec![first(), second.clone()]])), at(within));
        assert_eq!(faults(&body(&[vec![first()], vec![second]])), at(across));
    }
}

#[test]
fn nothing_connects_to_what_cannot_be_read() {
    let first = leg("BOG", "2022-11-22T10:00:00Z", "MIA", "2022-11-22T13:00:00Z");
    let third = leg("JFK", "2022-11-22T09:00:00Z", "EZE", "2022-11-22T16:00:00Z");
    for (between, fault) in [
        (json!(1), ": tipo"),
        (json!({}), ".legs: requerido"),
        (json!({"legs": []}), ".legs: vacio"),
        (json!({"legs": [null]}), ".legs[0]: tipo"),
    ] {
        let mut body = body(&[vec![first.clone()], vec![], vec![third.clone()]]);
        body["itinerarios"][0]["odos"][0]["segmentos"][1] = between;
        let place = "itinerarios[0].odos[0].segmentos[1]";
        assert_eq!(faults(&body), [format!("{place}{fault}")]);
    }
}

/// An odo of one leg.
fn odo(origen: &str, salida: &str, destino: &str, llegada: &str) -> Value {
    json!({"segmentos": [{"legs": [leg(origen, salida, destino, llegada)]}]})
}

#[test]
fn an_odo_sets_out_when_the_one_before_has_arrived() {
    let out = || odo("BOG", "2027-11-22T10:00:00Z", "MIA", "2027-11-22T13:00:00Z");
    let back = |salida, llegada| odo("MIA", salida, "BOG", llegada);
    let place = |odo| format!("itinerarios[0].odos[{odo}].segmentos[0].legs[0]");
    let early = |odo| format!("{}.fecha_salida: conexion-tiempo", place(odo));
    let again = |odo| format!("{}.fecha_salida: leg-repetido", place(odo));
    for (odos, broken) in [
        (
            json!([out(), back("2027-11-29T10:00:00Z", "2027-11-29T13:00:00Z")]),
            vec![],
        ),
        (
            json!([out(), back("2027-11-22T13:00:00Z", "2027-11-22T16:00:00Z")]),
            vec![],
        ),
        (
            json!([out(), back("2027-11-15T10:00:00Z", "2027-11-15T13:00:00Z")]),
            vec![early(1)],
        ),
        (
            json!([out(), back("2027-11-22T12:59:59Z", "2027-11-22T16:00:00Z")]),
            vec![early(1)],
        ),
        (
            json!([
                out(),
                back("2027-11-22T08:00:00-05:00", "2027-11-22T16:00:00Z"),
                out(),
            ]),
            vec![early(2), again(2)],
        ),
        // The odo after an unreadable odo is not checked against an arrival.
        (
            json!([
                out(),
                1,
                back("2027-11-15T10:00:00Z", "2027-11-15T13:00:00Z")
            ]),
            vec!["itinerarios[0].odos[1]: tipo".to_owned()],
        ),
    ] {
        assert_eq!(
            faults(&json!({"itinerarios": [{"odos": odos}]})),
            broken,
            "{odos}"
        );
    }
}

#[test]
fn odos_need_not_connect_in_place_and_itinerarios_not_at_all() {
    let out = odo("BOG", "2027-11-22T10:00:00Z", "MIA", "2027-11-22T13:00:00Z");
    let elsewhere = odo("JFK", "2027-11-29T10:00:00Z", "EZE", "2027-11-29T19:00:00Z");
    let early = odo("SCL", "2027-01-01T10:00:00Z", "LIM", "2027-01-01T13:00:00Z");
    let itinerarios = json!([{"odos": [out, elsewhere]}, {"odos": [early]}]);
    assert_eq!(faults(&json!({"itinerarios": itinerarios})), [""; 0]);
}

#[test]
fn what_can_be_checked_beside_a_fault_is() {
    let first = leg("BOG", "ayer", "MIA", "2022-11-22T13:00:00Z");
    let unreadable = json!(null);
    let second = leg("FLL", "2022-11-22T09:00:00Z", "ZZZ", "2022-11-22T08:00:00Z");
    let third = leg("JFK", "2022-11-22T07:00:00Z", "JFK", "2022-11-22T16:00:00Z");
    let mut body = body(&[vec![first, second, third.clone()], vec![unreadable, third]]);
    body["saga"] = "orquesta".into();
    body["otro"] = json!(1);
    let leg = |segmento, leg, fault| {
        format!("itinerarios[0].odos[0].segmentos[{segmento}].legs[{leg}]{fault}")
    };
    assert_eq!(
        faults(&body),
        [
            "otro: campo-desconocido".into(),
            leg(0, 0, ".fecha_salida: fecha"),
            leg(0, 1, ".destino.codigo: aeropuerto-desconocido"),
            leg(0, 1, ".fecha_llegada: llegada-antes-de-salida"),
            leg(0, 1, ".origen.codigo: conexion-lugar"),
            leg(0, 1, ".fecha_salida: conexion-tiempo"),
            leg(0, 2, ".destino.codigo: mismo-aeropuerto"),
            leg(0, 2, ".fecha_salida: conexion-tiempo"),
            leg(1, 0, ": tipo"),
            leg(1, 1, ".destino.codigo: mismo-aeropuerto"),
            "saga: opcion".into(),
        ]
    );
}

#[test]
fn a_client_is_named_by_a_token() {
    for (value, regla) in [
        (json!(1), "tipo"),
        (json!(""), "formato"),
        (json!("a b"), "formato"),
        (json!("niño"), "formato"),
        (json!("x".repeat(65)), "formato"),
    ] {
        let mut body = sample();
        body["id_cliente"] = value;
        assert_eq!(faults(&body), [format!("id_cliente: {regla}")]);
    }
    for value in [json!(null), json!("x".repeat(64)), json!("Cliente_1.b-2")] {
        let mut body = sample();
        body["id_cliente"] = value;
        assert_eq!(faults(&body), [""; 0]);
    }
}

#[test]
fn a_price_is_a_decimal_of_its_currency() {
    for (field, value, regla) in [
        ("monto", json!(100), "tipo"),
        ("monto", json!(100.5), "tipo"),
        ("monto", json!("-1"), "formato"),
        ("monto", json!("+1"), "formato"),
        ("monto", json!("1e3"), "formato"),
        ("monto", json!("1,5"), "formato"),
        ("monto", json!("1_000"), "formato"),
        ("monto", json!(".5"), "formato"),
        ("monto", json!("5."), "formato"),
        ("monto", json!(" 5"), "formato"),
        ("monto", json!("1234567890123"), "formato"),
        ("monto", json!("1.00000"), "formato"),
        ("monto", json!("0.00"), "monto-positivo"),
        ("monto", json!("1.001"), "decimales"),
        ("monto_vat", json!("0.0001"), "decimales"),
        ("monto_vat", json!(0), "tipo"),
        ("moneda", json!("usd"), "formato"),
        ("moneda", json!("XXX"), "moneda-desconocida"),
        ("medio", json!("tok visa"), "formato"),
        ("medio", json!("Tok"), "formato"),
        ("medio", json!("x".repeat(65)), "formato"),
    ] {
        assert_eq!(
            faults(&with_pago(field, value.clone())),
            [format!("pago.{field}: {regla}")],
            "{value}"
        );
    }
    let mut body = sample();
    body["pago"] = json!({});
    assert_eq!(faults(&body), ["pago.medio: requerido"]);
    body["pago"] = json!("tok_visa");
    assert_eq!(faults(&body), ["pago: tipo"]);
    for expected in [
        json!({}),
        json!({"monto": "1.25"}),
        json!({"moneda": "USD", "monto_vat": null}),
    ] {
        body["pago"] = expected;
        body["pago"]["medio"] = json!("tok_visa");
        assert_eq!(faults(&body), [""; 0]);
    }
}

#[test]
fn a_price_is_written_with_the_decimals_of_its_currency() {
    for (moneda, given, normal) in [
        ("USD", "100", "100.00"),
        ("USD", "100.5000", "100.50"),
        ("USD", "000999999999", "999999999.00"),
        ("USD", "999999999999.99", "999999999999.99"),
        ("JPY", "100.0", "100"),
        ("KWD", "0.1", "0.100"),
        ("CLF", "0.0001", "0.0001"),
    ] {
        let mut body = with_pago("moneda", Value::from(moneda));
        body["pago"]["monto"] = given.into();
        body["pago"]["monto_vat"] = "0".into();
        let parsed = serde_json::to_value(parse(&body).expect(given)).unwrap();
        assert_eq!(parsed["pago"]["monto"], normal);
    }
    // Without a currency, an amount has as few decimals as it needs.
    let mut body = with_pago("moneda", Value::Null);
    body["pago"]["monto"] = "100.50".into();
    let parsed = serde_json::to_value(parse(&body).unwrap()).unwrap();
    assert_eq!(parsed["pago"]["monto"], "100.5");
}

/// This many itinerarios, each with this many times the sample's odo. Each odo flies on a day of its own.
fn daily(odo: &Value, itinerarios: usize, odos: usize) -> Value {
    let text = odo.to_string();
    let day = |number: usize| {
        let day = format!("2022-{:02}-{:02}", number / 28 + 1, number % 28 + 1);
        serde_json::from_str(&text.replace("2022-11-22", &day)).unwrap()
    };
    let itinerario = |first: usize| -> Value {
        let odos: Vec<Value> = (first..first + odos).map(day).collect();
        json!({"odos": odos})
    };
    (0..itinerarios)
        .map(|number| itinerario(number * odos))
        .collect()
}

#[test]
fn lists_have_limits() {
    let mut body = sample();
    let odo = body["itinerarios"][0]["odos"][0].clone();
    for (itinerarios, odos, fault) in [
        (10, 1, None),
        (11, 1, Some("itinerarios: limite")),
        (5, 10, None),
        (6, 10, Some("itinerarios: limite")),
        (1, 11, Some("itinerarios[0].odos: limite")),
    ] {
        body["itinerarios"] = daily(&odo, itinerarios, odos);
        let found = faults(&body);
        assert_eq!(found, Vec::from_iter(fault), "{itinerarios} of {odos}");
    }
}

#[test]
fn the_opening_event_has_a_limit() {
    let mut body = sample();
    let leg = body
        .pointer_mut("/itinerarios/0/odos/0/segmentos/0/legs/0/origen/nombre")
        .unwrap();
    *leg = json!("😀".repeat(200));
    let odo = body["itinerarios"][0]["odos"][0].clone();
    body["itinerarios"] = daily(&odo, 3, 10);
    assert_eq!(faults(&body), [""; 0]);
    body["itinerarios"] = daily(&odo, 4, 10);
    assert_eq!(faults(&body), ["itinerarios: tamano"]);
    // The names of the passengers count too.
    body["itinerarios"] = daily(&odo, 3, 9);
    assert_eq!(faults(&body), [""; 0]);
    body["pasajeros"] = json!(vec![json!({"nombre": "😀".repeat(200)}); 9]);
    assert_eq!(faults(&body), ["itinerarios: tamano"]);
}

#[test]
fn a_reservation_has_one_to_nine_passengers() {
    for (value, fault) in [
        (json!(2), "pasajeros: tipo"),
        (json!([]), "pasajeros: vacio"),
        (json!(vec![json!({}); 10]), "pasajeros: limite"),
        (json!(["Ana"]), "pasajeros[0]: tipo"),
        (json!([{}, {"nombre": 1}]), "pasajeros[1].nombre: tipo"),
        (json!([{"nombre": " "}]), "pasajeros[0].nombre: vacio"),
        (
            json!([{"nombre": "ñ".repeat(201)}]),
            "pasajeros[0].nombre: limite",
        ),
        (json!([{"edad": 7}]), "pasajeros[0].edad: campo-desconocido"),
    ] {
        let mut body = sample();
        body["pasajeros"] = value;
        assert_eq!(faults(&body), [fault]);
    }
    for (value, read) in [
        (json!(null), json!(null)),
        (json!([{}]), json!(null)),
        (json!([{"nombre": null}]), json!(null)),
        (json!([{"nombre": "Ana"}]), json!([{"nombre": "Ana"}])),
        (json!(vec![json!({}); 9]), json!(vec![json!({}); 9])),
    ] {
        let mut body = sample();
        body["pasajeros"] = value;
        let parsed = serde_json::to_value(parse(&body).unwrap()).unwrap();
        assert_eq!(parsed.get("pasajeros").unwrap_or(&Value::Null), &read);
    }
}

#[test]
fn no_more_than_a_hundred_faults_are_told() {
    let mut body = sample();
    let fields = body.as_object_mut().unwrap();
    fields.extend((0..500).map(|number| (format!("campo{number}"), json!(1))));
    assert_eq!(faults(&body).len(), parse::MAX_VIOLATIONS);
}
