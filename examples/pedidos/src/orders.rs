//! Orders: the products that a customer can order, and their prices.

use std::collections::BTreeSet;

use alpes_event_store::Decision;
use alpes_messages::Problem;
use serde::Deserialize;

use crate::{
    events::{Line, OrderCancelled, OrderPlaced},
    rules::invalid,
};

/// The products of the shop, with the price of a unit in cents.
pub const PRICES: [(&str, u64); 3] = [("chair", 12_000), ("lamp", 3_500), ("table", 45_000)];

/// The data of `PlaceOrder`, which the customer sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    lines: Vec<Line>,
    card: String,
    country: String,
}

pub(crate) fn place(order: PlaceOrder) -> Result<Decision, Problem> {
    let total = total(&order.lines)?;
    let placed = OrderPlaced {
        lines: order.lines,
        total,
        card: order.card,
        country: order.country,
    };
    Ok(Decision::commit(vec![placed.into()]))
}

/// `CancelOrder` has the same data as its event `OrderCancelled`.
pub(crate) fn cancel(cancelled: OrderCancelled) -> Decision {
    Decision::commit(vec![cancelled.into()])
}

/// The total price of an order's lines, in cents.
fn total(lines: &[Line]) -> Result<u64, Problem> {
    let (mut total, mut products) = (0, BTreeSet::new());
    for (place, Line { product, units }) in lines.iter().enumerate() {
        let at = |field| format!("lines[{place}].{field}");
        let Some((_, price)) = PRICES.iter().find(|(sold, _)| sold == product) else {
            return invalid(at("product"), "unknown", "the shop does not sell it");
        };
        if !products.insert(product) {
            return invalid(at("product"), "repeated", "a product can have one line");
        }
        if !(1..=100).contains(units) {
            return invalid(at("units"), "range", "from 1 to 100");
        }
        total += price * u64::from(*units);
    }
    if lines.is_empty() {
        return invalid("lines".into(), "empty", "an order needs a line");
    }
    Ok(total)
}
