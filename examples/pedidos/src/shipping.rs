//! Shipping: an order leaves, or is called back.

use alpes_event_store::Decision;
use serde::Deserialize;

use crate::events::{OrderShipped, ShipmentRecalled, ShippingRefused};

/// Where the shop ships to.
pub const COUNTRIES: [&str; 3] = ["CO", "EC", "PE"];

/// `ShipOrder`.
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
