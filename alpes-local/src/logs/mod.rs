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

/// The place of a group: empty until the group is opened, and after it was deleted.
type Place = Arc<Mutex<Option<Group>>>;

/// The log groups.
pub struct Logs {
    store: Arc<Store>,
    folder: PathBuf,
    /// The groups that were asked for since the runtime began. Each has a lock of its own, under which it is opened,
    /// used and deleted.
    groups: Mutex<HashMap<String, Place>>,
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
        let append = |group: &mut Group| {
            group.add_stream(&self.store, stream)?;
            group.append(stream, events.iter().copied())
        };
        if let Some(appended) = self.with_any(group, append)? {
            return appended;
        }
        Group::create(&self.store, group)?;
        self.with(group, append)
    }

    /// Whether there is a group of this name.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn has(&self, group: &str) -> Result<bool, AwsError> {
        Ok(self.with_any(group, |_| ())?.is_some())
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

    /// Does something with the group of this name, if there is one, while nobody else uses it.
    fn with_any<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Group) -> T,
    ) -> Result<Option<T>, AwsError> {
        let place = self.place(name);
        let mut place = lock(&place);
        if place.is_none() {
            *place = Group::open(&self.store, &self.folder, name)?;
        }
        Ok(place.as_mut().map(act))
    }

    /// Does something with the group of this name. The error may be AWS's that there is none.
    fn with<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Group) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.with_any(name, act)?.unwrap_or_else(|| Err(no_group()))
    }

    /// Deletes the group of this name; `false` if there is none.
    fn forget(&self, name: &str) -> Result<bool, AwsError> {
        let place = self.place(name);
        let mut place = lock(&place);
        *place = None;
        Group::delete(&self.store, &self.folder, name)
    }

    fn place(&self, name: &str) -> Place {
        let mut groups = lock(&self.groups);
        groups.entry(name.to_owned()).or_default().clone()
    }
}

fn no_group() -> AwsError {
    let message = "The specified log group does not exist.";
    AwsError::client("ResourceNotFoundException", message)
}

fn known_stream(group: &Group, stream: &str) -> Result<(), AwsError> {
    if !group.has(stream) {
        let message = "The specified log stream does not exist.";
        return Err(AwsError::client("ResourceNotFoundException", message));
    }
    Ok(())
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
