//! Stock: the transaction that commits the event also takes the units, so no two orders get the last unit.

use alpes_event_store::Decision;
use alpes_ports::{Condition, Key, Path, TableName, Update};
use serde::Deserialize;

use crate::events::{Line, ShopEvent, StockReleased, StockReserved, StockShort};

/// The table of the shelves, one item for each product. [`LEFT`] is the number of units that no order has reserved.
pub const SHELVES: TableName = TableName("shelves");
pub const LEFT: &str = "left";

/// The data of `ReserveStock`.
#[derive(Deserialize)]
pub struct ReserveStock {
    lines: Vec<Line>,
}

/// `refused` has the indexes of the lines with too few units. It is empty in the first decision.
pub(crate) fn reserve(ReserveStock { lines }: ReserveStock, refused: &[usize]) -> Decision {
    if !refused.is_empty() {
        let short = refused.iter().filter_map(|line| lines.get(*line));
        let lines = short.cloned().collect();
        return Decision::commit(vec![StockShort { lines }.into()]);
    }
    let take = |Line { product, units }: &Line| {
        let enough = Condition::AtLeast(Path::of(LEFT), i64::from(*units));
        put(product, -i64::from(*units)).when(enough).into()
    };
    Decision::Commit {
        with: lines.iter().map(take).collect(),
        events: vec![StockReserved { lines }.into()],
    }
}

/// `done` is the event by which the order's `ReserveStock` ended, if it was decided.
pub(crate) fn release(done: Option<&ShopEvent>) -> Decision {
    let lines = match done {
        Some(ShopEvent::StockReserved(reserved)) => reserved.lines.clone(),
        _ => vec![],
    };
    let give = |Line { product, units }: &Line| put(product, i64::from(*units)).into();
    Decision::Commit {
        with: lines.iter().map(give).collect(),
        events: vec![StockReleased { lines }.into()],
    }
}

/// The write that puts units on the shelf of a product.
pub fn put(product: &str, units: i64) -> Update {
    Update::of(Key::new(SHELVES, product, "shelf")).add(Path::of(LEFT), units)
}
