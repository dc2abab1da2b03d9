//! Tables on which transactions conflict.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use alpes_ports::{
    Consistency, Found, IndexPage, IndexQuery, Key, ScanPage, TableError, TableName, Tables,
    TransactError, Write, WriteError,
};
use async_trait::async_trait;
use twins::MemoryTables;

use crate::Kernel;

/// Tables on which a write may meet an item that another transaction is changing. The write then fails and changes
/// nothing.
///
/// A cancelled transaction reports a reason for each of its writes. The conditions of conflicting writes were not
/// examined, while the conditions of the other writes may fail as well. Like the `DynamoDB` adapter, this wrapper
/// returns the failed conditions if there are any, and otherwise an error that says to retry.
pub struct Contended {
    kernel: Kernel,
    tables: Arc<MemoryTables>,
    inner: Arc<dyn Tables>,
    one_in: Arc<AtomicU64>,
}

impl Contended {
    /// Wraps `inner`, which keeps its items in `tables`. One write in `one_in` conflicts; 0 means none.
    #[must_use]
    pub fn new(
        kernel: Kernel,
        tables: Arc<MemoryTables>,
        inner: Arc<dyn Tables>,
        one_in: Arc<AtomicU64>,
    ) -> Self {
        Self {
            kernel,
            tables,
            inner,
            one_in,
        }
    }

    fn happens(&self) -> bool {
        let one_in = self.one_in.load(Ordering::SeqCst);
        let happens = self.kernel.dice().one_in(one_in);
        if happens {
            self.kernel.count("fault", "conflict");
        }
        happens
    }
}

fn conflict() -> TableError {
    TableError::Unavailable("TransactionConflict".into())
}

#[async_trait]
impl Tables for Contended {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        self.inner.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        if self.happens() {
            return Err(conflict().into());
        }
        self.inner.write(write).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        if !self.happens() {
            return self.inner.transact(writes).await;
        }
        let dice = self.kernel.dice();
        let certain = dice.below(u64::try_from(writes.len()).unwrap_or(0));
        let in_conflict: Vec<bool> = (0..)
            .zip(writes)
            .map(|(place, _)| place == certain || dice.one_in(3))
            .collect();
        let mut failed = self.tables.refused(writes);
        failed.retain(|place| in_conflict.get(*place) == Some(&false));
        self.kernel.note(format_args!(
            "a conflict, and the conditions {failed:?} fail"
        ));
        if failed.is_empty() {
            return Err(conflict().into());
        }
        self.kernel
            .count("fault", "conflict among failed conditions");
        Err(TransactError::ConditionsFailed(failed))
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.inner.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.inner.scan(table, after).await
    }
}

#[cfg(test)]
mod tests {
    use alpes_ports::{Condition, Item};
    use futures::executor::block_on;
    use jiff::Timestamp;

    use super::*;
    use crate::Trace;

    const TABLE: TableName = TableName("t");

    fn put(pk: &str, condition: Condition) -> Write {
        Write::Put {
            key: Key::new(TABLE, pk, "s"),
            item: Item::new(),
            condition,
        }
    }

    #[test]
    fn a_conflict_writes_nothing_and_hides_what_was_not_looked_at() {
        let kernel = Kernel::new(1, Timestamp::UNIX_EPOCH, Trace::default());
        let tables = Arc::new(MemoryTables::new());
        let one_in = Arc::new(AtomicU64::new(1));
        let contended = Contended::new(kernel, tables.clone(), tables.clone(), one_in.clone());
        let good = [put("a", Condition::Always), put("b", Condition::Absent)];
        let bad = [put("a", Condition::Exists), put("b", Condition::Exists)];
        let mut told = vec![];
        for _ in 0..50 {
            let refused = block_on(contended.transact(&good));
            assert_eq!(refused, Err(conflict().into()));
            told.push(block_on(contended.transact(&bad)).unwrap_err());
        }
        for places in [vec![0], vec![1]] {
            assert!(told.contains(&TransactError::ConditionsFailed(places)));
        }
        assert!(!told.contains(&TransactError::ConditionsFailed(vec![0, 1])));
        assert!(tables.all(TABLE).is_empty());
        one_in.store(0, Ordering::SeqCst);
        assert_eq!(block_on(contended.transact(&good)), Ok(()));
        assert_eq!(tables.all(TABLE).len(), 2);
    }
}
