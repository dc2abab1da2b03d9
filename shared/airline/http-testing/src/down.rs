//! Infrastructure that fails.

use alpes_ports::{
    Consistency, IndexPage, IndexQuery, Item, Key, Log, LogError, ScanPage, SequenceNumber,
    TableError, TableName, Tables, TransactError, Write, WriteError,
};
use async_trait::async_trait;

/// What infrastructure says when it fails: nothing that a client may see.
pub const SECRET: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/streams";

/// A log that takes nothing.
pub struct LogDown;

#[async_trait]
impl Log for LogDown {
    async fn append(
        &self,
        _: &str,
        _: &[u8],
        _: Option<&SequenceNumber>,
    ) -> Result<SequenceNumber, LogError> {
        Err(LogError::Unavailable(SECRET.into()))
    }
}

/// Tables that fail with this, whatever they are asked.
pub struct TablesDown(pub TableError);

#[async_trait]
impl Tables for TablesDown {
    async fn get(&self, _: &[Key], _: Consistency) -> Result<Vec<Option<Item>>, TableError> {
        Err(self.0.clone())
    }

    async fn write(&self, _: &Write) -> Result<(), WriteError> {
        Err(self.0.clone().into())
    }

    async fn transact(&self, _: &[Write]) -> Result<(), TransactError> {
        Err(self.0.clone().into())
    }

    async fn query(&self, _: &IndexQuery) -> Result<IndexPage, TableError> {
        Err(self.0.clone())
    }

    async fn scan(&self, _: TableName, _: Option<&Key>) -> Result<ScanPage, TableError> {
        Err(self.0.clone())
    }
}
