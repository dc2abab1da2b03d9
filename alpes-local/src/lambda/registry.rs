//! The functions that exist, in the store.

use std::{path::PathBuf, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use rusqlite::{Row, params};
use uuid::Uuid;

use super::{
    code::{CodeFolder, Placed},
    spec::{Code, FunctionSpec},
};
use crate::{
    error::AwsError,
    names::now_millis,
    store::{Store, as_i64},
};

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS lambda_functions (
        name TEXT PRIMARY KEY,
        spec TEXT NOT NULL,
        sha256 BLOB NOT NULL,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        revision TEXT NOT NULL
    );";

/// A function as it stands, until its next update.
#[derive(Debug)]
pub(super) struct Deployment {
    /// The settings. The code is the folder in which it is placed.
    pub(super) spec: FunctionSpec,
    /// The folder of the code.
    pub(super) folder: PathBuf,
    /// The code's hash and size.
    pub(super) code: Placed,
    /// The time of the last update, in milliseconds since 1970.
    pub(super) modified: u64,
    /// The id of this state of the function.
    pub(super) revision: String,
    /// The revision since which sandboxes can be shared: later updates changed nothing that a process sees.
    pub(super) generation: String,
}

impl Deployment {
    /// A function with new settings or code. `before` is the function as it stood until now.
    pub(super) fn new(
        spec: FunctionSpec,
        code: Placed,
        folder: &CodeFolder,
        before: Option<&Self>,
    ) -> Self {
        let revision = Uuid::new_v4().to_string();
        let mut new = Self::of(spec, code, folder, now_millis(), revision);
        if let Some(before) = before.filter(|before| before.runs_like(&new)) {
            new.generation.clone_from(&before.generation);
        }
        new
    }

    fn of(
        mut spec: FunctionSpec,
        code: Placed,
        folder: &CodeFolder,
        modified: u64,
        revision: String,
    ) -> Self {
        let folder = folder.of(&spec.name, &code.sha256);
        spec.code = Code::Folder(folder.clone());
        Self {
            spec,
            folder,
            code,
            modified,
            generation: revision.clone(),
            revision,
        }
    }

    fn runs_like(&self, other: &Self) -> bool {
        self.folder == other.folder && self.spec.runs_like(&other.spec)
    }

    /// Whether nothing but the revision differs.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.spec == other.spec && self.code == other.code
    }

    /// The code's hash as AWS writes it.
    pub(super) fn sha256_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.code.sha256)
    }
}

/// Writes a function.
pub(super) fn save(store: &Store, function: &Deployment) -> Result<(), AwsError> {
    let spec = serde_json::to_string(&function.spec).map_err(AwsError::internal)?;
    store.write(|transaction| {
        let sql =
            "INSERT OR REPLACE INTO lambda_functions (name, spec, sha256, size, modified, revision)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let size = as_i64(function.code.size);
        let modified = as_i64(function.modified);
        let (name, sha256) = (&function.spec.name, &function.code.sha256);
        let mut insert = transaction.prepare_cached(sql)?;
        insert.execute(params![
            name,
            spec,
            sha256,
            size,
            modified,
            function.revision
        ])?;
        Ok(())
    })
}

/// Reads all functions.
pub(super) fn load(store: &Store, folder: &CodeFolder) -> Result<Vec<Arc<Deployment>>, AwsError> {
    store.read(|connection| {
        let sql =
            "SELECT spec, sha256, size, modified, revision FROM lambda_functions ORDER BY name";
        let mut select = connection.prepare_cached(sql)?;
        let mut rows = select.query([])?;
        let mut functions = Vec::new();
        while let Some(row) = rows.next()? {
            functions.push(Arc::new(read(row, folder)?));
        }
        Ok(functions)
    })
}

fn read(row: &Row<'_>, folder: &CodeFolder) -> Result<Deployment, AwsError> {
    let spec: String = row.get(0)?;
    let spec = serde_json::from_str(&spec).map_err(AwsError::internal)?;
    let code = Placed {
        sha256: row.get(1)?,
        size: u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0),
    };
    let modified = u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
    Ok(Deployment::of(spec, code, folder, modified, row.get(4)?))
}

/// Deletes a function and its queued invocations; `false` if there is none of this name.
pub(super) fn delete(store: &Store, name: &str) -> Result<bool, AwsError> {
    store.write(|transaction| {
        transaction.execute("DELETE FROM lambda_queue WHERE function = ?1", [name])?;
        let deleted =
            transaction.execute("DELETE FROM lambda_functions WHERE name = ?1", [name])?;
        Ok(deleted > 0)
    })
}
