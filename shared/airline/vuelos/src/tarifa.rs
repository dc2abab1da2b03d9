//! The price of a journey.
//!
//! ```text
//! monto     = passengers x sum over all legs of (40.00 + 0.11 x km)     km: great-circle distance of the leg, in whole km
//! monto_vat = 19 % of monto, to the cent, half a cent up
//! moneda    = USD
//! ```
//!
//! The distance is rounded to whole km before the fare is computed, because platforms differ in the last bit of a sine,
//! and fares must not differ.

use events::vuelos::{Itinerario, Leg, Monto, Precio, legs};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::aeropuertos;

/// The currency of a computed fare.
pub const MONEDA: &str = "USD";
/// The payment token of a reservation whose client names none.
pub const MEDIO: &str = "tok_visa";

/// The price of a journey for this number of passengers. A leg from or to an unknown airport costs only the fixed part.
#[must_use]
pub fn price(itinerarios: &[Itinerario], passengers: usize) -> Precio {
    let legs = legs(itinerarios);
    let fixed = Decimal::new(40_00, 2);
    let rate = Decimal::new(11, 2);
    let vat = Decimal::new(19, 2);
    let each: Decimal = legs.map(|leg| fixed + rate * whole_km(leg)).sum();
    let monto = each * Decimal::from(passengers);
    Precio {
        monto: Monto(cents(monto)),
        monto_vat: Monto(cents(monto * vat)),
        moneda: MONEDA.into(),
    }
}

fn whole_km(leg: &Leg) -> Decimal {
    let from = aeropuertos::locate(&leg.origen.codigo);
    let to = aeropuertos::locate(&leg.destino.codigo);
    let km = from
        .zip(to)
        .map_or(0.0, |(from, to)| aeropuertos::distance(from, to));
    Decimal::try_from(km.round()).unwrap_or_default()
}

/// The amount with exactly two decimals.
fn cents(amount: Decimal) -> Decimal {
    let mut cents = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    cents.rescale(2);
    cents
}
