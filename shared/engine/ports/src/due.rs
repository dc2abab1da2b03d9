//! An index of pending work by the time at which the work is due, spread over partitions.
//!
//! An item enters a [`DueIndex`] in the same write that creates the work. Its sort key in the index is its [`place`],
//! which begins with the time at which the item is due. The item leaves the index by [`leave`], in the write that marks
//! the work as done. A run of the timers reads each partition from its beginning with [`Due`], a page at a time, until
//! the time of the run is over. [`put_off`] gives an item that cannot be handled yet a later place, so that no item
//! blocks the others. The later place also has the time since which the item has waited.
//!
//! ```
//! use alpes_ports::{Key, Path, TableName, Update, due::{self, DueIndex}};
//!
//! let orders = TableName("orders");
//! let unpaid = DueIndex::new(orders, "unpaid", 16);
//! let key = Key::new(orders, "0195-c0ffee", "order");
//! let look = "2026-01-31T10:00:00Z".parse()?;
//!
//! let placed = unpaid.enter(Update::of(key.clone()).set(Path::of("total"), 3), due::place(look));
//! assert!(placed.set.contains(&(Path::of("gsi1pk"), "unpaid-14".into())));
//! let paid = due::leave(Update::of(key).set(Path::of("paid"), 3));
//! assert!(paid.remove.contains(&Path::of("gsi1pk")));
//! # Ok::<(), jiff::Error>(())
//! ```

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use alpes_messages::moment::Moment;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    Condition, Consistency, Direction, Index, IndexQuery, Item, Key, Path, TableError, TableName,
    Tables, Update, WriteError,
};

/// The attribute that holds the partition key of the index.
const PARTITION: &str = Index::Gsi1.attributes().0;
/// The attribute that holds an item's place.
const SORT: &str = Index::Gsi1.attributes().1;

/// A suffix: a time with this suffix sorts after every place of the same time.
const AFTER: &str = "~";

/// A time as text. The order of the texts is the order of the times.
fn text(time: Timestamp) -> String {
    Moment::from(time).to_string()
}

/// The sort key of an item that is due at `look` and has waited since then.
#[must_use]
pub fn place(look: Timestamp) -> String {
    text(look)
}

/// The sort key of an item that is due at `look` and has waited since `since`.
#[must_use]
pub fn place_since(look: Timestamp, since: Timestamp) -> String {
    format!("{}#{}", text(look), text(since))
}

/// The time at which the item of this place is due; `None` if the text is no place.
#[must_use]
pub fn look(place: &str) -> Option<Timestamp> {
    place.split('#').next()?.parse().ok()
}

/// The time since which the item of this place has waited.
#[must_use]
pub fn since(place: &str) -> Option<Timestamp> {
    place.rsplit('#').next()?.parse().ok()
}

/// The item's place in its index; `None` if the item is in no index.
#[must_use]
pub fn place_of(item: &Item) -> Option<&str> {
    item.get(SORT)?.as_str()
}

/// The same write, which also moves the item to another place in its index.
#[must_use]
pub fn move_to(update: Update, place: String) -> Update {
    update.set(Path::of(SORT), place)
}

/// The same write, which also removes the item from its index.
#[must_use]
pub fn leave(update: Update) -> Update {
    update.remove(Path::of(PARTITION)).remove(Path::of(SORT))
}

/// The items of a table that wait for one kind of work, in the index [`Index::Gsi1`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueIndex {
    table: TableName,
    name: String,
    buckets: u8,
}

impl DueIndex {
    /// An index with this name in a table, spread over `buckets` partitions named `{name}-00` and so on. DynamoDB
    /// accepts 1,000 writes a second in a partition. The method limits `buckets` to the range from 1 to 16, since one
    /// hexadecimal digit of the item's key chooses the partition.
    #[must_use]
    pub fn new(table: TableName, name: impl Into<String>, buckets: u8) -> Self {
        let (name, buckets) = (name.into(), buckets.clamp(1, 16));
        Self {
            table,
            name,
            buckets,
        }
    }

    /// The same write, which also enters the item into this index at this place.
    #[must_use]
    pub fn enter(&self, update: Update, place: String) -> Update {
        let partition = self.partition(self.bucket(&update.key));
        move_to(update.set(Path::of(PARTITION), partition), place)
    }

    fn partition(&self, bucket: u8) -> String {
        format!("{}-{bucket:02}", self.name)
    }

    /// The number of the item's partition in the index, from the last hexadecimal digit of the item's partition key.
    /// The partition key ends in the id of a subject or a saga, and an id ends in random bits or in a hash. So items
    /// spread evenly.
    fn bucket(&self, key: &Key) -> u8 {
        let last = key.pk.chars().last().and_then(|last| last.to_digit(16));
        let digit = last.and_then(|digit| u8::try_from(digit).ok());
        digit.unwrap_or_default() % self.buckets
    }
}

/// An item that is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueItem {
    /// The place of the item in its index.
    pub place: String,
    /// The partition key of the item.
    pub pk: String,
    /// The sort key of the item.
    pub sk: String,
}

impl DueItem {
    fn of(item: &Item) -> Option<Self> {
        let text = |name: &str| Some(item.get(name)?.as_str()?.to_owned());
        Some(Self {
            place: text(SORT)?,
            pk: text("pk")?,
            sk: text("sk")?,
        })
    }

    /// The time since which the item has waited.
    #[must_use]
    pub fn since(&self) -> Option<Timestamp> {
        since(&self.place)
    }
}

/// A partition, and the place up to which it has been read.
struct Partition {
    table: TableName,
    name: String,
    from: Option<String>,
    /// Items that were already returned. The next query begins at the place where the last page ended, so it finds some
    /// of these items again.
    seen: BTreeSet<DueItem>,
    limit: usize,
}

/// Reads the items that are due, in pages.
pub struct Due {
    tables: Arc<dyn Tables>,
    below: String,
    page: usize,
    /// The partitions with unread items.
    partitions: Vec<Partition>,
}

impl Due {
    /// The items of these indexes that are due at `now`, in pages of `page` items of each partition.
    #[must_use]
    pub fn of(
        tables: Arc<dyn Tables>,
        indexes: impl IntoIterator<Item = DueIndex>,
        now: Timestamp,
        page: usize,
    ) -> Self {
        let page = page.max(1);
        let partitions = indexes.into_iter().flat_map(|index| {
            let buckets = 0..index.buckets;
            let partition = move |bucket| Partition {
                table: index.table,
                name: index.partition(bucket),
                from: None,
                seen: BTreeSet::new(),
                limit: page,
            };
            buckets.map(partition)
        });
        Self {
            tables,
            below: text(now) + AFTER,
            page,
            partitions: partitions.collect(),
        }
    }

    /// The next items of all partitions together, in the order of their places. The result is empty once no due item is
    /// left.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    pub async fn next(&mut self) -> Result<Vec<DueItem>, TableError> {
        while !self.partitions.is_empty() {
            let tables = &self.tables;
            let queries = self.partitions.iter().map(|partition| {
                let query = IndexQuery {
                    table: partition.table,
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
                    // More items share one place than fit in a page. A larger page gets past this place.
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

/// Puts off an item that is due at `now` and cannot be handled yet: the item is due again after `pause`. The write
/// changes the item's place, on the condition that the place has not changed since the item was read. If the item
/// counts its writes in `rev`, this write also increments `rev`. A writer with an older copy of the item then fails,
/// and reads the item again.
///
/// True if the item was put off; false if another process moved or removed it meanwhile.
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
    let is_due = |place: &&str| **place < *(text(now) + AFTER);
    let Some(before) = place_of(&item).filter(is_due) else {
        return Ok(false);
    };
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    let look = now.checked_add(pause).unwrap_or(Timestamp::MAX);
    let after = place_since(look, since(before).unwrap_or(now));
    let unmoved = Condition::Equals(Path::of(SORT), before.into());
    let update = move_to(Update::of(key.clone()), after);
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
