//! The resources that deployments asked for. So the next deployment changes the resources that differ, and removes
//! those that are gone from the templates.

use std::collections::BTreeSet;

use rusqlite::OptionalExtension;

use super::resources::Kind;
use crate::{error::AwsError, store::Store};

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS deploy_resource (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    asked TEXT, -- NULL until the service has it
    PRIMARY KEY (kind, id)
) WITHOUT ROWID";

/// A resource as a template asks for it.
pub struct Asked {
    pub kind: Kind,
    /// The key of the resource among those of its kind.
    pub id: String,
    /// Everything that the template asks for, as JSON.
    pub properties: String,
}

/// The resources of the last deployment, also if it failed, and of those before that are not removed yet.
pub struct Declared<'a> {
    store: &'a Store,
}

impl<'a> Declared<'a> {
    pub fn new(store: &'a Store) -> Result<Self, AwsError> {
        store.schema(SCHEMA)?;
        Ok(Self { store })
    }

    /// Declares all resources of a deployment before the first one is made. So the next deployment knows them, even if
    /// this one ends half-way.
    pub fn begin(&self, all: &[Asked]) -> Result<(), AwsError> {
        self.store.write(|transaction| {
            let mut declare = transaction.prepare_cached(
                "INSERT INTO deploy_resource (kind, id) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET asked = NULL WHERE asked IS NOT ?3",
            )?;
            for Asked {
                kind,
                id,
                properties,
            } in all
            {
                declare.execute([kind.name(), id, properties])?;
            }
            Ok(())
        })
    }

    /// Whether a service was brought to what is asked of it.
    pub fn is_made(&self, asked: &Asked) -> Result<bool, AwsError> {
        self.store.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT asked IS ?3 FROM deploy_resource WHERE kind = ?1 AND id = ?2",
            )?;
            let Asked {
                kind,
                id,
                properties,
            } = asked;
            let made = query.query_row([kind.name(), id, properties], |row| row.get(0));
            Ok(made.optional()?.unwrap_or(false))
        })
    }

    /// Notes that a service was brought to what is asked of it.
    pub fn made(&self, asked: &Asked) -> Result<(), AwsError> {
        self.store.write(|transaction| {
            let mut update = transaction.prepare_cached(
                "UPDATE deploy_resource SET asked = ?3 WHERE kind = ?1 AND id = ?2",
            )?;
            let Asked {
                kind,
                id,
                properties,
            } = asked;
            update.execute([kind.name(), id, properties])?;
            Ok(())
        })
    }

    /// The ids of a kind that are declared, and that are not in `wanted`.
    pub fn others(&self, kind: Kind, wanted: &[Asked]) -> Result<Vec<String>, AwsError> {
        let wanted = wanted.iter().filter(|asked| asked.kind == kind);
        let wanted: BTreeSet<_> = wanted.map(|asked| &asked.id).collect();
        self.store.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT id FROM deploy_resource WHERE kind = ?1")?;
            let ids = query.query_map([kind.name()], |row| row.get::<_, String>(0))?;
            let ids: Vec<_> = ids.collect::<Result<_, _>>()?;
            Ok(ids.into_iter().filter(|id| !wanted.contains(id)).collect())
        })
    }

    /// Forgets a resource that is no longer declared.
    pub fn forget(&self, kind: Kind, id: &str) -> Result<(), AwsError> {
        self.store.write(|transaction| {
            transaction.execute(
                "DELETE FROM deploy_resource WHERE kind = ?1 AND id = ?2",
                [kind.name(), id],
            )?;
            Ok(())
        })
    }
}
