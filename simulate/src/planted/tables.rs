//! Planted mistakes around tables.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use alpes_event_store::TABLE as STREAMS;
use alpes_messages::StreamId;
use alpes_ports::{
    Condition, Consistency, Found, Item, Key, Log, NewRecord, Path, TableError, Tables,
    TransactError, Update, Write, WriteError,
};
use alpes_projections::TABLE as VIEWS;
use async_trait::async_trait;
use gds::inventory::TABLE as SEATS;
use pagos::simulador::TABLE as LEDGER;
use serde_json::{Value, json};
use twins::{Over, Ports, TablesOver};

use super::{Planted, Seed};

pub(super) fn around(ports: Ports, seed: &Seed) -> Ports {
    use Planted::{
        BlindTables, DeafViews, FailureForSuccess, ForgottenReceipts, HopefulWrites, KeptMoney,
        KeptSeats, KeylessCharges, LogFirst, Overbooked, StaleReads, TornTransactions,
        UncountedRows,
    };
    let around = matches!(
        seed.what,
        BlindTables
            | DeafViews
            | FailureForSuccess
            | ForgottenReceipts
            | HopefulWrites
            | KeptMoney
            | KeptSeats
            | KeylessCharges
            | LogFirst
            | Overbooked
            | StaleReads
            | TornTransactions
            | UncountedRows
    );
    if !around {
        return ports;
    }
    Ports {
        tables: Arc::new(Over(BadTables {
            inner: ports.tables.clone(),
            log: ports.log.clone(),
            seed: seed.clone(),
            cache: Mutex::default(),
        })),
        ..ports
    }
}

struct BadTables {
    inner: Arc<dyn Tables>,
    log: Arc<dyn Log>,
    seed: Seed,
    /// The earlier results of reads.
    cache: Mutex<BTreeMap<Key, Option<Item>>>,
}

fn condition(write: &mut Write) -> &mut Condition {
    match write {
        Write::Update(update) => &mut update.condition,
        Write::Put { condition, .. } | Write::Delete { condition, .. } => condition,
    }
}

/// True if a write frees seats.
fn frees(update: &Update) -> bool {
    update.key.table == SEATS && update.add.iter().any(|(_, seats)| *seats < 0)
}

/// True if a write of the ledger refunds money.
fn refunds(key: &Key, item: &Item) -> bool {
    let moved = item.get("movimientos").and_then(Value::as_array);
    key.table == LEDGER && moved.is_some_and(|moved| moved.len() > 1)
}

impl BadTables {
    /// The write as the mistake changes it; `None` if the mistake omits the write.
    fn made(&self, write: &Write) -> Option<Write> {
        let mut made = write.clone();
        let of_views = write.key().table == VIEWS;
        match (self.seed.what, &mut made) {
            (Planted::BlindTables, write) => *condition(write) = Condition::Always,
            (Planted::Overbooked, write) if write.key().table == SEATS => {
                *condition(write) = Condition::Always;
            }
            (Planted::DeafViews, _) if of_views && self.seed.now_and_then() => return None,
            (Planted::UncountedRows, Write::Update(update))
                if of_views && !update.add.is_empty() =>
            {
                return None;
            }
            (Planted::KeptSeats, Write::Update(update)) if frees(update) => return None,
            (Planted::KeptMoney, Write::Put { key, item, .. }) if refunds(key, item) => {
                return None;
            }
            (Planted::ForgottenReceipts, Write::Update(update)) if update.key.table == STREAMS => {
                for (path, value) in &mut update.set {
                    if *path == Path::of("receipts") {
                        *value = json!({});
                    }
                }
                let receipts = |path: &Path| path.attribute == "receipts" && path.entry.is_some();
                update.set.retain(|(path, _)| !receipts(path));
            }
            _ => {}
        }
        Some(made)
    }

    /// The write that stores a second charge next to the existing one; `None` if the write is no second charge.
    async fn charge_again(&self, write: &Write) -> Result<Option<Write>, TableError> {
        let Write::Put { key, item, .. } = write else {
            return Ok(None);
        };
        if key.table != LEDGER {
            return Ok(None);
        }
        let Some(before) = self.inner.get_one(key, Consistency::Strong).await? else {
            return Ok(None);
        };
        let moved = |item: &Item| {
            let moved = item.get("movimientos").and_then(Value::as_array);
            moved.cloned().unwrap_or_default()
        };
        let mut item = item.clone();
        let (mut both, new) = (moved(&before), moved(&item));
        if both.is_empty() || new.len() != 1 {
            return Ok(None);
        }
        both.extend(new);
        item.insert("movimientos".into(), both.into());
        Ok(Some(Write::Put {
            key: key.clone(),
            item,
            condition: Condition::Always,
        }))
    }

    /// Appends the events that the write will commit.
    async fn publish(&self, write: &Write) {
        let Write::Update(update) = write else {
            return;
        };
        let Ok(stream) = update.key.pk.parse::<StreamId>() else {
            return;
        };
        let events = update.append.iter().flat_map(|(_, values)| values);
        for text in events.filter_map(Value::as_str) {
            let key = stream.id.to_string();
            // If an append fails here, the event store appends the event after the commit.
            let _ = self.log.append(NewRecord::new(&key, text.as_bytes())).await;
        }
    }

    async fn write_one(&self, write: &Write) -> Result<(), WriteError> {
        let written = self.inner.write(write).await;
        match (self.seed.what, written) {
            (Planted::FailureForSuccess, Err(WriteError::ConditionFailed))
            | (Planted::HopefulWrites, Err(WriteError::Table(TableError::Unavailable(_)))) => {
                Ok(())
            }
            (_, written) => written,
        }
    }
}

#[async_trait]
impl TablesOver for BadTables {
    fn inner(&self) -> &dyn Tables {
        &*self.inner
    }

    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        let mut found = self.inner.get(keys, consistency).await?;
        match self.seed.what {
            Planted::StaleReads => {
                let cache = self.cache.lock();
                let mut cache = cache.unwrap_or_else(PoisonError::into_inner);
                for (key, item) in keys.iter().zip(&mut found) {
                    match cache.get(key) {
                        Some(earlier) if self.seed.now_and_then() => item.clone_from(earlier),
                        _ => drop(cache.insert(key.clone(), item.clone())),
                    }
                }
            }
            Planted::KeylessCharges => {
                for (key, item) in keys.iter().zip(&mut found) {
                    if key.table == LEDGER && self.seed.now_and_then() {
                        *item = None;
                    }
                }
            }
            _ => {}
        }
        Ok(found)
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        if self.seed.what == Planted::LogFirst {
            self.publish(write).await;
        }
        if self.seed.what == Planted::KeylessCharges
            && let Some(again) = self.charge_again(write).await?
        {
            return self.inner.write(&again).await;
        }
        match self.made(write) {
            Some(write) => self.write_one(&write).await,
            None => Ok(()),
        }
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        if self.seed.what == Planted::LogFirst {
            for write in writes {
                self.publish(write).await;
            }
        }
        let made: Vec<_> = writes.iter().filter_map(|write| self.made(write)).collect();
        if self.seed.what == Planted::TornTransactions {
            for (place, write) in made.iter().enumerate() {
                self.inner.write(write).await.map_err(|error| match error {
                    WriteError::ConditionFailed => TransactError::ConditionsFailed(vec![place]),
                    WriteError::Table(error) => error.into(),
                })?;
            }
            return Ok(());
        }
        if made.is_empty() {
            return Ok(());
        }
        let written = self.inner.transact(&made).await;
        match (self.seed.what, written) {
            (Planted::FailureForSuccess, Err(TransactError::ConditionsFailed(_)))
            | (Planted::HopefulWrites, Err(TransactError::Table(TableError::Unavailable(_)))) => {
                Ok(())
            }
            (_, written) => written,
        }
    }
}
