//! A payment provider that keeps its charges in a table and fails when the table fails.

use std::sync::Arc;

use alpes_event_store::Unavailable;
use alpes_messages::SubjectId;
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableName, Tables, Update, Write, WriteError,
};
use async_trait::async_trait;
use pedidos::payments::Provider;
use twins::MemoryTables;

pub const CHARGES: TableName = TableName("charges");
/// A card that is always declined.
pub const DECLINED: &str = "declined";

pub struct Ledger(pub Arc<dyn Tables>);

fn charge(key: &str) -> Key {
    Key::new(CHARGES, key, "charge")
}

fn silent(error: &impl ToString) -> Unavailable {
    Unavailable(error.to_string())
}

impl Ledger {
    async fn read(&self, key: &str) -> Result<Item, Unavailable> {
        let read = self.0.get_one(&charge(key), Consistency::Strong).await;
        Ok(read.map_err(|error| silent(&error))?.unwrap_or_default())
    }
}

#[async_trait]
impl Provider for Ledger {
    async fn charge(&self, key: &str, card: &str, amount: u64) -> Result<bool, Unavailable> {
        let amount = i64::try_from(if card == DECLINED { 0 } else { amount })
            .map_err(|error| silent(&error))?;
        let first = Update::of(charge(key))
            .when(Condition::Absent)
            .add(Path::of("charged"), amount);
        match self.0.write(&first.into()).await {
            Ok(()) => Ok(amount > 0),
            Err(WriteError::ConditionFailed) => Ok(is_charged(&self.read(key).await?)),
            Err(WriteError::Table(error)) => Err(silent(&error)),
        }
    }

    async fn void(&self, key: &str) -> Result<(), Unavailable> {
        let void: Write = Update::of(charge(key)).set(Path::of("void"), true).into();
        self.0.write(&void).await.map_err(|error| silent(&error))
    }
}

fn is_charged(item: &Item) -> bool {
    !item.contains_key("void") && charged(item) > 0
}

fn charged(item: &Item) -> u64 {
    let charged = item.get("charged").and_then(serde_json::Value::as_u64);
    charged.unwrap_or(0)
}

/// The amount that was charged for an order and not refunded.
pub fn balance(tables: &MemoryTables, order: SubjectId) -> u64 {
    let item = tables.item(&charge(&order.to_string())).unwrap_or_default();
    if is_charged(&item) { charged(&item) } else { 0 }
}
