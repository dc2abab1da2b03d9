//! The promises that must hold once no saga is running and no event is undelivered.

use std::{collections::BTreeMap, sync::Arc};

use alpes_event_store::{StreamReader, TABLE as STREAMS, verify};
use alpes_messages::{Event, StreamId, SubjectId};
use alpes_ports::{Item, Key, Tables, World};
use alpes_projections::{Generation, View, own_attributes};
use alpes_saga::{Definitions, Saga, SagaId, Sagas, Status};
use pedidos::{
    ShopEvent, catalogue, definition,
    events::{Line, ORDERS, OrderPlaced},
    orders::PRICES,
    stock::{self, LEFT},
    view::Orders,
};
use serde_json::Value;
use twins::{MemoryLog, MemoryTables};

use crate::provider::balance;

/// The units of each product on the shelves at the beginning.
pub const SHELVED: i64 = 12;

/// The data that remain when every process has ended: tables and log.
#[derive(Clone, Copy)]
pub struct Remains<'a> {
    pub tables: &'a Arc<MemoryTables>,
    pub log: &'a MemoryLog,
}

/// Fills the shelves.
pub async fn shelve(tables: &dyn Tables, units: i64) {
    for (product, _) in PRICES {
        let put = stock::put(product, units).into();
        tables.write(&put).await.unwrap();
    }
}

pub fn sagas(tables: &Arc<MemoryTables>, world: World) -> Sagas {
    let definitions = Definitions::new(vec![definition()]);
    Sagas::new(tables.clone(), definitions, world)
}

impl Remains<'_> {
    fn reader(&self) -> StreamReader<ShopEvent> {
        StreamReader::new(self.tables.clone(), catalogue())
    }

    /// Every order with its `OrderPlaced`.
    pub async fn orders(&self) -> BTreeMap<SubjectId, OrderPlaced> {
        let streams = self.tables.find(STREAMS, |key, _| {
            let stream: StreamId = key.pk.parse().ok()?;
            stream.is_of(ORDERS).then_some(stream)
        });
        let mut orders = BTreeMap::new();
        for stream in streams {
            let history = self.reader().history(stream).await.unwrap();
            match history.into_iter().next() {
                Some((_, ShopEvent::OrderPlaced(placed))) => orders.insert(stream.id, placed),
                other => panic!("an order begins with {other:?}"),
            };
        }
        orders
    }

    /// Lists the broken promises in words. `saga` returns the saga of an order.
    pub async fn broken(&self, saga: impl Fn(SagaId) -> Option<Saga>) -> Vec<String> {
        let mut broken = vec![];
        let mut left: BTreeMap<_, _> = PRICES.map(|(product, _)| (product, SHELVED)).into();
        for (order, placed) in self.orders().await {
            let stands = match saga(SagaId(order.0)).map(|saga| saga.status) {
                Some(Status::Completed) => true,
                Some(Status::Compensated) => false,
                other => {
                    broken.push(format!("{order} does not end: {other:?}"));
                    continue;
                }
            };
            let (paid, owed) = (balance(self.tables, order), placed.total);
            if paid != if stands { owed } else { 0 } {
                broken.push(format!(
                    "{order} stands: {stands}, and {paid} of {owed} is paid"
                ));
            }
            for Line { product, units } in placed.lines.iter().filter(|_| stands) {
                *left.get_mut(product.as_str()).unwrap() -= i64::from(*units);
            }
        }
        for (product, expected) in left {
            let found = self.left(product);
            if found != expected || found < 0 {
                broken.push(format!("of {product} {found} are left, not {expected}"));
            }
        }
        let reader = self.reader();
        let verified = verify(&**self.tables, self.log, &reader, None);
        let differences = verified.await.unwrap().differences;
        broken.extend(differences.iter().map(ToString::to_string));
        broken
    }

    fn left(&self, product: &str) -> i64 {
        let place = stock::put(product, 0).key;
        let item = self.tables.item(&place).unwrap_or_default();
        item.get(LEFT).and_then(Value::as_i64).unwrap_or(0)
    }

    /// The rows of the view that differ from the fold of the log. The log has the events of each event stream in order.
    pub fn views(&self) -> Vec<String> {
        let mut events = BTreeMap::new();
        for record in self.log.records() {
            let (event, what) = Event::decode(&record.data, &catalogue()).unwrap();
            events.insert((event.stream, event.streamversion), (event, what));
        }
        let mut rows: BTreeMap<SubjectId, Item> = BTreeMap::new();
        for (event, what) in events.values() {
            let row = rows.entry(event.subject).or_default();
            Orders.fold(row, event, what).unwrap();
        }
        let (view, number) = (View::<ShopEvent>::name(&Orders), 1);
        let generation = Generation { view, number };
        let differs = rows.into_iter().filter_map(|(order, folded)| {
            let key: Key = generation.row_key(order);
            let found = self.tables.item(&key).map(own_attributes);
            let differs = found.as_ref() != Some(&folded);
            differs.then(|| format!("the view has {found:?}, the log {folded:?}"))
        });
        differs.collect()
    }
}
