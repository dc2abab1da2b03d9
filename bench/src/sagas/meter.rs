//! Ports that count each AWS call of a function and its billed units.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use alpes_ports::{
    CallError, Consistency, ExecutionError, Executions, Found, FunctionName, Functions,
    HistoryEvent, IndexPage, IndexQuery, Item, Key, Log, LogError, NewRecord, Progress, ScanPage,
    SequenceNumber, TableError, TableName, Tables, TransactError, Write, WriteError,
};
use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;
use twins::{MemoryExecutions, MemoryFunctions, MemoryLog, MemoryTables};

use super::units::{index_units, item_bytes, put_units, read_units, write_units};

/// DynamoDB bills twice the units of a table write if the write is part of a transaction. The units of index writes are
/// billed once in every case.
const IN_TRANSACTION: usize = 2;

/// The AWS calls and billed units of one function.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Share {
    /// The number of calls, by the API's name for each.
    pub calls: BTreeMap<&'static str, usize>,
    /// The write units of items.
    pub item_writes: usize,
    /// The write units of indexes.
    pub index_writes: usize,
    /// The read units.
    pub reads: usize,
    /// The put units of the Kinesis stream.
    pub puts: usize,
    /// The size in bytes of each item after a write outside of a transaction.
    pub written: Vec<usize>,
}

impl Share {
    pub fn count(&self, api: &str) -> usize {
        self.calls.get(api).copied().unwrap_or_default()
    }

    pub fn total(&self) -> usize {
        self.calls.values().sum()
    }

    pub fn write_units(&self) -> usize {
        self.item_writes + self.index_writes
    }

    fn call(&mut self, api: &'static str) {
        *self.calls.entry(api).or_default() += 1;
    }
}

/// The ports of one function, with counters.
#[derive(Clone)]
pub struct Metered {
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    functions: Arc<MemoryFunctions>,
    share: Arc<Mutex<Share>>,
}

impl Metered {
    pub fn new(
        tables: Arc<MemoryTables>,
        log: Arc<MemoryLog>,
        functions: Arc<MemoryFunctions>,
    ) -> Self {
        let share = Arc::default();
        Self {
            tables,
            log,
            functions,
            share,
        }
    }

    pub fn share(&self) -> Share {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the current item without counting the read.
    async fn look(&self, key: &Key) -> Result<Option<Item>, TableError> {
        self.tables.get_one(key, Consistency::Strong).await
    }

    fn read(&self, api: &'static str, items: &[Option<Item>]) {
        let mut share = self.lock();
        share.call(api);
        let units = items.iter().map(|item| read_units(item.as_ref()));
        share.reads += units.sum::<usize>();
    }
}

#[async_trait]
impl Tables for Metered {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        let found = self.tables.get(keys, consistency).await?;
        let one = found.len() == 1;
        self.read(if one { "GetItem" } else { "BatchGetItem" }, &found);
        Ok(found)
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        let before = self.look(write.key()).await?;
        let written = self.tables.write(write).await;
        let after = self.look(write.key()).await?;
        let mut share = self.lock();
        share.call(match write {
            Write::Update(_) => "UpdateItem",
            Write::Put { .. } => "PutItem",
            Write::Delete { .. } => "DeleteItem",
        });
        share.item_writes += write_units(before.as_ref(), after.as_ref());
        share.index_writes += index_units(before.as_ref(), after.as_ref());
        share.written.push(after.as_ref().map_or(0, item_bytes));
        written
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let mut before = vec![];
        for write in writes {
            before.push(self.look(write.key()).await?);
        }
        let written = self.tables.transact(writes).await;
        let (mut items, mut indexes) = (0, 0);
        for (write, before) in writes.iter().zip(before) {
            let after = self.look(write.key()).await?;
            items += IN_TRANSACTION * write_units(before.as_ref(), after.as_ref());
            indexes += index_units(before.as_ref(), after.as_ref());
        }
        let mut share = self.lock();
        share.call("TransactWriteItems");
        share.item_writes += items;
        share.index_writes += indexes;
        written
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let page = self.tables.query(query).await?;
        let items: Vec<_> = page.items.iter().cloned().map(Some).collect();
        self.read("Query", &items);
        Ok(page)
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        let page = self.tables.scan(table, after).await?;
        let items: Vec<_> = page.items.iter().cloned().map(Some).collect();
        self.read("Scan", &items);
        Ok(page)
    }
}

#[async_trait]
impl Log for Metered {
    async fn append(&self, record: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        let appended = self.log.append(record).await;
        let mut share = self.lock();
        share.call("PutRecord");
        share.puts += put_units(record.data.len());
        appended
    }
}

#[async_trait]
impl Functions for Metered {
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        self.lock().call("Invoke");
        self.functions.call(function, payload).await
    }

    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError> {
        self.lock().call("Invoke");
        self.functions.start(function, payload).await
    }
}

/// Step Functions for one function: counts the executions that the function starts and asks about.
pub struct MeteredExecutions {
    pub executions: MemoryExecutions,
    pub meter: Arc<Metered>,
}

#[async_trait]
impl Executions for MeteredExecutions {
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError> {
        self.meter.lock().call("StartExecution");
        self.executions.start(name, input).await
    }

    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError> {
        self.meter.lock().call("DescribeExecution");
        self.executions.progress(name).await
    }

    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError> {
        self.meter.lock().call("GetExecutionHistory");
        self.executions.history(name).await
    }
}

#[cfg(test)]
mod tests {
    use alpes_ports::Update;
    use futures::executor::block_on;

    use super::*;

    const TABLE: TableName = TableName("streams");

    fn metered() -> Metered {
        let (world, _) = twins::world(1);
        let log = Arc::new(MemoryLog::new(1, world.clock));
        Metered::new(Arc::default(), log, Arc::default())
    }

    fn write(sk: &str, bytes: usize) -> Write {
        let text = "x".repeat(bytes);
        let update = Update::of(Key::new(TABLE, "a", sk)).set(alpes_ports::Path::of("text"), text);
        let update = update.set(alpes_ports::Path::of("gsi1pk"), "sweep-01");
        update.set(alpes_ports::Path::of("gsi1sk"), "10:00").into()
    }

    #[test]
    fn each_call_counts_by_its_name_and_its_size() {
        let metered = metered();
        let key = Key::new(TABLE, "a", "one");
        block_on(metered.get_one(&key, Consistency::Strong)).unwrap();
        block_on(metered.write(&write("one", 1500))).unwrap();
        block_on(metered.transact(&[write("two", 100), write("three", 1500)])).unwrap();
        block_on(metered.append(NewRecord::new("a", b"{}"))).unwrap();
        let share = metered.share();
        let calls = [
            ("GetItem", 1),
            ("PutRecord", 1),
            ("TransactWriteItems", 1),
            ("UpdateItem", 1),
        ];
        assert_eq!(share.calls, calls.into());
        assert_eq!(share.item_writes, 2 + 2 * (1 + 2));
        assert_eq!(share.index_writes, 3);
        assert_eq!((share.reads, share.puts), (1, 1));
        assert_eq!((share.total(), share.write_units()), (4, 11));
    }

    #[test]
    fn several_keys_are_one_call_of_another_name() {
        let metered = metered();
        let keys = ["one", "two"].map(|sk| Key::new(TABLE, "a", sk));
        block_on(metered.get(&keys, Consistency::Strong)).unwrap();
        let share = metered.share();
        assert_eq!(share.calls, [("BatchGetItem", 1)].into());
        assert_eq!(share.reads, 2);
    }
}
