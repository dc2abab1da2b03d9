//! Planted mistakes in the writes of sagas, parked records and due work.

use std::sync::Arc;

use alpes_consumer::{Parked, TABLE as PARKED};
use alpes_messages::Moment;
use alpes_participant::REACTIONS;
use alpes_ports::{
    Condition, Key, Path, ScanPage, TableError, TableName, Tables, Update, Write, WriteError,
};
use alpes_saga::TABLE as SAGAS;
use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use twins::{Over, Ports, TablesOver};

use super::{Planted, Seed};

/// The time from an event to its deadline.
const DEADLINE: SignedDuration = SignedDuration::from_mins(5);
/// The attribute that places an item in the index of due work.
const DUE: &str = "gsi1sk";

pub(super) fn around(ports: Ports, seed: &Seed) -> Ports {
    use Planted::{
        BorrowedTimes, DeafWhenStuck, HastyDeadlines, KeptTwice, LooseDecimals, SpentTries,
        StubbornForeign, TidiedParking,
    };
    let around = matches!(
        seed.what,
        BorrowedTimes
            | DeafWhenStuck
            | HastyDeadlines
            | KeptTwice
            | LooseDecimals
            | SpentTries
            | StubbornForeign
            | TidiedParking
    );
    if !around {
        return ports;
    }
    Ports {
        tables: Arc::new(Over(BadLines(ports.tables.clone(), seed.what))),
        ..ports
    }
}

struct BadLines(Arc<dyn Tables>, Planted);

/// The types of the entries that a write adds to a saga's log.
fn lines(update: &Update) -> Vec<&str> {
    let added = update.append.iter().flat_map(|(_, lines)| lines);
    let kinds = added.filter_map(|line| line.get("type")?.as_str());
    kinds.collect()
}

/// Changes each entry that a write adds to a saga's log.
fn rewrite(update: &mut Update, change: impl Fn(&mut Map<String, Value>)) {
    let added = update.append.iter_mut().flat_map(|(_, lines)| lines);
    for line in added.filter_map(Value::as_object_mut) {
        change(line);
    }
}

/// True if a write only puts an item off to a later time.
fn puts_off(update: &Update) -> bool {
    let mut set = update.set.iter();
    let alone = set.all(|(path, _)| *path == Path::of(DUE));
    alone && !update.set.is_empty() && update.append.is_empty() && update.remove.is_empty()
}

/// The time of a deadline, counted from its event.
fn by_its_event(update: &Update) -> Option<Timestamp> {
    let mut set = update.set.iter();
    let (_, event) = set.find(|(path, _)| *path == Path::of("event"))?;
    let time = event.get("time")?;
    let time = match time.as_str() {
        Some(text) => text.parse().ok()?,
        None => Timestamp::from_millisecond(time.as_i64()?).ok()?,
    };
    time.checked_add(DEADLINE).ok()
}

impl BadLines {
    /// The write as the mistake changes it; `None` if the mistake omits the write.
    fn made(&self, update: &Update) -> Option<Update> {
        let mut made = update.clone();
        match (self.1, update.key.table) {
            (Planted::KeptTwice, table) if table == SAGAS => {
                let lines = update.append.iter().flat_map(|(_, lines)| lines);
                let lines: Vec<_> = lines.cloned().collect();
                if !lines.is_empty() {
                    made.append.push((Path::of("copia"), lines));
                }
            }
            (Planted::BorrowedTimes, table) if table == SAGAS => rewrite(&mut made, |line| {
                let heard = line.get("when").cloned();
                if let (Some(own), Some(heard)) = (line.get_mut("event_time"), heard) {
                    *own = heard;
                }
            }),
            (Planted::LooseDecimals, table) if table == SAGAS => rewrite(&mut made, |line| {
                let time = line.get("when").and_then(Value::as_str);
                let time = time.and_then(|time| time.parse::<Timestamp>().ok());
                if let Some(time) = time {
                    line.insert("when".into(), time.to_string().into());
                }
            }),
            (Planted::DeafWhenStuck, table) if table == SAGAS => {
                let lines = lines(update);
                if lines.contains(&"CancellationRequested") && lines.contains(&"TakenOver") {
                    return None;
                }
            }
            (Planted::StubbornForeign, table)
                if [SAGAS, REACTIONS].contains(&table) && puts_off(update) =>
            {
                return None;
            }
            (Planted::SpentTries, table) if table == PARKED => {
                made.set.retain(|(path, _)| *path != Path::of("next"));
            }
            (Planted::HastyDeadlines, table)
                if table == REACTIONS && update.key.sk.starts_with("deadline#") =>
            {
                if let Some(due) = by_its_event(update) {
                    let due = Moment::from(due).to_string();
                    made.set.retain(|(path, _)| *path != Path::of(DUE));
                    made.set.push((Path::of(DUE), due.into()));
                }
            }
            _ => {}
        }
        Some(made)
    }
}

#[async_trait]
impl TablesOver for BadLines {
    fn inner(&self) -> &dyn Tables {
        &*self.0
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let Write::Update(update) = write else {
            return self.0.write(write).await;
        };
        match self.made(update) {
            Some(made) => self.0.write(&made.into()).await,
            None => Ok(()),
        }
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        let page = self.0.scan(table, after).await?;
        if self.1 != Planted::TidiedParking || table != PARKED {
            return Ok(page);
        }
        for item in &page.items {
            let text = |name: &str| item.get(name).and_then(Value::as_str).unwrap_or_default();
            let key = Key::new(table, text("pk"), text("sk"));
            let is_whole = item.contains_key("what");
            let known = serde_json::from_value::<Parked>(Value::Object(item.clone()));
            if is_whole && known.is_err() {
                let condition = Condition::Exists;
                // If this delete fails, a later scan deletes the item.
                let _ = self.0.write(&Write::Delete { key, condition }).await;
            }
        }
        Ok(page)
    }
}
