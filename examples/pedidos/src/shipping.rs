//! Shipping: a shipment leaves, or is recalled.

use alpes_event_store::Decision;
use serde::Deserialize;

use crate::events::{OrderShipped, ShipmentRecalled, ShippingRefused};

/// The countries to which the shop ships.
pub const COUNTRIES: [&str; 3] = ["CO", "EC", "PE"];

/// The data of `ShipOrder`.
#[derive(Deserialize)]
pub struct ShipOrder {
    country: String,
}

pub(crate) fn ship(ShipOrder { country }: ShipOrder) -> Decision {
    let event = if COUNTRIES.contains(&&*country) {
        OrderShipped {}.into()
    } else {
        ShippingRefused {}.into()
    };
    Decision::commit(vec![event])
}

pub(crate) fn recall() -> Decision {
    Decision::commit(vec![ShipmentRecalled {}.into()])
}
