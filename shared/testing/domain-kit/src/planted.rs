//! Planted mistakes outside the code under test. They change a projector's calls of its tables, or the way in which the
//! projector receives its events.

use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{Arc, Mutex},
};

use alpes_consumer::{Group, Handler, Stop};
use alpes_messages::{DomainEvent, Event};
use alpes_ports::{
    Condition, Consistency, Found, Item, Key, Path, TableError, Tables, TransactError, Update,
    Write, WriteError,
};
use async_trait::async_trait;
use futures::future::join_all;
use serde_json::Value;
use twins::{Over, TablesOver};

use crate::{Domain, Happens, moment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    GuardOfOneStreamOnly,
    GuardNotChecked,
    GapApplied,
    /// A batch is redelivered from the record after the one that failed. The test itself plants this mistake when it
    /// redelivers a batch.
    FailureIndexOffByOne,
    /// The projector's guard against older versions keeps the view right, so only the number of writes shows this
    /// mistake.
    EventsOfOneKeyHandledConcurrently,
    CountedBeforeTheGuard,
    CountersOutsideTheTransaction,
}

impl Bug {
    pub const ALL: [Self; 7] = [
        Self::GuardOfOneStreamOnly,
        Self::GuardNotChecked,
        Self::GapApplied,
        Self::FailureIndexOffByOne,
        Self::EventsOfOneKeyHandledConcurrently,
        Self::CountedBeforeTheGuard,
        Self::CountersOutsideTheTransaction,
    ];
}

/// The tables of a projector with the mistake `bug`.
pub fn plant<D: Domain>(bug: Option<Bug>, tables: Arc<dyn Tables>) -> Arc<dyn Tables> {
    match bug {
        Some(bug) => Arc::new(Over(Planted::<D> {
            bug,
            tables,
            read: Mutex::default(),
            domain: PhantomData,
        })),
        None => tables,
    }
}

struct Planted<D> {
    bug: Bug,
    tables: Arc<dyn Tables>,
    /// By the key of each row: the version of the subject's own stream that the row had when it was last read.
    read: Mutex<BTreeMap<Key, Value>>,
    domain: PhantomData<fn() -> D>,
}

impl<D: Domain> Planted<D> {
    fn changed(&self, write: &Write) -> Write {
        match write {
            Write::Update(update) => update.clone().when(self.condition(update)).into(),
            other => other.clone(),
        }
    }

    async fn apart(&self, counters: &[Write]) -> Result<(), TransactError> {
        for counter in counters {
            match self.tables.write(counter).await {
                Ok(()) => {}
                Err(WriteError::Table(error)) => return Err(error.into()),
                Err(WriteError::ConditionFailed) => unreachable!("counters have no condition"),
            }
        }
        Ok(())
    }

    fn condition(&self, update: &Update) -> Condition {
        let is_row = update.key.table == alpes_projections::TABLE && update.key.sk == "row";
        match (self.bug, &update.condition) {
            (Bug::GuardNotChecked, _) if is_row => Condition::Always,
            (Bug::GuardOfOneStreamOnly, Condition::Equals(..)) if is_row => {
                match self.read.lock().unwrap().get(&update.key) {
                    Some(version) => {
                        Condition::Equals(Path::entry("guard", D::OWN.category), version.clone())
                    }
                    None => Condition::Exists,
                }
            }
            (_, other) => other.clone(),
        }
    }
}

/// Replaces all events of a stream except the last by events that change nothing. A reader then cannot fill gaps from
/// the stream's item.
fn without_history<D: Domain>(item: &mut Item) {
    let Some(Value::Array(events)) = item.get_mut("events") else {
        return;
    };
    let last = events.len().saturating_sub(1);
    for text in events.iter_mut().take(last) {
        let bytes = text.as_str().unwrap().as_bytes();
        let (old, _) = Event::decode(bytes, &D::catalogue()).unwrap();
        if !old.stream.is_of(D::OWN) {
            continue;
        }
        let noted = D::event(Happens::Noted, old.subject, moment(0));
        let schema = format!(
            "{}:{}:v{}",
            noted.context.schemas, noted.kind, noted.schema_version
        );
        let noted = Event {
            kind: noted.kind.to_owned(),
            dataschema: schema,
            data: noted.data,
            ..old
        };
        *text = noted.encode().unwrap().into();
    }
}

#[async_trait]
impl<D: Domain> TablesOver for Planted<D> {
    fn inner(&self) -> &dyn Tables {
        &*self.tables
    }

    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        let mut items = self.tables.get(keys, consistency).await?;
        for (key, item) in keys.iter().zip(&mut items) {
            let Some(item) = item else { continue };
            if key.table == alpes_event_store::TABLE && self.bug == Bug::GapApplied {
                without_history::<D>(item);
            }
            let version = item
                .get("guard")
                .and_then(|guard| guard.get(D::OWN.category));
            if let Some(version) = version {
                self.read
                    .lock()
                    .unwrap()
                    .insert(key.clone(), version.clone());
            }
        }
        Ok(items)
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.tables.write(&self.changed(write)).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let changed: Vec<_> = writes.iter().map(|write| self.changed(write)).collect();
        let (counters, rows): (Vec<_>, Vec<_>) = changed
            .iter()
            .cloned()
            .partition(|write| write.key().sk != "row");
        match self.bug {
            Bug::CountedBeforeTheGuard => {
                self.apart(&counters).await?;
                self.tables.transact(&rows).await
            }
            Bug::CountersOutsideTheTransaction => {
                self.tables.transact(&rows).await?;
                self.apart(&counters).await
            }
            _ => self.tables.transact(&changed).await,
        }
    }
}

/// Hands each event to the inner handler in a call of its own. All calls run at once.
pub struct Splitting<'a, P>(pub &'a dyn Handler<P>);

#[async_trait]
impl<P: DomainEvent> Handler<P> for Splitting<'_, P> {
    async fn handle(&self, groups: &[Group<P>]) -> Vec<Result<(), Stop>> {
        let mut results = vec![];
        for group in groups {
            let singles: Vec<_> = group
                .events
                .iter()
                .map(|event| {
                    [Group {
                        subject: group.subject,
                        events: vec![event.clone()],
                    }]
                })
                .collect();
            let handled = join_all(singles.iter().map(|single| self.0.handle(single))).await;
            let failed = handled.into_iter().flatten().find(Result::is_err);
            results.push(failed.unwrap_or(Ok(())));
        }
        results
    }
}
