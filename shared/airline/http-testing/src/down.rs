//! Ports that fail on every call.

use alpes_ports::{
    Consistency, Found, IndexPage, IndexQuery, Key, Log, LogError, NewRecord, ScanPage,
    SequenceNumber, TableError, TableName, Tables, TransactError, Write, WriteError,
};
use async_trait::async_trait;

/// The text of an infrastructure error. No answer to a client may contain this text.
pub const SECRET: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/streams";

/// A log that fails on every append.
pub struct LogDown;

#[async_trait]
impl Log for LogDown {
    async fn append(&self, _: NewRecord<'_>) -> Result<SequenceNumber, LogError> {
        Err(LogError::Unavailable(SECRET.into()))
    }
}

/// Tables that return this error from every call.
pub struct TablesDown(pub TableError);

#[async_trait]
impl Tables for TablesDown {
    async fn get(&self, _: &[Key], _: Consistency) -> Result<Found, TableError> {
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
