//! What is to be done at a time: an index whose partitions have it in the order in which it is due.
//!
//! An item stands there by [`place`] while something is to be done about it. A run reads the partitions from their beginnings by
//! [`Due`], a page of each at a time, as far as its time lasts. What it cannot do now it puts off by [`put_off`], so that nothing
//! stays first for ever; how long it has waited stays in its place.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use alpes_messages::moment::Moment;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    Condition, Consistency, Direction, Index, IndexQuery, Item, Key, Path, TableError, TableName,
    Tables, Update, WriteError,
};

/// Comes after every place of a time.
const AFTER: &str = "~";

/// A time as text that sorts as times do.
fn text(time: Timestamp) -> String {
    Moment::from(time).to_string()
}

/// The sort key of what is to be looked at by then, and waits from then on.
#[must_use]
pub fn place(look: Timestamp) -> String {
    text(look)
}

/// The same of what has waited for longer: since `since`.
#[must_use]
pub fn place_since(look: Timestamp, since: Timestamp) -> String {
    format!("{}#{}", text(look), text(since))
}

/// When the item of this place is to be looked at; `None` if the text is no place.
#[must_use]
pub fn look(place: &str) -> Option<Timestamp> {
    place.split('#').next()?.parse().ok()
}

/// Since when the item of this place waits.
#[must_use]
pub fn since(place: &str) -> Option<Timestamp> {
    place.rsplit('#').next()?.parse().ok()
}

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueItem {
    /// Its place.
    pub place: String,
    /// Its partition key.
    pub pk: String,
    /// Its sort key.
    pub sk: String,
}

impl DueItem {
    fn of(item: &Item) -> Option<Self> {
        let text = |name: &str| Some(item.get(name)?.as_str()?.to_owned());
        Some(Self {
            place: text(Index::Gsi1.attributes().1)?,
            pk: text("pk")?,
            sk: text("sk")?,
        })
    }

    /// Since when it waits.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        since(&self.place)
    }
}

/// How far one partition was read.
struct Partition {
    name: String,
    from: Option<String>,
    /// Items that it showed from there on: those of the place where a page ended come again.
    seen: BTreeSet<DueItem>,
    limit: usize,
}

/// Reads what is due.
pub struct Due {
    tables: Arc<dyn Tables>,
    table: TableName,
    below: String,
    page: usize,
    /// What is still to be read.
    partitions: Vec<Partition>,
}

impl Due {
    /// What is due at `now` in these partitions of the index [`Index::Gsi1`], `page` items of each at a time.
    #[must_use]
    pub fn new(
        tables: Arc<dyn Tables>,
        table: TableName,
        partitions: impl Iterator<Item = String>,
        now: Timestamp,
        page: usize,
    ) -> Self {
        let page = page.max(1);
        let partition = |name| Partition {
            name,
            from: None,
            seen: BTreeSet::new(),
            limit: page,
        };
        Self {
            tables,
            table,
            below: text(now) + AFTER,
            page,
            partitions: partitions.map(partition).collect(),
        }
    }

    /// The next items, of all partitions together, those first that were to be looked at first. Empty at the end.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn next(&mut self) -> Result<Vec<DueItem>, TableError> {
        while !self.partitions.is_empty() {
            let tables = &self.tables;
            let queries = self.partitions.iter().map(|partition| {
                let query = IndexQuery {
                    table: self.table,
                    index: Index::Gsi1,
                    partition: partition.name.clone(),
                    from: partition.from.clone(),
                    below: Some(self.below.clone()),
                    direction: Direction::Ascending,
                    limit: partition.limit,
                };
                async move { tables.query(&query).await }
            });
            let pages = futures::future::try_join_all(queries.collect::<Vec<_>>()).await?;
            let mut found = vec![];
            let read = std::mem::take(&mut self.partitions).into_iter().zip(pages);
            for (mut partition, page) in read {
                let items: Vec<_> = page.items.iter().filter_map(DueItem::of).collect();
                let new = items.iter().filter(|item| !partition.seen.contains(item));
                found.extend(new.cloned());
                let last = items.last().map(|last| last.place.clone());
                if last == partition.from {
                    // More items share one place than a page has: a larger one gets past them.
                    partition.limit *= 2;
                    partition.seen.extend(items);
                } else {
                    partition.limit = self.page;
                    partition.from = last;
                    partition.seen = items.into_iter().collect();
                }
                if page.more {
                    self.partitions.push(partition);
                }
            }
            if !found.is_empty() {
                found.sort_unstable();
                return Ok(found);
            }
        }
        Ok(vec![])
    }
}

/// Puts off an item that is due at `now` and cannot be done: it is looked at again `pause` later. Only its place is changed, and only if
/// nobody has written the item meanwhile. An item that counts its writes, in `rev`, has this one counted too, so that whoever has read it
/// earlier reads it again.
///
/// True if it was put off; false if others have moved it meanwhile, or it is gone.
///
/// # Errors
///
/// See [`TableError`].
pub async fn put_off(
    tables: &dyn Tables,
    key: &Key,
    now: Timestamp,
    pause: Duration,
) -> Result<bool, TableError> {
    let Some(item) = tables.get_one(key, Consistency::Strong).await? else {
        return Ok(false);
    };
    let (_, sort) = Index::Gsi1.attributes();
    let is_due = |place: &&str| **place < *(text(now) + AFTER);
    let Some(before) = item.get(sort).and_then(Value::as_str).filter(is_due) else {
        return Ok(false);
    };
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    let look = now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let after = place_since(look, since(before).unwrap_or(now));
    let unmoved = Condition::Equals(Path::of(sort), before.into());
    let update = Update::of(key.clone()).set(Path::of(sort), after);
    let update = match item.get("rev").and_then(Value::as_i64) {
        Some(rev) => update
            .when(Condition::All(vec![
                unmoved,
                Condition::Equals(Path::of("rev"), rev.into()),
            ]))
            .add(Path::of("rev"), 1),
        None => update.when(unmoved),
    };
    match tables.write(&update.into()).await {
        Ok(()) => Ok(true),
        Err(WriteError::ConditionFailed) => Ok(false),
        Err(WriteError::Table(error)) => Err(error),
    }
}
