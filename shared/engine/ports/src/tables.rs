//! Tables of JSON items with conditional writes. On AWS, the tables are in DynamoDB.
//!
//! The operations are data. So a protocol built on these operations is the same code over DynamoDB and over its
//! in-memory twin, and a simulation can inspect, delay, fail or repeat each operation.
//!
//! Every table has the keys `pk` and `sk`. Its indexes, if it has any, have the keys `gsi1pk`/`gsi1sk` and
//! `gsi2pk`/`gsi2sk`. An item is in an index exactly when it has both of the index's attributes.

use async_trait::async_trait;
use futures::{StreamExt, stream};
use serde_json::{Map, Value};
use thiserror::Error;

/// The number of reads that run side by side when `get_each` reads each item alone.
const AT_ONCE: usize = 16;

/// An item maps attribute names to JSON values. Numbers are integers.
pub type Item = Map<String, Value>;

/// The items that a read of several keys found, each in the position of its key; `None` if no item has the key.
pub type Found = Vec<Option<Item>>;

/// The logical name of a table; adapters map it to a physical one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(pub &'static str);

/// The primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The table.
    pub table: TableName,
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    /// A key of `table`.
    pub fn new(table: TableName, pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self {
            table,
            pk: pk.into(),
            sk: sk.into(),
        }
    }
}

/// An attribute, or one entry of an attribute that is an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The attribute.
    pub attribute: String,
    /// The name of the entry; `None` for the whole attribute.
    pub entry: Option<String>,
}

impl Path {
    /// A whole attribute.
    pub fn of(attribute: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            entry: None,
        }
    }

    /// One entry of an attribute that is an object and exists.
    pub fn entry(attribute: impl Into<String>, entry: impl Into<String>) -> Self {
        Self {
            attribute: attribute.into(),
            entry: Some(entry.into()),
        }
    }
}

/// The condition of a write.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Condition {
    /// The condition always holds.
    #[default]
    Always,
    /// The item exists.
    Exists,
    /// The item does not exist.
    Absent,
    /// The attribute exists and equals the value.
    Equals(Path, Value),
    /// The attribute exists, is a number, and is less than this number.
    Less(Path, i64),
    /// The attribute exists, is a number, and is at least this number.
    AtLeast(Path, i64),
    /// All of these conditions hold.
    All(Vec<Condition>),
    /// At least one of these conditions holds.
    Any(Vec<Condition>),
}

/// Changes to one item, made together or not at all. If the item does not exist, the update creates it.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The item to change.
    pub key: Key,
    /// The condition of the write.
    pub condition: Condition,
    /// Attributes to set.
    pub set: Vec<(Path, Value)>,
    /// Lists to append to; a missing list starts empty.
    pub append: Vec<(Path, Vec<Value>)>,
    /// Numbers to add to; a missing number starts at 0.
    pub add: Vec<(Path, i64)>,
    /// Attributes to remove.
    pub remove: Vec<Path>,
}

impl Update {
    /// An update of the item with this key, without changes yet.
    #[must_use]
    pub fn of(key: Key) -> Self {
        Self {
            key,
            condition: Condition::Always,
            set: vec![],
            append: vec![],
            add: vec![],
            remove: vec![],
        }
    }

    /// Makes the update conditional.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.condition = condition;
        self
    }

    /// Sets an attribute or entry.
    #[must_use]
    pub fn set(mut self, path: Path, value: impl Into<Value>) -> Self {
        self.set.push((path, value.into()));
        self
    }

    /// Appends to a list.
    #[must_use]
    pub fn append(mut self, path: Path, values: Vec<Value>) -> Self {
        self.append.push((path, values));
        self
    }

    /// Adds to a number.
    #[must_use]
    pub fn add(mut self, path: Path, amount: i64) -> Self {
        self.add.push((path, amount));
        self
    }

    /// Removes an attribute or entry.
    #[must_use]
    pub fn remove(mut self, path: Path) -> Self {
        self.remove.push(path);
        self
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Changes an item, or creates it.
    Update(Update),
    /// Replaces an item whole, or creates it.
    Put {
        /// The item to replace.
        key: Key,
        /// The new content of the item, without `pk` and `sk`.
        item: Item,
        /// The condition on the old item.
        condition: Condition,
    },
    /// Removes an item. Removing an item that does not exist succeeds.
    Delete {
        /// The item to remove.
        key: Key,
        /// The condition of the write.
        condition: Condition,
    },
}

impl Write {
    /// The key of the written item.
    #[must_use]
    pub fn key(&self) -> &Key {
        match self {
            Self::Update(update) => &update.key,
            Self::Put { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// The condition of the write.
    #[must_use]
    pub fn condition(&self) -> &Condition {
        match self {
            Self::Update(update) => &update.condition,
            Self::Put { condition, .. } | Self::Delete { condition, .. } => condition,
        }
    }
}

impl From<Update> for Write {
    fn from(update: Update) -> Self {
        Self::Update(update)
    }
}

/// The consistency of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// The read sees every write that was acknowledged before it.
    Strong,
    /// The read may miss recent writes, and costs half as much as a strongly consistent read.
    Eventual,
}

/// The order in which a query reads a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// The table's own order, by `pk` and `sk`. Reads in this order are strongly consistent. Reads of the other indexes
    /// may miss recent writes.
    Primary,
    /// The order by `gsi1pk` and `gsi1sk`.
    Gsi1,
    /// The order by `gsi2pk` and `gsi2sk`.
    Gsi2,
}

impl Index {
    /// Name of the index; `None` for the table itself.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Primary => None,
            Self::Gsi1 => Some("gsi1"),
            Self::Gsi2 => Some("gsi2"),
        }
    }

    /// The attributes that are the partition key and the sort key of this index.
    #[must_use]
    pub const fn attributes(self) -> (&'static str, &'static str) {
        match self {
            Self::Primary => ("pk", "sk"),
            Self::Gsi1 => ("gsi1pk", "gsi1sk"),
            Self::Gsi2 => ("gsi2pk", "gsi2sk"),
        }
    }
}

/// The direction of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Smallest sort key first.
    Ascending,
    /// Greatest sort key first.
    Descending,
}

/// A range of one partition of an index.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexQuery {
    /// The table.
    pub table: TableName,
    /// The index of the table.
    pub index: Index,
    /// The partition of the index.
    pub partition: String,
    /// Only sort keys at or above this text.
    pub from: Option<String>,
    /// Only sort keys **below** this text.
    pub below: Option<String>,
    /// The direction of the query.
    pub direction: Direction,
    /// At most this many items.
    pub limit: usize,
}

/// Items of an index, in the order that the query asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexPage {
    /// The items, with their `pk` and `sk`.
    pub items: Vec<Item>,
    /// True if the range may have further items; false if it certainly has none.
    pub more: bool,
}

/// A page of a scan of a whole table.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanPage {
    /// The items, with their `pk` and `sk`.
    pub items: Vec<Item>,
    /// The key after which the next page begins; `None` at the end.
    pub next: Option<Key>,
}

/// Errors of a call to a table.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TableError {
    /// The table did not answer or throttled the request, another transaction conflicted, or the table cannot be
    /// accessed. A write **may have happened**. The same request may succeed later.
    #[error("the table did not answer: {0}")]
    Unavailable(String),
    /// The table refuses the request, and refuses it again at every repetition (malformed, too large).
    #[error("the table refused the request: {0}")]
    Refused(String),
}

/// Errors of a write.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WriteError {
    /// The condition does not hold. The cause may be **this very write**: if the write took effect and its answer was
    /// lost, a retry of the write gets this error.
    #[error("the condition of the write does not hold")]
    ConditionFailed,
    /// Any other error.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Errors of a transaction.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TransactError {
    /// Nothing was written. The conditions of the writes at these positions (from 0) do not hold.
    #[error("conditions of writes {0:?} of the transaction do not hold")]
    ConditionsFailed(Vec<usize>),
    /// Any other error.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Tables of items.
#[async_trait]
pub trait Tables: Send + Sync {
    /// Reads any number of items. Duplicate keys are allowed.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError>;

    /// Makes one write if its condition holds.
    ///
    /// # Errors
    ///
    /// See [`WriteError`].
    async fn write(&self, write: &Write) -> Result<(), WriteError>;

    /// Makes all writes if all their conditions hold, otherwise none. A transaction has 1 to 100 writes, each of a
    /// different item.
    ///
    /// # Errors
    ///
    /// See [`TransactError`].
    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError>;

    /// Reads part of an index.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError>;

    /// Reads part of a whole table, strongly consistent, in no defined order. A scan reads every item, so its cost
    /// grows with the table.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError>;

    /// Reads one item.
    ///
    /// # Errors
    ///
    /// See [`TableError`].
    async fn get_one(
        &self,
        key: &Key,
        consistency: Consistency,
    ) -> Result<Option<Item>, TableError> {
        let mut found = self.get(std::slice::from_ref(key), consistency).await?;
        Ok(found.pop().flatten())
    }

    /// Reads any number of items, each result in the position of its key. If an item cannot be read, perhaps because
    /// another program wrote it, the others are still read. Duplicate keys are allowed.
    async fn get_each(
        &self,
        keys: &[Key],
        consistency: Consistency,
    ) -> Vec<Result<Option<Item>, TableError>> {
        let failed = match self.get(keys, consistency).await {
            Ok(items) => return items.into_iter().map(Ok).collect(),
            Err(error) => error,
        };
        if keys.len() == 1 || !matches!(failed, TableError::Refused(_)) {
            return keys.iter().map(|_| Err(failed.clone())).collect();
        }
        let reads: Vec<_> = keys
            .iter()
            .map(|key| self.get_one(key, consistency))
            .collect();
        stream::iter(reads).buffered(AT_ONCE).collect().await
    }
}
