//! Mistakes that are put around what the system stands on: a search that is any good finds each of them.

use std::sync::Arc;

use async_trait::async_trait;
use ports::{
    Condition, Consistency, IndexPage, IndexQuery, Item, Key, Log, LogError, Notice, ObjectError,
    Objects, ScanPage, SequenceNumber, TableError, TableName, Tables, Topic, TopicError,
    TransactError, Write, WriteError,
};
use simulation::Dice;

use crate::functions::Ports;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Tables write whatever the condition says.
    BlindTables,
    /// The log loses records that it has acknowledged.
    LeakyLog,
    /// The archive loses objects that it has acknowledged.
    LeakyArchive,
    /// The topic loses messages that it has acknowledged.
    LeakyTopic,
    /// Views are not written, and said to be.
    DeafViews,
}

impl Planted {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::BlindTables,
        Self::LeakyLog,
        Self::LeakyArchive,
        Self::LeakyTopic,
        Self::DeafViews,
    ];

    /// Puts it around the ports.
    pub(crate) fn plant(self, ports: Ports, dice: &Dice) -> Ports {
        let dice = dice.clone();
        match self {
            Self::BlindTables | Self::DeafViews => Ports {
                tables: Arc::new(BadTables {
                    inner: ports.tables.clone(),
                    dice,
                    blind: self == Self::BlindTables,
                }),
                ..ports
            },
            Self::LeakyLog => Ports {
                log: Arc::new(Leaky(ports.log.clone(), dice)),
                ..ports
            },
            Self::LeakyArchive => Ports {
                archive: Arc::new(Leaky(ports.archive.clone(), dice)),
                ..ports
            },
            Self::LeakyTopic => Ports {
                topic: Arc::new(Leaky(ports.topic.clone(), dice)),
                ..ports
            },
        }
    }
}

/// Once in so many times it goes wrong.
const ONE_IN: u64 = 10;

struct Leaky<T: ?Sized>(Arc<T>, Dice);

#[async_trait]
impl Log for Leaky<dyn Log> {
    async fn append(
        &self,
        partition_key: &str,
        data: &[u8],
        after: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError> {
        if self.1.one_in(ONE_IN) {
            return Ok(SequenceNumber("49".into()));
        }
        self.0.append(partition_key, data, after).await
    }
}

#[async_trait]
impl Objects for Leaky<dyn Objects> {
    async fn put(&self, key: &str, data: &[u8]) -> Result<(), ObjectError> {
        if self.1.one_in(ONE_IN) {
            return Ok(());
        }
        self.0.put(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        self.0.get(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, ObjectError> {
        self.0.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectError> {
        self.0.delete(key).await
    }
}

#[async_trait]
impl Topic for Leaky<dyn Topic> {
    async fn publish(&self, notices: &[Notice]) -> Vec<Result<(), TopicError>> {
        if self.1.one_in(ONE_IN) {
            return notices.iter().map(|_| Ok(())).collect();
        }
        self.0.publish(notices).await
    }
}

struct BadTables {
    inner: Arc<dyn Tables>,
    dice: Dice,
    blind: bool,
}

impl BadTables {
    /// The write as it is done; `None` if it is not.
    fn bad(&self, write: &Write) -> Option<Write> {
        let mut write = write.clone();
        if !self.blind {
            let view = write.key().table == projections::TABLE;
            return (!view || !self.dice.one_in(ONE_IN)).then_some(write);
        }
        match &mut write {
            Write::Update(update) => update.condition = Condition::Always,
            Write::Put { condition, .. } | Write::Delete { condition, .. } => {
                *condition = Condition::Always;
            }
        }
        Some(write)
    }
}

#[async_trait]
impl Tables for BadTables {
    async fn get(
        &self,
        keys: &[Key],
        consistency: Consistency,
    ) -> Result<Vec<Option<Item>>, TableError> {
        self.inner.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        match self.bad(write) {
            Some(write) => self.inner.write(&write).await,
            None => Ok(()),
        }
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        let writes: Vec<_> = writes.iter().filter_map(|write| self.bad(write)).collect();
        if writes.is_empty() {
            return Ok(());
        }
        self.inner.transact(&writes).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.inner.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.inner.scan(table, after).await
    }
}
