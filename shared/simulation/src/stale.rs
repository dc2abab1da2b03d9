//! Reads that may tell how things were.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use ports::{
    Condition, Consistency, Index, IndexPage, IndexQuery, Item, Key, ScanPage, TableError,
    TableName, Tables, TransactError, Write, WriteError, memory::MemoryTables,
};
use serde_json::Value;

use crate::Kernel;

/// By how many milliseconds a read lags at most.
pub const LAG: u64 = 3_000;

/// An item as it was until a moment.
struct Was {
    until: u64,
    item: Option<Item>,
}

/// Tables whose eventually consistent reads, and queries of their secondary indexes, tell an older state now and then, as
/// `DynamoDB`'s may: each item as it was at some moment of the last seconds. What was asked first may be answered by the newer one.
pub struct Stale {
    kernel: Kernel,
    inner: Arc<MemoryTables>,
    one_in: u64,
    past: Mutex<BTreeMap<Key, Vec<Was>>>,
}

impl Stale {
    /// Once in `one_in` reads that may be stale, one is; none if that is 0.
    #[must_use]
    pub fn new(kernel: Kernel, inner: Arc<MemoryTables>, one_in: u64) -> Self {
        Self {
            kernel,
            inner,
            one_in,
            past: Mutex::default(),
        }
    }

    fn past(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<Was>>> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The moment that a read tells of; `None` where it tells of now.
    fn moment(&self) -> Option<u64> {
        let dice = self.kernel.dice();
        if !dice.one_in(self.one_in) {
            return None;
        }
        self.kernel.count("fault", "stale read");
        let lag = dice.below(LAG);
        Some(self.kernel.elapsed().saturating_sub(lag))
    }

    /// Does a write, and keeps what was there before it.
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
        let mut past = self.past();
        for (key, item) in before {
            let was = past.entry(key).or_default();
            was.retain(|was| was.until + LAG > now);
            was.push(Was { until: now, item });
        }
        Ok(())
    }

    /// What a query of a secondary index would have found.
    async fn query_as_of(&self, query: &IndexQuery, moment: u64) -> Result<IndexPage, TableError> {
        let (partition, _) = query.index.attributes();
        let in_it =
            |item: &Item| item.get(partition).and_then(Value::as_str) == Some(&query.partition);
        let items = {
            let past = self.past();
            let mut items = self.inner.find(query.table, |key, item| {
                let was = past.get(key).and_then(|was| at(was, moment));
                let then = was.map_or(Some(item), |was| was.item.as_ref());
                let then = then.filter(|item| in_it(item));
                then.map(|item| (key.clone(), item.clone()))
            });
            let of = past.range(Key::new(query.table, "", "")..);
            for (key, was) in of.take_while(|(key, _)| key.table == query.table) {
                if let Some(item) = at(was, moment).and_then(|was| was.item.as_ref())
                    && in_it(item)
                    && self.inner.item(key).is_none()
                {
                    items.push((key.clone(), item.clone()));
                }
            }
            items
        };
        let tables = MemoryTables::new();
        for (key, item) in items {
            let put = Write::Put {
                key,
                item,
                condition: Condition::Always,
            };
            match tables.write(&put).await {
                Ok(()) | Err(WriteError::ConditionFailed) => {}
                Err(WriteError::Table(error)) => return Err(error),
            }
        }
        tables.query(query).await
    }
}

/// What was at a moment, where it is not what is.
fn at(was: &[Was], moment: u64) -> Option<&Was> {
    was.iter().find(|was| was.until > moment)
}

#[async_trait]
impl Tables for Stale {
    async fn get(
        &self,
        keys: &[Key],
        consistency: Consistency,
    ) -> Result<Vec<Option<Item>>, TableError> {
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
        if query.index != Index::Primary
            && let Some(moment) = self.moment()
        {
            return self.query_as_of(query, moment).await;
        }
        self.inner.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.inner.scan(table, after).await
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use jiff::Timestamp;
    use ports::Direction;
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
        let query = IndexQuery {
            table: TABLE,
            index: Index::Gsi1,
            partition: "p4".into(),
            from: None,
            below: None,
            direction: Direction::Ascending,
            limit: 1,
        };
        let found = (0..100).filter(|_| !block_on(stale.query(&query)).unwrap().items.is_empty());
        assert!((1..100).contains(&found.count()));
    }
}
