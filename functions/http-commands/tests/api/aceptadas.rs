//! Tests of requests that make a reservation, and of their repetitions.

use http_testing::{
    SAMPLE, ask, post, read, sample, with_header, with_other_header, without_header,
};
use lambda_http::Request;
use serde_json::{Value, json};

use crate::support::{RESERVA, fixture};

#[test]
fn an_accepted_request_is_committed_and_logged() {
    let fixture = fixture();
    let answer = fixture.post(RESERVA, SAMPLE);

    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let id = answer.body["id_reserva"].as_str().unwrap();
    let correlation = answer.body["id_correlacion"].as_str().unwrap();
    assert_eq!(
        answer.body,
        json!({"id_reserva": id, "id_correlacion": correlation, "estado": "Pendiente"})
    );
    assert_eq!(correlation, id, "one id for both");
    assert_eq!(answer.header("Location"), Some(&*format!("reserva/{id}")));
    assert_eq!(answer.header("X-Correlacion"), Some(correlation));

    let logged = fixture.logged();
    let [event] = logged.as_slice() else {
        panic!("one event: {logged:?}");
    };
    assert_eq!(event["type"], "ReservaCreada");
    assert_eq!(event["subject"], id);
    assert_eq!(event["stream"], format!("reserva-{id}"));
    assert_eq!(event["streamversion"], 1);
    assert_eq!(event["correlationid"], correlation);
    assert_eq!(event["sagamode"], "orquestacion");
    assert_eq!(event["data"]["itinerarios"], sample()["itinerarios"]);
    assert_eq!(event["data"]["pago"]["medio"], "tok_visa");

    let stored = fixture.stored();
    let [item] = stored.as_slice() else {
        panic!("one stream: {stored:?}");
    };
    let text: Value = serde_json::from_str(item["events"][0].as_str().unwrap()).unwrap();
    assert_eq!(text, *event);
    assert_eq!(item["published"], 1);
    assert_eq!(item.get("gsi1pk"), None, "nothing waits for the sweeper");
    let record = &fixture.log.records()[0];
    assert_eq!(record.partition_key, id);
}

#[test]
fn what_the_client_adds_is_taken_over() {
    let fixture = fixture();
    let mut body = sample();
    body["id_cliente"] = "cliente-42".into();
    body["pago"] = json!({"medio": "tok_rechazada"});
    body["saga"] = "coreografia".into();
    assert_eq!(fixture.post(RESERVA, body.to_string()).status, 202);
    let event = &fixture.logged()[0];
    assert_eq!(event["sagamode"], "coreografia");
    assert_eq!(event["data"]["id_cliente"], "cliente-42");
    assert_eq!(
        event["data"]["pago"],
        json!({"monto": "479.56", "monto_vat": "91.12", "moneda": "USD", "medio": "tok_rechazada"})
    );
}

/// The body of a request for a reservation with one flight.
fn flight(origen: &str, destino: &str, salida: &str, llegada: &str) -> String {
    let leg = json!({
        "fecha_salida": salida,
        "fecha_llegada": llegada,
        "origen": {"codigo": origen},
        "destino": {"codigo": destino},
    });
    json!({"itinerarios": [{"odos": [{"segmentos": [{"legs": [leg]}]}]}]}).to_string()
}

#[test]
fn the_fare_is_that_of_where_the_airports_are() {
    // For Antwerp, Brussels and Navi Mumbai, one source of airport data has degrees, minutes and seconds that were read
    // as decimals. The fares need the right positions.
    for (origen, destino, monto) in [("ANR", "BRU", "43.52"), ("NMI", "BOM", "42.64")] {
        let (salida, llegada) = ("2027-11-22T13:10:00Z", "2027-11-22T15:10:00Z");
        let fixture = fixture();
        fixture
            .post(RESERVA, flight(origen, destino, salida, llegada))
            .accepted();
        let pago = &fixture.logged()[0]["data"]["pago"];
        assert_eq!(pago["monto"], monto, "{origen}-{destino}");
    }
}

#[test]
fn airports_that_have_flights_sell_them() {
    for codigo in ["ULH", "SPR", "LCR"] {
        let (salida, llegada) = ("2027-11-22T13:10:00Z", "2027-11-23T08:10:00Z");
        let answer = fixture().post(RESERVA, flight(codigo, "JFK", salida, llegada));
        assert_eq!(answer.status, 202, "{codigo}: {}", answer.text);
    }
}

#[test]
fn every_date_of_rfc_3339_is_taken() {
    for (given, stored) in [
        ("2027-11-22T13:10:00.0000000000Z", "2027-11-22T13:10:00Z"),
        (
            "2027-11-22T13:10:00.1234567899Z",
            "2027-11-22T13:10:00.123456789Z",
        ),
        ("2027-11-21T23:59:60Z", "2027-11-21T23:59:59Z"),
        ("2027-11-21T18:59:60-05:00", "2027-11-21T23:59:59Z"),
    ] {
        let fixture = fixture();
        let answer = fixture.post(RESERVA, flight("BOG", "JFK", given, "2027-11-22T15:10:00Z"));
        assert_eq!(answer.status, 202, "{given}: {}", answer.text);
        let leg = "/data/itinerarios/0/odos/0/segmentos/0/legs/0/fecha_salida";
        assert_eq!(fixture.logged()[0].pointer(leg).unwrap(), stored, "{given}");
    }
}

#[test]
fn json_in_utf_8_is_the_only_content_type() {
    for (media, status) in [
        ("application/json", 202),
        ("Application/JSON; charset=utf-8", 202),
        ("application/json;charset=\"UTF-8\"", 202),
        ("application/json; charset=iso-8859-1", 415),
        ("application/json; charset=", 415),
        ("application/json; charset=\"utf-8", 415),
        ("application/json; version=1", 415),
        ("application/json; charset=utf-8; charset=utf-8", 415),
        ("application/json;", 415),
        ("application/vnd.aeroalpes+json", 415),
        ("text/json", 415),
        ("", 415),
    ] {
        let fixture = fixture();
        let request = with_other_header(post(RESERVA, SAMPLE), "Content-Type", media);
        let answer = fixture.answer(&request);
        assert_eq!(answer.status, status, "{media}");
        if status == 415 {
            answer.assert_problem(415, "tipo-de-contenido", media);
            fixture.assert_nothing_happened(media);
        }
    }
    let absent = without_header(post(RESERVA, SAMPLE), "Content-Type");
    let answer = fixture().answer(&absent);
    answer.assert_problem(415, "tipo-de-contenido", "a body without Content-Type");
    let bytes = SAMPLE.as_bytes();
    assert_eq!(fixture().post(RESERVA, bytes).status, 202, "bytes");
}

#[test]
fn requests_without_a_key_are_as_many_reservations() {
    let fixture = fixture();
    let ids = [(); 2].map(|()| fixture.post(RESERVA, SAMPLE).body["id_reserva"].clone());
    assert_ne!(ids[0], ids[1]);
    assert_eq!(fixture.logged().len(), 2);
}

#[test]
fn a_repetition_has_the_same_answer_and_no_second_effect() {
    let fixture = fixture();
    let first = fixture.post_with_key(RESERVA, "clave-1", SAMPLE);
    assert_eq!(first.status, 202);

    // This body is the same JSON value in another notation.
    let keys_reversed = |value: &Value| -> String {
        fn write(value: &Value) -> String {
            match value {
                Value::Object(object) => {
                    let entries = object.iter().rev();
                    let entries =
                        entries.map(|(key, value)| format!(" {key:?} : {}", write(value)));
                    format!("{{{}}}", entries.collect::<Vec<_>>().join(",\n"))
                }
                Value::Array(list) => {
                    let items: Vec<_> = list.iter().map(write).collect();
                    format!("[ {} ]", items.join(" , "))
                }
                other => other.to_string(),
            }
        }
        write(value)
    };
    let mut with_nulls = sample();
    with_nulls["id_cliente"] = Value::Null;
    let other_zone = SAMPLE.replace("2022-11-22T13:10:00Z", "2022-11-22T08:10:00.000-05:00");
    assert_ne!(other_zone, SAMPLE);
    for body in [
        SAMPLE.to_owned(),
        sample().to_string(),
        keys_reversed(&sample()),
        with_nulls.to_string(),
        other_zone,
    ] {
        let again = fixture.post_with_key(RESERVA, "clave-1", body);
        assert_eq!(again.status, 202, "{}", again.text);
        assert_eq!(again.text, first.text);
        assert_eq!(again.headers, first.headers);
    }
    assert_eq!(fixture.logged().len(), 1);
    assert_eq!(fixture.stored().len(), 1);

    let other = fixture.post_with_key(RESERVA, "clave-2", SAMPLE);
    assert_ne!(other.body["id_reserva"], first.body["id_reserva"]);
    assert_eq!(fixture.logged().len(), 2);
}

#[test]
fn a_key_with_another_body_is_refused() {
    let fixture = fixture();
    let first = fixture.post_with_key(RESERVA, "clave-1", SAMPLE);
    let mut body = sample();
    body["id_cliente"] = "otro".into();
    let second = fixture.post_with_key(RESERVA, "clave-1", body.to_string());
    second.assert_problem(422, "clave-de-idempotencia-reutilizada", "another body");
    assert_eq!(fixture.logged().len(), 1);
    assert_eq!(
        fixture.post_with_key(RESERVA, "clave-1", SAMPLE).text,
        first.text
    );
}

/// A client may repeat a request with its key after a deployment, and the key must still lead to the same reservation.
/// The secret of a test never changes.
#[test]
fn the_reservation_of_a_key_never_changes() {
    let answer = fixture().post_with_key(RESERVA, "clave-1", SAMPLE);
    assert_eq!(
        answer.body["id_reserva"],
        "dbdfbfba-60f1-5091-acf6-2c131650e69e"
    );
}

#[test]
fn keys_are_taken_up_to_their_limits() {
    for key in ["k", "una clave con espacios ~!", &"k".repeat(255)] {
        assert_eq!(
            fixture().post_with_key(RESERVA, key, SAMPLE).status,
            202,
            "{key}"
        );
    }
}

/// A request with two keys is refused, in both forms of API Gateway. A REST API lists all values of a header, and keeps
/// the client's spelling of its name. An HTTP API joins the values with commas.
#[test]
fn a_key_that_comes_twice_is_refused() {
    let once = with_header(post(RESERVA, SAMPLE), "Idempotency-Key", "a");
    let of_rest = [
        with_header(once, "Idempotency-Key", "b"),
        with_header(
            with_header(post(RESERVA, SAMPLE), "Idempotency-Key", "a"),
            "idempotency-key",
            "b",
        ),
    ];
    let of_http = include_str!("../../events/crear_reserva_con_clave_v2.json");
    let twice = of_http.replace("3b6f8a52-reserva-1", "a,b");
    assert_ne!(of_http, twice);
    for request in of_rest.into_iter().chain([read(&twice).unwrap()]) {
        let fixture = fixture();
        let answer = fixture.answer(&request);
        answer.assert_problem(400, "solicitud-invalida", "twice");
        assert_eq!(answer.errores(), ["Idempotency-Key: formato"]);
        fixture.assert_nothing_happened("twice");
    }
    assert_eq!(fixture().answer(&read(of_http).unwrap()).status, 202);
}

/// The sample event of API Gateway, with a second value added to a header.
fn sample_with(name: &str, value: &str) -> Request {
    let event = include_str!("../../events/crear_reserva_con_clave.json");
    let mut event: Value = serde_json::from_str(event).unwrap();
    event["headers"][name] = value.into();
    let all = event["multiValueHeaders"][name].as_array_mut().unwrap();
    all.push(value.into());
    read(&event.to_string()).unwrap()
}

#[test]
fn headers_that_come_twice_are_not_taken_under_the_last() {
    let fixture = fixture();
    let answer = fixture.answer(&sample_with("Idempotency-Key", "b"));
    answer.assert_problem(400, "solicitud-invalida", "key");
    assert_eq!(answer.errores(), ["Idempotency-Key: formato"]);
    let answer = fixture.answer(&sample_with("Content-Type", "application/json"));
    answer.assert_problem(415, "tipo-de-contenido", "media");
    fixture.assert_nothing_happened("twice");
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = fixture.answer(&sample_with("traceparent", other));
    assert_eq!(answer.status, 202, "{}", answer.text);
    assert_eq!(fixture.logged()[0].get("traceparent"), None);
}

#[test]
fn the_trace_of_the_caller_goes_with_the_event() {
    let ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
    let ours = |flags: &str| Some(format!("00-{ids}-{flags}"));
    for (traceparent, expected) in [
        (format!("00-{ids}-01"), ours("01")),
        (format!("00-{ids}-00"), ours("00")),
        (format!("00-{ids}-zz"), None),
        (format!("00-{ids}-1"), None),
        (format!("00-{ids}-01-x"), None),
        (format!("00-{ids}-01-"), None),
        (format!("00-{ids}-01").to_uppercase(), None),
        (format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)), None),
        // A `traceparent` of a later version is read in the form of version 00, and passed on as version 00. Only its
        // flag "sampled" is kept.
        (format!("01-{ids}-01"), ours("01")),
        (format!("01-{ids}-00"), ours("00")),
        (format!("cc-{ids}-03"), ours("01")),
        (format!("fe-{ids}-fe"), ours("00")),
        (format!("01-{ids}-01-"), ours("01")),
        (
            format!("01-{ids}-01-what-the-future-will-be-like"),
            ours("01"),
        ),
        (format!("01-{ids}-01x"), None),
        (format!("01-{ids}-01.x"), None),
        (format!("01-{ids}-1"), None),
        (format!("01-{ids}"), None),
        (format!("01-{}-00f067aa0ba902b7-01", "0".repeat(32)), None),
        (format!("ff-{ids}-01"), None),
        (format!("0g-{ids}-01"), None),
        (format!("1-{ids}-01"), None),
        (format!("AA-{ids}-01"), None),
        ("hola".to_owned(), None),
        (String::new(), None),
    ] {
        let fixture = fixture();
        let request = with_header(post(RESERVA, SAMPLE), "traceparent", &traceparent);
        let answer = fixture.answer(&request);
        assert_eq!(answer.status, 202, "{traceparent}");
        let event = &fixture.logged()[0];
        let expected = expected.map(Value::from);
        assert_eq!(event.get("traceparent"), expected.as_ref(), "{traceparent}");
    }
    // If a request has two traces, neither is used.
    let fixture = fixture();
    let trace = format!("00-{ids}-01");
    let once = with_header(post(RESERVA, SAMPLE), "traceparent", &trace);
    fixture
        .answer(&with_header(once, "traceparent", &trace))
        .accepted();
    assert_eq!(fixture.logged()[0].get("traceparent"), None);
}

#[test]
fn other_methods_and_paths_are_not_there() {
    let fixture = fixture();
    for (path, allow) in [
        (RESERVA, "GET, HEAD, OPTIONS, POST"),
        ("/vuelos/reserva/x/cancelacion", "OPTIONS, POST"),
        ("/sagas/x/reanudacion", "OPTIONS, POST"),
    ] {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
            let answer = fixture.answer(&ask(method, path));
            answer.assert_problem(405, "metodo-no-permitido", path);
            assert_eq!(answer.header("Allow"), Some(allow), "{method} {path}");
        }
    }
    for path in [
        "/",
        "/vuelos",
        "/VUELOS/reserva",
        "/vuelos/reserva/../reserva",
        "/vuelos/reserva/x/cancelacion/",
        "/vuelos/reserva/x/aprobacion",
        "/sagas/x/y",
    ] {
        let answer = fixture.post(path, SAMPLE);
        answer.assert_problem(404, "no-existe", path);
    }
    // Other functions answer these paths, so this function answers 405.
    for path in ["/vuelos/reserva/x", "/sagas", "/sagas/x"] {
        let answer = fixture.post(path, SAMPLE);
        answer.assert_problem(405, "metodo-no-permitido", path);
        assert_eq!(answer.header("Allow"), Some("GET, HEAD, OPTIONS"));
    }
    fixture
        .post("/pruebas/fallas", "{}")
        .assert_problem(404, "no-existe", "of tests");
    fixture.assert_nothing_happened("other methods and paths");
}
