//! What the last deployment declared, so that the next one can remove what is gone from the templates.

use std::collections::BTreeSet;

use crate::{error::AwsError, store::Store};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS deploy_declared
    (kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID";

/// The resources of the last deployment, by kind and id.
pub struct Declared<'a> {
    store: &'a Store,
}

impl<'a> Declared<'a> {
    pub fn new(store: &'a Store) -> Result<Self, AwsError> {
        store.schema(SCHEMA)?;
        Ok(Self { store })
    }

    /// The resources of a kind that the last deployment declared, and that are not in `wanted`.
    pub fn others(&self, kind: &str, wanted: &BTreeSet<String>) -> Result<Vec<String>, AwsError> {
        self.store.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT id FROM deploy_declared WHERE kind = ?1")?;
            let ids = query.query_map([kind], |row| row.get::<_, String>(0))?;
            let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
            Ok(ids.into_iter().filter(|id| !wanted.contains(id)).collect())
        })
    }

    /// Replaces what the last deployment declared.
    pub fn replace(&self, all: &[(&str, BTreeSet<String>)]) -> Result<(), AwsError> {
        self.store.write(|transaction| {
            transaction.execute("DELETE FROM deploy_declared", [])?;
            let mut insert =
                transaction.prepare_cached("INSERT INTO deploy_declared VALUES (?1, ?2)")?;
            for (kind, ids) in all {
                for id in ids {
                    insert.execute([*kind, id.as_str()])?;
                }
            }
            Ok(())
        })
    }
}
