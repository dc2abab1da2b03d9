//! Tests of quotes, of prices, and of the ids that follow from keys.

use std::{sync::Arc, time::Duration};

use alpes_ports::Tables;
use http_testing::{SAMPLE, post, sample, with_header};
use lambda_http::Request;
use serde_json::{Value, json};
use simulation::Faults;

use crate::support::{Fixture, RESERVA, fixture};

const COTIZACION: &str = "/vuelos/cotizacion";
const QUARTER: Duration = Duration::from_mins(15);

fn by(name: &str, request: Request) -> Request {
    with_header(request, "X-Cliente", name)
}

/// The quote of this body for this client.
fn quote(fixture: &Fixture, client: &str, body: &Value) -> Value {
    let request = by(client, post(COTIZACION, body.to_string()));
    fixture.answer(&request).ok()
}

/// The sample with this quote.
fn quoted(cotizacion: &Value) -> Value {
    let mut body = sample();
    body["cotizacion"] = cotizacion.clone();
    body
}

fn book(fixture: &Fixture, client: &str, key: &str, body: &Value) -> http_testing::Answer {
    let request = with_header(post(RESERVA, body.to_string()), "Idempotency-Key", key);
    fixture.answer(&by(client, request))
}

#[test]
fn a_quote_tells_the_price_that_the_reservation_has() {
    let fixture = fixture();
    let told = quote(&fixture, "ana", &sample());
    assert_eq!(
        (&told["monto"], &told["monto_vat"], &told["moneda"]),
        (&json!("479.56"), &json!("91.12"), &json!("USD"))
    );
    fixture.assert_nothing_happened("a quote");
    // It can be used again and again.
    for key in ["clave-1", "clave-2"] {
        book(&fixture, "ana", key, &quoted(&told["cotizacion"])).accepted();
    }
    for event in fixture.logged() {
        assert_eq!(event["data"]["pago"]["monto"], "479.56");
        assert_eq!(event["actor"], "cliente:ana");
    }
}

#[test]
fn a_quote_of_another_caller_of_another_journey_or_of_nobody_is_refused() {
    let fixture = fixture();
    let told = quote(&fixture, "ana", &sample());
    let mut two = quoted(&told["cotizacion"]);
    two["pasajeros"] = json!([{}, {}]);
    let token = told["cotizacion"].as_str().unwrap();
    let forged = token.replacen(|letter| letter != 'a', "a", 1);
    let before = fixture.stored().len();
    for (client, body) in [
        ("luis", quoted(&told["cotizacion"])),
        ("ana", two),
        ("ana", quoted(&forged.into())),
        ("ana", quoted(&"abc".into())),
    ] {
        let refused = book(&fixture, client, "clave-1", &body);
        refused.assert_problem(422, "cotizacion-no-vale", client);
        assert_eq!(refused.errores(), ["cotizacion: cotizacion"]);
    }
    assert_eq!(fixture.stored().len(), before);
}

/// The end of a quote is checked behind the receipt.
#[test]
fn an_honest_repetition_is_answered_as_before_after_the_quote_has_ended() {
    let fixture = fixture();
    let body = quoted(&quote(&fixture, "ana", &sample())["cotizacion"]);
    let first = book(&fixture, "ana", "clave-1", &body);
    assert_eq!(first.status, 202);
    fixture.clock.advance(QUARTER);
    let again = book(&fixture, "ana", "clave-1", &body);
    assert_eq!(again.status, 202);
    assert_eq!(again.text, first.text);
    let other = book(&fixture, "ana", "clave-2", &body);
    other.assert_problem(422, "cotizacion-no-vale", "over");
    assert_eq!(other.errores(), ["cotizacion: cotizacion-vencida"]);
    assert_eq!(fixture.logged().len(), 1);
}

/// One cent was approved where the fare is 479.56, and so were one VND and 999,999,999,999.99 USD.
#[test]
fn a_client_sets_no_price() {
    let fixture = fixture();
    for pago in [
        json!({"monto": "0.01", "monto_vat": "0", "moneda": "USD"}),
        json!({"monto": "1", "monto_vat": "0", "moneda": "VND"}),
        json!({"monto": "999999999999.99", "monto_vat": "0", "moneda": "USD"}),
    ] {
        let mut body = sample();
        body["pago"] = pago;
        body["pago"]["medio"] = json!("tok_visa");
        let refused = fixture.post(RESERVA, body.to_string());
        refused.assert_problem(422, "precio-distinto", "a price");
        let told = &refused.body["errores"][0];
        assert_eq!(
            (&told["campo"], &told["regla"]),
            (&json!("pago.monto"), &json!("precio"))
        );
        assert_eq!(told["detalle"], "Debe faltar o ser 479.56");
    }
    assert_eq!(fixture.logged().len(), 0);
}

/// A key was the key of every client: its reservation's id was computed from the key alone, and a second client with
/// the same key met the first one's reservation.
#[test]
fn a_key_belongs_to_its_caller_and_tells_no_id() {
    let fixture = fixture();
    let ids: Vec<_> = ["ana", "luis"]
        .map(|client| book(&fixture, client, "pedido-1001", &sample()).accepted())
        .map(|told| told["id_reserva"].as_str().unwrap().to_owned())
        .into();
    assert_ne!(ids[0], ids[1]);
    let again = book(&fixture, "ana", "pedido-1001", &sample()).accepted();
    assert_eq!(again["id_reserva"], ids[0].as_str());
    let nobody = fixture
        .post_with_key(RESERVA, "pedido-1001", SAMPLE)
        .accepted();
    assert!(!ids.contains(&nobody["id_reserva"].as_str().unwrap().to_owned()));
    // Another installation has another secret, so it gives another id.
    let elsewhere = self::fixture();
    elsewhere.world.ids.fresh();
    let other = book(&elsewhere, "ana", "pedido-1001", &sample()).accepted();
    assert_ne!(other["id_reserva"], ids[0].as_str());
}

/// Keys and quotes cost one call: the first request of a process that needs the secret reads it.
#[test]
fn a_process_reads_the_secret_once() {
    let calls = Faults::none();
    let fixture = fixture();
    let quoted = quoted(&fixture.post(COTIZACION, SAMPLE).ok()["cotizacion"]).to_string();
    let tables: Arc<dyn Tables> = Arc::new(calls.tables(fixture.tables.clone()));
    let other_process = fixture.with_tables(tables);
    let count = |key: Option<&str>, body: &str| {
        let before = calls.count();
        let answer = match key {
            Some(key) => other_process.post_with_key(RESERVA, key, body),
            None => other_process.post(RESERVA, body),
        };
        assert_eq!(answer.status, 202, "{}", answer.text);
        calls.count() - before
    };
    let plain = count(None, SAMPLE);
    assert_eq!(count(Some("clave-1"), SAMPLE), plain + 1);
    assert_eq!(count(Some("clave-2"), SAMPLE), plain);
    assert_eq!(count(Some("clave-3"), &quoted), plain);
}
