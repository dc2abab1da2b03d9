//! Tables that wrap other tables.

use std::ops::Deref;

use alpes_ports::{
    Consistency, Found, IndexPage, IndexQuery, Key, ScanPage, TableError, TableName, Tables,
    TransactError, Write, WriteError,
};
use async_trait::async_trait;

/// Tables that change some calls on their way to other tables. A method that is not overridden passes its call to
/// [`TablesOver::inner`]. [`Over`] turns an implementation into [`Tables`].
#[async_trait]
pub trait TablesOver: Send + Sync {
    /// The wrapped tables.
    fn inner(&self) -> &dyn Tables;

    /// See [`Tables::get`].
    ///
    /// # Errors
    ///
    /// The errors of [`Tables::get`].
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        self.inner().get(keys, consistency).await
    }

    /// See [`Tables::write`].
    ///
    /// # Errors
    ///
    /// The errors of [`Tables::write`].
    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.inner().write(write).await
    }

    /// See [`Tables::transact`].
    ///
    /// # Errors
    ///
    /// The errors of [`Tables::transact`].
    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.inner().transact(writes).await
    }

    /// See [`Tables::query`].
    ///
    /// # Errors
    ///
    /// The errors of [`Tables::query`].
    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.inner().query(query).await
    }

    /// See [`Tables::scan`].
    ///
    /// # Errors
    ///
    /// The errors of [`Tables::scan`].
    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.inner().scan(table, after).await
    }
}

/// The [`Tables`] that a [`TablesOver`] implements.
#[derive(Clone, Debug, Default)]
pub struct Over<T>(pub T);

impl<T> Deref for Over<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[async_trait]
impl<T: TablesOver> Tables for Over<T> {
    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        self.0.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        self.0.write(write).await
    }

    async fn transact(&self, writes: &[Write]) -> Result<(), TransactError> {
        self.0.transact(writes).await
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.0.query(query).await
    }

    async fn scan(&self, table: TableName, after: Option<&Key>) -> Result<ScanPage, TableError> {
        self.0.scan(table, after).await
    }
}
