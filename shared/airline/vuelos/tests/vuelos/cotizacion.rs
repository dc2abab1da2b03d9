//! Quotes and prices.

use std::sync::Arc;

use alpes_event_store::Secret;
use alpes_messages::{Moment, Problem};
use events::{kinds, vuelos::Precio};
use futures::executor::block_on;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};
use twins::{MemoryTables, world};
use vuelos::{
    cotizacion::{Cotizacion, MAX_COTIZACION, VALIDITY},
    crear_reserva::Viaje,
};

use crate::escenario::sample;

const ANA: &str = "cliente:ana";

fn secret() -> Secret {
    let (world, _) = world(1);
    Secret::new(Arc::new(MemoryTables::new()), world)
}

fn viaje(body: &Value) -> Viaje {
    Viaje::parse(body).unwrap()
}

fn noon() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

/// The token of a quote of this body for this caller.
fn token(secret: &Secret, body: &Value, caller: &str, now: Timestamp) -> String {
    let viaje = viaje(body);
    let quote = Cotizacion::of(&viaje.itinerarios, viaje.passengers(), caller, now);
    quote.token(&block_on(secret.signer(&["cotizacion", &quote.key_id()])).unwrap())
}

/// The token of a quote whose price is lower than that of the fares.
pub fn cheaper(body: &Value, now: Moment) -> String {
    let viaje = viaje(body);
    let mut quote = Cotizacion::of(&viaje.itinerarios, viaje.passengers(), ANA, now.timestamp());
    let price = json!({"monto": "1.00", "monto_vat": "0.19", "moneda": "USD"});
    quote.precio = serde_json::from_value(price).unwrap();
    quote.token(&block_on(secret().signer(&["cotizacion"])).unwrap())
}

fn check(secret: &Secret, token: &str, caller: &str) -> Option<Result<(), Problem>> {
    let token = Cotizacion::read(token)?;
    let key = block_on(secret.signer(&["cotizacion", &token.cotizacion.key_id()])).unwrap();
    Some(token.check(caller, &key))
}

fn price_of(token: &str, body: &Value, now: Timestamp) -> Result<Precio, Vec<String>> {
    let viaje = viaje(body);
    let quote = Cotizacion::read(token).unwrap().cotizacion;
    let price = quote.price_of(&viaje.itinerarios, viaje.passengers(), now);
    price.map_err(|problem| {
        assert!(problem.is(kinds::QUOTE));
        problem
            .errores
            .into_iter()
            .map(|one| one.regla.into_owned())
            .collect()
    })
}

#[test]
fn a_quote_holds_its_price_for_a_quarter_of_an_hour() {
    let (secret, body) = (secret(), sample());
    let token = token(&secret, &body, ANA, noon());
    assert!(token.len() <= MAX_COTIZACION);
    assert!(!token.contains(|letter: char| letter.is_ascii_digit()));
    let longest = "x".repeat(events::MAX_ACTOR);
    assert!(self::token(&secret, &body, &longest, noon()).len() <= MAX_COTIZACION);
    assert_eq!(check(&secret, &token, ANA), Some(Ok(())));
    let last = noon() + VALIDITY - jiff::SignedDuration::from_millis(1);
    for now in [noon(), last] {
        let price = price_of(&token, &body, now).unwrap();
        assert_eq!(
            json!(price),
            json!({"monto": "479.56", "monto_vat": "91.12", "moneda": "USD"})
        );
    }
    let over = price_of(&token, &body, noon() + VALIDITY).unwrap_err();
    assert_eq!(over, ["cotizacion-vencida"]);
}

#[test]
fn a_quote_is_of_one_journey_and_one_number_of_passengers() {
    let (secret, body) = (secret(), sample());
    let token = token(&secret, &body, ANA, noon());
    let mut named = body.clone();
    named["pasajeros"] = json!([{"nombre": "Ana"}]);
    let leg = "/itinerarios/0/odos/0/segmentos/0/legs/0";
    named.pointer_mut(leg).unwrap()["origen"]["nombre"] = json!("El Dorado");
    assert!(
        price_of(&token, &named, noon()).is_ok(),
        "names change no price"
    );

    let mut two = body.clone();
    two["pasajeros"] = json!([{}, {}]);
    let mut later = body.clone();
    later.pointer_mut(leg).unwrap()["fecha_salida"] = json!("2022-11-22T13:01:00Z");
    for other in [two, later] {
        assert_eq!(
            price_of(&token, &other, noon()).unwrap_err(),
            ["cotizacion"]
        );
    }
}

#[test]
fn a_quote_is_for_one_caller_of_one_installation() {
    let (ours, body) = (secret(), sample());
    let token = token(&ours, &body, ANA, noon());
    for other in ["cliente:luis", "operador:ana", ""] {
        assert!(check(&ours, &token, other).unwrap().is_err(), "{other}");
    }
    let (world, _) = world(2);
    world.ids.fresh();
    let theirs = Secret::new(Arc::new(MemoryTables::new()), world);
    assert!(check(&theirs, &token, ANA).unwrap().is_err());
}

/// A quote issued just before midnight is valid after it, with the key of the day before.
#[test]
fn the_key_of_a_quote_is_that_of_the_day_of_its_issue() {
    let (secret, body) = (secret(), sample());
    let midnight: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
    let before = midnight - jiff::SignedDuration::from_secs(1);
    let viaje = viaje(&body);
    let key_id = |now| Cotizacion::of(&viaje.itinerarios, 1, ANA, now).key_id();
    assert_ne!(key_id(before), key_id(midnight));
    assert_eq!(
        key_id(midnight),
        key_id(midnight + jiff::SignedDuration::from_hours(23))
    );
    let token = token(&secret, &body, ANA, before);
    assert_eq!(check(&secret, &token, ANA), Some(Ok(())));
    assert!(
        price_of(
            &token,
            &body,
            midnight + jiff::SignedDuration::from_mins(14)
        )
        .is_ok()
    );
}

proptest! {
    #[test]
    fn no_changed_token_is_accepted(place in 0_usize..800, letter in "[a-p-]") {
        let secret = secret();
        let token = token(&secret, &sample(), ANA, noon());
        let place = place % token.len();
        let mut changed = token.clone();
        changed.replace_range(place..=place, &letter);
        if changed != token {
            let accepted = matches!(check(&secret, &changed, ANA), Some(Ok(())));
            prop_assert!(!accepted, "{changed}");
        }
    }

    #[test]
    fn any_text_can_be_read(text in ".{0,80}") {
        prop_assert!(Cotizacion::read(&text).is_none());
    }
}
