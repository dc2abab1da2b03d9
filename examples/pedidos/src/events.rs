//! The events of the shop. The contexts know one another only by these events.

use alpes_messages::{Context, DecodeError, undecodable};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::events;

macro_rules! context {
    ($name:literal) => {
        Context {
            name: $name,
            category: $name,
            participant: $name,
            source: concat!("/shop/", $name),
            schemas: concat!("urn:shop:schema:", $name),
        }
        .checked()
    };
}

pub const ORDERS: Context = context!("orders");
pub const STOCK: Context = context!("stock");
pub const PAYMENTS: Context = context!("payments");
pub const SHIPPING: Context = context!("shipping");

alpes_messages::catalogue! {
    /// The data of an event, in its newest version.
    pub enum ShopEvent;
    ORDERS: events { OrderPlaced [one_product], OrderCancelled [] }
    STOCK: events { StockReserved [], StockShort [], StockReleased [] }
    PAYMENTS: events { PaymentTaken [], PaymentDeclined [], PaymentRefunded [] }
    SHIPPING: events { OrderShipped [], ShippingRefused [], ShipmentRecalled [] }
}

/// Converts version 1 of `OrderPlaced`, which had one product and no country. Stored events are never rewritten.
fn one_product(old: &Value) -> Result<Value, DecodeError> {
    let missing = |name: &str| undecodable(format!("{name} is missing"));
    let field = |name: &str| old.get(name).ok_or_else(|| missing(name));
    Ok(json!({
        "lines": [{ "product": field("product")?, "units": field("units")? }],
        "total": field("total")?,
        "card": field("card")?,
        "country": "CO",
    }))
}

/// A product with the number of its units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    pub product: String,
    pub units: u32,
}

/// The order is placed at the shop's prices. `total` is in cents, and `card` is a token of the payment provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderPlaced {
    pub lines: Vec<Line>,
    pub total: u64,
    pub card: String,
    pub country: String,
}

/// The order is cancelled by its customer or its saga.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderCancelled {
    pub reason: String,
}

/// All lines (products) of the order are reserved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StockReserved {
    pub lines: Vec<Line>,
}

/// No line is reserved, because these lines have too few units in stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StockShort {
    pub lines: Vec<Line>,
}

/// The units of these lines are back on the shelves; `lines` is empty if none was reserved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StockReleased {
    pub lines: Vec<Line>,
}

/// The order is paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentTaken {
    pub amount: u64,
}

/// The card is declined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentDeclined {}

/// The charge is refunded, or, if it was not made, can no longer be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentRefunded {}

/// The shipment of the order has left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderShipped {}

/// The shop does not ship to the order's country.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShippingRefused {}

/// The shipment is recalled. If it has not left yet, it never will.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShipmentRecalled {}
