//! Tables whose reads may return an older state.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alpes_ports::{
    Consistency, Direction, Found, Index, IndexPage, IndexQuery, Item, Key, ScanPage, TableError,
    TableName, Tables, TransactError, Write, WriteError,
};
use async_trait::async_trait;
use serde_json::Value;
use twins::MemoryTables;

use crate::Kernel;

/// How many milliseconds a read, or an entry of an index, lags at most.
pub const LAG: u64 = 3_000;
/// The secondary indexes.
const INDEXES: [Index; 2] = [Index::Gsi1, Index::Gsi2];

/// The state of an item until the time `until`.
struct Was {
    until: u64,
    item: Option<Item>,
}

/// When a secondary index shows a write of an item: the old entry vanishes and the new entry appears, each at its own
/// time.
#[derive(Clone, Copy)]
struct Seen {
    out: u64,
    put: u64,
}

impl Seen {
    fn last(self) -> u64 {
        self.out.max(self.put)
    }
}

/// A write of an item that some index does not show yet.
struct Change {
    before: Option<Item>,
    after: Option<Item>,
    /// When each index shows the write, in the order of [`INDEXES`].
    seen: [Seen; 2],
}

/// Tables whose eventually consistent reads now and then return an older state, as reads of `DynamoDB` may. Each item
/// is read as it was at some moment of the last 3 seconds, so a later read may return an older state than an earlier
/// one. The entries of secondary indexes lag item by item, each for its own time: an item that moves from one partition
/// of an index to another may be in both partitions for a while, or in neither.
pub struct Stale {
    kernel: Kernel,
    inner: Arc<MemoryTables>,
    one_in: u64,
    past: Mutex<BTreeMap<Key, Vec<Was>>>,
    /// The writes that indexes do not show yet, by item, in order.
    lagging: Mutex<BTreeMap<Key, Vec<Change>>>,
}

impl Stale {
    /// One in `one_in` of the reads that may be stale is stale, and one in `one_in` index entries lags; 0 means none.
    #[must_use]
    pub fn new(kernel: Kernel, inner: Arc<MemoryTables>, one_in: u64) -> Self {
        Self {
            kernel,
            inner,
            one_in,
            past: Mutex::default(),
            lagging: Mutex::default(),
        }
    }

    fn past(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<Was>>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lagging(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<Change>>> {
        self.lagging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The past moment that a read shows; `None` if it shows the present.
    fn moment(&self) -> Option<u64> {
        let dice = self.kernel.dice();
        if !dice.one_in(self.one_in) {
            return None;
        }
        self.kernel.count("fault", "stale read");
        let lag = dice.below(LAG);
        Some(self.kernel.elapsed().saturating_sub(lag))
    }

    /// Makes writes, and remembers the state that their items had before.
    async fn keep<E>(
        &self,
        writes: &[Write],
        done: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        if self.one_in == 0 {
            return done.await;
        }
        let keys = writes.iter().map(Write::key);
        let before: Vec<_> = keys
            .map(|key| (key.clone(), self.inner.item(key)))
            .collect();
        done.await?;
        let now = self.kernel.elapsed();
        for (key, item) in before {
            self.lag(&key, item.as_ref(), now);
            let mut past = self.past();
            let was = past.entry(key).or_default();
            was.retain(|was| was.until + LAG > now);
            was.push(Was { until: now, item });
        }
        Ok(())
    }

    /// Decides when the indexes show a write of an item.
    fn lag(&self, key: &Key, before: Option<&Item>, now: u64) {
        let after = self.inner.item(key);
        let indexed = |item: Option<&Item>| {
            INDEXES.map(|index| item.and_then(|item| place(index, item)).is_some())
        };
        let (was, is) = (indexed(before), indexed(after.as_ref()));
        let mut lagging = self.lagging();
        if lagging
            .get(key)
            .is_some_and(|changes| are_over(changes, now))
        {
            lagging.remove(key);
        }
        let earlier = lagging.get(key).and_then(|changes| changes.last());
        let is_behind = earlier.is_some();
        // An index applies the writes of an item in their order.
        let earliest = earlier.map_or([now; 2], |change| change.seen.map(Seen::last));
        let mut seen = [Seen { out: now, put: now }; 2];
        for (((seen, earliest), was), is) in seen.iter_mut().zip(earliest).zip(was).zip(is) {
            if was || is {
                *seen = Seen {
                    out: self.later(now).max(earliest),
                    put: self.later(now).max(earliest),
                };
            }
        }
        let lags = seen.iter().any(|seen| seen.last() > now);
        if lags {
            self.kernel.count("fault", "index lags");
        }
        if lags || is_behind {
            lagging.entry(key.clone()).or_default().push(Change {
                before: before.cloned(),
                after,
                seen,
            });
        }
    }

    /// The time at which an index shows a write: now, or less than [`LAG`] milliseconds later.
    fn later(&self, now: u64) -> u64 {
        let dice = self.kernel.dice();
        let lags = dice.one_in(self.one_in);
        now + if lags { dice.below(LAG) } else { 0 }
    }

    /// The items of the query's table whose last writes the index does not show yet: the keys of these items, and the
    /// entries that the index has for them now. `None` if the index shows every write.
    fn behind(&self, query: &IndexQuery) -> Option<(BTreeSet<Key>, Vec<Item>)> {
        let number = INDEXES.iter().position(|index| *index == query.index)?;
        let now = self.kernel.elapsed();
        let mut lagging = self.lagging();
        let first = Key::new(query.table, "", "");
        let of_table = lagging.range_mut(first..);
        let of_table = of_table.take_while(|(key, _)| key.table == query.table);
        let (mut keys, mut entries, mut over) = (BTreeSet::new(), vec![], vec![]);
        for (key, changes) in of_table {
            if are_over(changes, now) {
                over.push(key.clone());
                continue;
            }
            let found = entries_of(changes, query.index, number, now);
            let found = found.into_iter().filter(|item| is_in(query, item));
            entries.extend(found.map(|item| with_key(key, item)));
            keys.insert(key.clone());
        }
        for key in over {
            lagging.remove(&key);
        }
        (!keys.is_empty()).then_some((keys, entries))
    }

    /// The result of a query on a secondary index that lags.
    async fn query_lagging(
        &self,
        query: &IndexQuery,
        (keys, entries): (BTreeSet<Key>, Vec<Item>),
    ) -> Result<IndexPage, TableError> {
        let all = IndexQuery {
            limit: usize::MAX,
            ..query.clone()
        };
        let mut items = self.inner.query(&all).await?.items;
        items.retain(|item| !keys.contains(&key_of(query.table, item)));
        items.extend(entries);
        let (_, sort) = query.index.attributes();
        let text = |item: &Item, name: &str| {
            let value = item.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        items.sort_by_cached_key(|item| (text(item, sort), key_of(query.table, item)));
        if query.direction == Direction::Descending {
            items.reverse();
        }
        let more = items.len() > query.limit;
        items.truncate(query.limit);
        Ok(IndexPage { items, more })
    }
}

/// True if every index shows all these writes.
fn are_over(changes: &[Change], now: u64) -> bool {
    let mut seen = changes.iter().flat_map(|change| change.seen);
    seen.all(|seen| seen.last() <= now)
}

/// The place of an item in an index: the partition and the sort value.
fn place(index: Index, item: &Item) -> Option<(&str, &str)> {
    let (partition, sort) = index.attributes();
    let text = |name: &str| item.get(name)?.as_str();
    Some((text(partition)?, text(sort)?))
}

/// True if the query covers the item's place.
fn is_in(query: &IndexQuery, item: &Item) -> bool {
    place(query.index, item).is_some_and(|(partition, sort)| {
        let from = query.from.as_deref().is_none_or(|from| sort >= from);
        let below = query.below.as_deref().is_none_or(|below| sort < below);
        partition == query.partition && from && below
    })
}

/// The entries that an index has of an item after these writes.
fn entries_of(changes: &[Change], index: Index, number: usize, now: u64) -> Vec<Item> {
    let of = |item: &Option<Item>| {
        let place = item.as_ref().and_then(|item| place(index, item));
        place.map(|(partition, sort)| (partition.to_owned(), sort.to_owned()))
    };
    let first = changes.first().and_then(|change| change.before.clone());
    let mut entries: BTreeMap<_, Item> = of(&first).zip(first).into_iter().collect();
    for change in changes {
        let Some(seen) = change.seen.get(number) else {
            continue;
        };
        let (from, to) = (of(&change.before), of(&change.after));
        if let Some(from) = from
            && Some(&from) != to.as_ref()
            && seen.out <= now
        {
            entries.remove(&from);
        }
        if let Some((to, item)) = to.zip(change.after.clone())
            && seen.put <= now
        {
            entries.insert(to, item);
        }
    }
    entries.into_values().collect()
}

fn with_key(key: &Key, mut item: Item) -> Item {
    item.insert("pk".into(), key.pk.clone().into());
    item.insert("sk".into(), key.sk.clone().into());
    item
}

fn key_of(table: TableName, item: &Item) -> Key {
    let text = |name: &str| {
        let value = item.get(name).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    Key::new(table, text("pk"), text("sk"))
}

/// The state at a past moment; `None` if it is the present state.
fn at(was: &[Was], moment: u64) -> Option<&Was> {
    was.iter().find(|was| was.until > moment)
}

#[async_trait]
impl Tables for Stale {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        let mut found = self.inner.get(keys, consistency).await?;
        if consistency == Consistency::Strong {
            return Ok(found);
        }
        for (key, found) in keys.iter().zip(&mut found) {
            if let Some(moment) = self.moment() {
                let past = self.past();
                if let Some(was) = past.get(key).and_then(|was| at(was, moment)) {
                    found.clone_from(&was.item);
                }
            }
        }
        Ok(found)
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let writes = std::slice::from_ref(write);
        self.keep(writes, self.inner.write(write)).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.keep(writes, self.inner.transact(writes)).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        match self.behind(query) {
            Some(behind) => self.query_lagging(query, behind).await,
            None => self.inner.query(query).await,
        }
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.inner.scan(table, after).await
    }
}

#[cfg(test)]
mod tests {
    use alpes_ports::Condition;
    use futures::executor::block_on;
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::Trace;

    const TABLE: TableName = TableName("t");

    fn write(tables: &Stale, kernel: &Kernel, number: u64) {
        let item = json!({"n": number, "gsi1pk": format!("p{number}"), "gsi1sk": "s"});
        let put = Write::Put {
            key: Key::new(TABLE, "a", "s"),
            item: item.as_object().unwrap().clone(),
            condition: Condition::Always,
        };
        block_on(tables.write(&put)).unwrap();
        kernel.run_until(kernel.elapsed() + 1_000);
    }

    fn read(tables: &Stale, consistency: Consistency) -> Option<u64> {
        let key = Key::new(TABLE, "a", "s");
        let item = block_on(tables.get_one(&key, consistency)).unwrap();
        item.and_then(|item| item["n"].as_u64())
    }

    #[test]
    fn what_may_lag_tells_how_things_were_and_no_longer_ago_than_it_may() {
        let kernel = Kernel::new(1, Timestamp::UNIX_EPOCH, Trace::default());
        let stale = Stale::new(kernel.clone(), Arc::new(MemoryTables::new()), 1);
        for number in 1..=5 {
            write(&stale, &kernel, number);
        }
        let mut seen: Vec<_> = (0..100)
            .map(|_| read(&stale, Consistency::Eventual))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [Some(3), Some(4), Some(5)]);
        assert_eq!(read(&stale, Consistency::Strong), Some(5));
    }

    fn found(tables: &Stale, partition: u64) -> bool {
        let query = IndexQuery {
            table: TABLE,
            index: Index::Gsi1,
            partition: format!("p{partition}"),
            from: None,
            below: None,
            direction: Direction::Ascending,
            limit: 1,
        };
        !block_on(tables.query(&query)).unwrap().items.is_empty()
    }

    #[test]
    fn an_entry_that_moves_is_in_one_partition_in_both_or_in_none_and_then_where_its_item_is() {
        let mut seen = BTreeSet::new();
        for seed in 0..40 {
            let kernel = Kernel::new(seed, Timestamp::UNIX_EPOCH, Trace::default());
            let stale = Stale::new(kernel.clone(), Arc::new(MemoryTables::new()), 1);
            write(&stale, &kernel, 1);
            kernel.run_until(kernel.elapsed() + LAG);
            assert!(found(&stale, 1));
            write(&stale, &kernel, 2);
            seen.insert((found(&stale, 1), found(&stale, 2)));
            kernel.run_until(kernel.elapsed() + LAG);
            assert_eq!((found(&stale, 1), found(&stale, 2)), (false, true));
            // The index applies delayed writes in their order.
            write(&stale, &kernel, 3);
            write(&stale, &kernel, 2);
            kernel.run_until(kernel.elapsed() + 2 * LAG);
            assert_eq!((found(&stale, 3), found(&stale, 2)), (false, true));
        }
        let all = [(true, false), (true, true), (false, false), (false, true)];
        assert_eq!(seen, all.into_iter().collect());
    }
}
