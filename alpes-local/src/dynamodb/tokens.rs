//! The tokens of transactions: a transaction that comes again with its token within ten minutes is answered and not
//! executed again, also after a restart.
//!
//! A token is written in the commit of its transaction. So if the process dies before the client has its answer, the
//! client's repetition executes if and only if the transaction did not.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use dynoxide::{DynoxideError, storage::Storage};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::{Answer, DynamoDb, commits::in_one_commit};
use crate::{digest::sha256, names::now_millis};

pub(super) const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS dynamodb_tokens (
    operation TEXT NOT NULL, token TEXT NOT NULL, request BLOB NOT NULL, reply TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (operation, token)
) WITHOUT ROWID";

/// The time for which a token counts, in milliseconds.
const LIFE: u64 = 10 * 60 * 1000;

/// A request's token.
pub(super) struct Token {
    operation: String,
    name: String,
    request: Vec<u8>,
}

impl Token {
    /// The token of a request, if the request has one. `request` is the part that a repetition must have in common.
    pub fn of(
        operation: &str,
        name: Option<&str>,
        request: &impl Serialize,
    ) -> Result<Option<Self>, Answer> {
        let Some(name) = name else {
            return Ok(None);
        };
        // A JSON value has its members in order, so the digest does not depend on the order in which they were sent.
        let request = serde_json::to_value(request)?.to_string();
        Ok(Some(Self {
            operation: operation.to_owned(),
            name: name.to_owned(),
            request: sha256(request),
        }))
    }

    fn reply(&self, connection: &Connection) -> Result<Option<String>, Answer> {
        let mut find = connection.prepare_cached(
            "SELECT request, reply FROM dynamodb_tokens WHERE operation = ? AND token = ? AND at >= ?",
        )?;
        let oldest = now_millis().saturating_sub(LIFE);
        let found = find
            .query_row(params![self.operation, self.name, oldest], |row| {
                Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?))
            })
            .optional()?;
        match found {
            Some((request, _)) if request != self.request => {
                Err(DynoxideError::IdempotentParameterMismatchException(
                    "The provided client token is already in use with different parameters"
                        .to_owned(),
                )
                .into())
            }
            found => Ok(found.map(|(_, reply)| reply)),
        }
    }

    fn keep(&self, connection: &Connection, reply: &str) -> rusqlite::Result<()> {
        let mut insert = connection
            .prepare_cached("INSERT OR REPLACE INTO dynamodb_tokens VALUES (?, ?, ?, ?, ?)")?;
        insert.execute(params![
            self.operation,
            self.name,
            self.request,
            reply,
            now_millis()
        ])?;
        Ok(())
    }
}

/// Whether a request was executed now or before.
pub(super) enum Once {
    /// Now, with this answer.
    First(String),
    /// Before, with this answer.
    Repeated(String),
}

/// The tokens of requests in flight.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashSet<(String, String)>>);

impl Tokens {
    fn begin(&self, token: &Token) -> Result<InFlight<'_>, Answer> {
        let name = (token.operation.clone(), token.name.clone());
        if self.names().insert(name.clone()) {
            return Ok(InFlight { tokens: self, name });
        }
        Err(Answer::of(
            "TransactionInProgressException",
            "The transaction with the given request token is already in progress.",
        ))
    }

    fn names(&self) -> MutexGuard<'_, HashSet<(String, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct InFlight<'a> {
    tokens: &'a Tokens,
    name: (String, String),
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.tokens.names().remove(&self.name);
    }
}

impl DynamoDb {
    /// Executes a transaction, unless one with this token was executed before.
    pub(super) fn once(
        &self,
        token: Option<Token>,
        execute: impl FnOnce(&Storage) -> Result<String, Answer>,
    ) -> Result<Once, Answer> {
        let Some(token) = token else {
            let once = |storage: &Storage| self.undone_if_refused(storage, || execute(storage));
            return self.writing(once).map(Once::First);
        };
        let _in_flight = self.tokens.begin(&token)?;
        self.writing(|storage| {
            if let Some(reply) = token.reply(storage.conn())? {
                return Ok(Once::Repeated(reply));
            }
            in_one_commit(storage, || {
                let reply = execute(storage)?;
                token.keep(storage.conn(), &reply)?;
                Ok(Once::First(reply))
            })
        })
    }
}

/// Deletes the tokens that count no longer.
pub(super) fn expire(connection: &Connection) -> rusqlite::Result<usize> {
    let oldest = now_millis().saturating_sub(LIFE);
    connection.execute("DELETE FROM dynamodb_tokens WHERE at < ?", [oldest])
}
