//! CloudWatch Logs: log groups, one text file each, which a person can follow with `tail -f`.
//!
//! The files are in `logs/` of the data folder. A `/` of a group's name is a `+` in the file's name.

mod file;
mod group;
mod operations;
mod page;
mod pattern;
mod record;
mod requests;
mod search;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;

use self::group::Group;
use crate::{error::AwsError, names::arn, store::Store};

/// The log groups.
pub struct Logs {
    store: Arc<Store>,
    folder: PathBuf,
    /// The groups that were used since the runtime began.
    groups: Mutex<HashMap<String, Arc<Mutex<Group>>>>,
}

impl Logs {
    /// The log groups of this store. Their events are in files under `logs/` of its folder.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    pub fn new(store: Arc<Store>) -> Result<Arc<Self>, AwsError> {
        store.schema(group::SCHEMA)?;
        let folder = store.folder().join("logs");
        std::fs::create_dir_all(&folder).map_err(AwsError::internal)?;
        Ok(Arc::new(Self {
            store,
            folder,
            groups: Mutex::default(),
        }))
    }

    /// Appends one event, with its time in milliseconds since 1970. Makes the group and the stream if they are missing.
    ///
    /// # Errors
    ///
    /// If the names break AWS's rules, or the file cannot be written.
    pub fn append(
        &self,
        group: &str,
        stream: &str,
        millis: u64,
        message: &str,
    ) -> Result<(), AwsError> {
        self.append_all(group, stream, &[(millis, message)])
    }

    /// Appends events with their times, all or none of them. Makes the group and the stream if they are missing.
    ///
    /// # Errors
    ///
    /// As for [`Self::append`].
    pub fn append_all(
        &self,
        group: &str,
        stream: &str,
        events: &[(u64, &str)],
    ) -> Result<(), AwsError> {
        let found = match self.find(group)? {
            Some(found) => found,
            None => self.make(group)?,
        };
        let mut found = lock(&found);
        found.add_stream(&self.store, stream)?;
        found.append(stream, events.iter().copied())
    }

    /// Answers an operation of the API, for example `FilterLogEvents`.
    ///
    /// # Errors
    ///
    /// AWS's errors: `ResourceNotFoundException`, `ResourceAlreadyExistsException`, `InvalidParameterException`; and
    /// `UnknownOperationException` for an operation that this runtime does not have.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        operations::call(self, operation, input)
    }

    /// The group of this name, if there is one.
    fn find(&self, name: &str) -> Result<Option<Arc<Mutex<Group>>>, AwsError> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(name) {
            return Ok(Some(group.clone()));
        }
        let opened = Group::open(&self.store, &self.folder, name)?;
        Ok(opened.map(|group| {
            let group = Arc::new(Mutex::new(group));
            groups.insert(name.to_owned(), group.clone());
            group
        }))
    }

    /// Makes the group of this name, unless there is one, and returns it.
    fn make(&self, name: &str) -> Result<Arc<Mutex<Group>>, AwsError> {
        Group::create(&self.store, name)?;
        self.existing(name)
    }

    /// The group of this name, or AWS's error.
    fn existing(&self, name: &str) -> Result<Arc<Mutex<Group>>, AwsError> {
        let missing = || {
            let message = "The specified log group does not exist.";
            AwsError::client("ResourceNotFoundException", message)
        };
        self.find(name)?.ok_or_else(missing)
    }

    /// Deletes the group of this name; `false` if there is none.
    fn forget(&self, name: &str) -> Result<bool, AwsError> {
        let mut groups = lock(&self.groups);
        groups.remove(name);
        Group::delete(&self.store, &self.folder, name)
    }
}

fn group_arn(name: &str) -> String {
    arn("logs", &format!("log-group:{name}"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidParameterException", message)
}

#[cfg(test)]
mod tests;
