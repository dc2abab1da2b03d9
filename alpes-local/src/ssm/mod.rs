//! SSM: parameters of the types String, `StringList` and `SecureString`, with their last 100 versions.
//!
//! A `SecureString` is encrypted in the store, with AWS's own key `alias/aws/ssm` or with the key that its writer named.

mod get;
mod names;
mod put;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use self::names::parameter_arn;

use std::sync::Arc;

use serde_json::Value;

use self::names::Named;
use crate::{error::AwsError, input::unknown, kms::Kms, store::Store};

/// The parameters of the account.
pub struct Ssm {
    store: Arc<Store>,
    kms: Arc<Kms>,
}

impl Ssm {
    /// The parameters in this store. `kms` encrypts those of type `SecureString`.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn new(store: Arc<Store>, kms: Arc<Kms>) -> Result<Self, AwsError> {
        store.schema(rows::SCHEMA)?;
        Ok(Self { store, kms })
    }

    /// The ARN of the key that encrypts a parameter, if it is a key of the account's own.
    pub(crate) fn key_of(&self, parameter: &str) -> Option<String> {
        let found = self.find(&Named::parse(parameter).ok()?).ok()?;
        self.own_key(&found.key?)
    }

    /// The ARN of a key by its id, ARN or alias, if it is a key of the account's own.
    pub(crate) fn own_key(&self, named: &str) -> Option<String> {
        self.kms.own_key_arn(named)
    }

    /// Answers a request of the API (`AmazonSSM`, JSON 1.1).
    ///
    /// # Errors
    ///
    /// AWS's errors for the operation, and `UnknownOperationException` for operations that are not supported.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        match operation {
            "PutParameter" => self.put(input),
            "GetParameter" => self.get(input),
            "GetParameters" => self.get_many(input),
            "GetParametersByPath" => self.get_by_path(input),
            "DeleteParameter" => self.delete(input),
            "DescribeParameters" => self.describe(input),
            other => Err(unknown(other)),
        }
    }
}
