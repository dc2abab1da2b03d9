//! Several acts of the storage in one commit.

use dynoxide::{DynoxideError, storage::Storage};
use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

/// Runs an act in one transaction: a crash leaves all of it or nothing. Actions of `dynoxide` make transactions of their
/// own, or several of them; within `act`, their beginnings and ends are passed over. If `act` fails, nothing has changed.
///
/// `dynoxide` keeps tables' settings in memory as soon as they are read, and does not learn that this transaction failed.
/// So an act that changes the settings of a table that stays must not come here.
pub(super) fn in_one_commit<T, E: From<DynoxideError>>(
    storage: &Storage,
    act: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    storage.begin_transaction()?;
    let passing = Passing::over(storage.conn());
    let result = act();
    drop(passing);
    let result = result.and_then(|done| {
        storage.commit()?;
        Ok(done)
    });
    if result.is_err() {
        forget_unfinished(storage);
    }
    result
}

/// Ends a transaction that a panic has left open, or whose end failed. Nothing of it was acknowledged.
pub(super) fn forget_unfinished(storage: &Storage) {
    if !storage.conn().is_autocommit() {
        // A transaction that cannot be rolled back makes the next one fail, which says why.
        let _ = storage.rollback();
    }
}

/// While this lives, SQLite passes over the statements that begin or end a transaction.
struct Passing<'a>(&'a Connection);

impl<'a> Passing<'a> {
    fn over(connection: &'a Connection) -> Self {
        connection.authorizer(Some(|context: AuthContext<'_>| match context.action {
            AuthAction::Transaction { .. } => Authorization::Ignore,
            _ => Authorization::Allow,
        }));
        Self(connection)
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        self.0
            .authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
    }
}
