//! The view: one row for each order, as its customer sees it.

use alpes_messages::{Event, Moment};
use alpes_ports::Item;
use alpes_projections::{Place, Unfoldable, View, fold_as};
use serde::{Deserialize, Serialize};

use crate::events::{Line, ShopEvent};

/// The view.
pub struct Orders;

/// A row. Events of several event streams arrive in any order, so each sets only its own fields and resets none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    pub placed: Option<Moment>,
    pub lines: Vec<Line>,
    pub total: u64,
    pub paid: bool,
    pub shipped: bool,
    pub cancelled: bool,
}

impl View<ShopEvent> for Orders {
    fn name(&self) -> &'static str {
        "orders"
    }

    fn fold(&self, row: &mut Item, event: &Event, happened: &ShopEvent) -> Result<(), Unfoldable> {
        fold_as(row, |row: &mut Row| match happened {
            ShopEvent::OrderPlaced(order) => {
                row.placed = Some(event.time);
                row.lines.clone_from(&order.lines);
                row.total = order.total;
            }
            ShopEvent::PaymentTaken(_) => row.paid = true,
            ShopEvent::OrderShipped(_) => row.shipped = true,
            ShopEvent::OrderCancelled(_) => row.cancelled = true,
            _ => {}
        })
    }

    /// Orders are listed by status, in the order in which they were placed.
    fn places(&self, row: &Item) -> [Option<Place>; 2] {
        let place = Row::deserialize(row).ok().and_then(|row| {
            let status = match (row.cancelled, row.shipped, row.paid) {
                (true, _, _) => "cancelled",
                (_, true, _) => "shipped",
                (_, _, true) => "paid",
                _ => "placed",
            };
            Some(Place {
                partition: status.to_owned(),
                order: row.placed?.to_string(),
            })
        });
        [place, None]
    }
}
