//! KMS: keys that encrypt, decrypt and make data keys.
//!
//! Keys are symmetric (AES-256-GCM), and their material is in the store. An encryption context is authenticated: a
//! ciphertext opens only with the context with which it was made.

mod blob;
mod cipher;
mod keys;
mod manage;
#[cfg(test)]
mod tests;

pub(crate) use self::keys::alias_arn;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use self::blob::Blob;
use crate::{
    clock::{Clock, SystemClock},
    error::AwsError,
    input::unknown,
    store::Store,
};

/// The keys and aliases of the account.
pub struct Kms {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
}

impl Kms {
    /// The keys in this store.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn new(store: Arc<Store>) -> Result<Self, AwsError> {
        Self::with_clock(store, Arc::new(SystemClock))
    }

    /// As [`Self::new`], with a clock for tests.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn with_clock(store: Arc<Store>, clock: Arc<dyn Clock>) -> Result<Self, AwsError> {
        store.schema(keys::SCHEMA)?;
        Ok(Self { store, clock })
    }

    /// Answers a request of the API (`TrentService`, JSON 1.1).
    ///
    /// # Errors
    ///
    /// AWS's errors for the operation, and `UnknownOperationException` for operations that are not supported.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        match operation {
            "CreateKey" => self.create_key(input),
            "DescribeKey" => self.describe_key(input),
            "ListKeys" => self.list_keys(input),
            "CreateAlias" => self.create_alias(input),
            "ListAliases" => self.list_aliases(input),
            "EnableKey" => self.enable(input, true),
            "DisableKey" => self.enable(input, false),
            "ScheduleKeyDeletion" => self.schedule_deletion(input),
            "CancelKeyDeletion" => self.cancel_deletion(input),
            "Encrypt" => self.encrypt(input),
            "Decrypt" => self.decrypt(input),
            "GenerateDataKey" => self.generate_data_key(input, true),
            "GenerateDataKeyWithoutPlaintext" => self.generate_data_key(input, false),
            "ReEncrypt" => self.re_encrypt(input),
            other => Err(unknown(other)),
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The ARN of the key that a request names; `None` if there is none.
    pub(crate) fn key_arn(&self, named: &str) -> Option<String> {
        self.key(named).ok().map(|key| key.arn())
    }

    /// As [`Self::key_arn`], for keys of the account's own: AWS's keys for its services have other rules.
    pub(crate) fn own_key_arn(&self, named: &str) -> Option<String> {
        (!named.contains("alias/aws/")).then(|| self.key_arn(named))?
    }

    /// The ARN of the key that made a ciphertext; `None` if none of the keys here did.
    pub(crate) fn key_arn_of(&self, ciphertext: &[u8]) -> Option<String> {
        let blob = Blob::parse(ciphertext)?;
        self.blob_key(&blob).ok().map(|key| key.arn())
    }

    /// The key that a request names. AWS's own keys are made when they are first named.
    fn key(&self, named: &str) -> Result<keys::Key, AwsError> {
        self.ensure_managed(named)?;
        let now = self.now();
        self.store
            .read(|connection| keys::find(connection, named, now))
    }
}
