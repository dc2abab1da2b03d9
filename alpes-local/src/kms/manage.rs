//! The operations that make, list and change keys and aliases.

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Kms,
    blob::random,
    keys::{self, Key, Manager, State, alias_arn, invalid_state, not_found},
};
use crate::{
    error::AwsError,
    input::{cut, fault, length, page_size, put, put_some, read, seconds, validation},
};

/// The prefix of the aliases of AWS's own keys.
const OF_AWS: &str = "alias/aws/";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateKey {
    #[serde(default)]
    description: String,
    key_usage: Option<String>,
    key_spec: Option<String>,
    customer_master_key_spec: Option<String>,
    origin: Option<String>,
    #[serde(default)]
    multi_region: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OfKey {
    key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ScheduleDeletion {
    key_id: String,
    pending_window_in_days: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateAlias {
    alias_name: String,
    target_key_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    key_id: Option<String>,
    limit: Option<usize>,
    marker: Option<String>,
}

impl Kms {
    /// Makes or changes the key with this id as a deployment asks. A key that is pending deletion stays as it is.
    ///
    /// # Errors
    ///
    /// `ValidationException` for an id of more than 255 bytes.
    pub fn ensure_key(&self, id: &str, description: &str, enabled: bool) -> Result<(), AwsError> {
        if id.is_empty() || id.len() > 255 {
            return Err(fault("keyId", id, "have 1 to 255 bytes"));
        }
        self.make(id.to_owned(), description.to_owned(), Manager::Customer)?;
        self.change(id, |key| {
            if key.state() != State::PendingDeletion {
                description.clone_into(&mut key.description);
                key.enabled = enabled;
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Lets an alias, as in `alias/orders`, stand for a key as a deployment asks. The key is named by its id or ARN.
    ///
    /// # Errors
    ///
    /// `NotFoundException` for the key; `InvalidAliasNameException`.
    pub fn ensure_alias(&self, alias: &str, key: &str) -> Result<(), AwsError> {
        check_alias(alias)?;
        let now = self.now();
        self.store.write(|transaction| {
            let key = keys::find(transaction, key, now)?;
            keys::put_alias(transaction, alias, &key.id, now)?;
            Ok(())
        })
    }

    /// Makes AWS's own key behind an alias such as `alias/aws/ssm`, unless it exists.
    pub(super) fn ensure_managed(&self, alias: &str) -> Result<(), AwsError> {
        let service = alias
            .strip_prefix(&alias_arn(OF_AWS))
            .or_else(|| alias.strip_prefix(OF_AWS));
        let Some(service) = service else {
            return Ok(());
        };
        let alias = format!("{OF_AWS}{service}");
        if self
            .store
            .read(|connection| keys::alias_target(connection, &alias))?
            .is_some()
        {
            return Ok(());
        }
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, alias.as_bytes()).to_string();
        let description =
            format!("Default key that protects my data when no other key is defined: {service}");
        self.make(id.clone(), description, Manager::Aws)?;
        let now = self.now();
        self.store
            .write(|transaction| keys::put_alias(transaction, &alias, &id, now))
            .map_err(AwsError::from)
    }

    fn make(&self, id: String, description: String, manager: Manager) -> Result<(), AwsError> {
        let key = Key {
            id,
            material: random(32)?,
            description,
            manager,
            created: self.now(),
            enabled: true,
            deletion: None,
        };
        self.store.write(|transaction| {
            keys::delete_due(transaction, key.created)?;
            if keys::by_id(transaction, &key.id, key.created)?.is_none() {
                keys::add(transaction, &key)?;
            }
            Ok(())
        })
    }

    pub(super) fn create_key(&self, input: &Value) -> Result<Value, AwsError> {
        let request: CreateKey = read(input)?;
        length("description", &request.description, 0..=8192)?;
        only("KeyUsage", request.key_usage.as_deref(), "ENCRYPT_DECRYPT")?;
        only("KeySpec", request.key_spec.as_deref(), "SYMMETRIC_DEFAULT")?;
        let spec = request.customer_master_key_spec.as_deref();
        only("CustomerMasterKeySpec", spec, "SYMMETRIC_DEFAULT")?;
        only("Origin", request.origin.as_deref(), "AWS_KMS")?;
        if request.multi_region {
            return Err(unsupported("MultiRegion", "true"));
        }
        let id = Uuid::new_v4().to_string();
        self.make(id.clone(), request.description, Manager::Customer)?;
        Ok(json!({"KeyMetadata": self.key(&id)?.metadata()}))
    }

    pub(super) fn describe_key(&self, input: &Value) -> Result<Value, AwsError> {
        let request: OfKey = read(input)?;
        Ok(json!({"KeyMetadata": self.key(&request.key_id)?.metadata()}))
    }

    pub(super) fn list_keys(&self, input: &Value) -> Result<Value, AwsError> {
        let request: List = read(input)?;
        if request.key_id.is_some() {
            return Err(validation("ListKeys has no field KeyId"));
        }
        let page = page_size("limit", request.limit, 1..=1000)?;
        let after = request.marker.unwrap_or_default();
        let now = self.now();
        let mut ids = self
            .store
            .read(|connection| keys::ids(connection, &after, page + 1, now))?;
        let next = cut(&mut ids, page, String::clone);
        let entry = |id: &String| json!({"KeyId": id, "KeyArn": keys::key_arn(id)});
        let entries: Vec<_> = ids.iter().map(entry).collect();
        Ok(page_of("Keys", entries, next))
    }

    pub(super) fn create_alias(&self, input: &Value) -> Result<Value, AwsError> {
        let request: CreateAlias = read(input)?;
        check_alias(&request.alias_name)?;
        let now = self.now();
        self.store.write(|transaction| {
            keys::delete_due(transaction, now)?;
            if keys::alias_target(transaction, &request.alias_name)?.is_some() {
                let arn = alias_arn(&request.alias_name);
                let message = format!("An alias with the name {arn} already exists");
                return Err(AwsError::client("AlreadyExistsException", message));
            }
            if request.target_key_id.contains("alias/") {
                return Err(validation("Aliases must refer to keys. Not aliases"));
            }
            let key = keys::find(transaction, &request.target_key_id, now)?;
            key.must_stay()?;
            keys::put_alias(transaction, &request.alias_name, &key.id, now)?;
            Ok(json!({}))
        })
    }

    pub(super) fn list_aliases(&self, input: &Value) -> Result<Value, AwsError> {
        let request: List = read(input)?;
        let page = page_size("limit", request.limit, 1..=100)?;
        let after = request.marker.unwrap_or_default();
        let key = request.key_id.map(|key| self.key(&key)).transpose()?;
        let key = key.as_ref().map(|key| key.id.as_str());
        let mut found = self
            .store
            .read(|connection| keys::aliases(connection, key, &after, page + 1))?;
        let next = cut(&mut found, page, |(name, _)| name.clone());
        let found = found.into_iter().map(|(_, alias)| alias).collect();
        Ok(page_of("Aliases", found, next))
    }

    pub(super) fn enable(&self, input: &Value, enabled: bool) -> Result<Value, AwsError> {
        let request: OfKey = read(input)?;
        self.change(&request.key_id, |key| {
            key.must_stay()?;
            key.enabled = enabled;
            Ok(())
        })?;
        Ok(json!({}))
    }

    pub(super) fn schedule_deletion(&self, input: &Value) -> Result<Value, AwsError> {
        let request: ScheduleDeletion = read(input)?;
        let days = request.pending_window_in_days.unwrap_or(30);
        if !(7..=30).contains(&days) {
            return Err(fault(
                "pendingWindowInDays",
                &days.to_string(),
                "have a value from 7 to 30",
            ));
        }
        let deletion = self.now() + SignedDuration::from_hours(24 * days);
        let key = self.change(&request.key_id, |key| {
            key.must_stay()?;
            key.deletion = Some(deletion);
            Ok(())
        })?;
        Ok(json!({
            "KeyId": key.arn(),
            "DeletionDate": seconds(deletion),
            "KeyState": "PendingDeletion",
            "PendingWindowInDays": days,
        }))
    }

    /// Cancels the deletion of a key, which is disabled afterwards.
    pub(super) fn cancel_deletion(&self, input: &Value) -> Result<Value, AwsError> {
        let request: OfKey = read(input)?;
        let key = self.change(&request.key_id, |key| {
            if key.state() != State::PendingDeletion {
                return Err(invalid_state(format!(
                    "{} is not pending deletion.",
                    key.arn()
                )));
            }
            key.deletion = None;
            key.enabled = false;
            Ok(())
        })?;
        Ok(json!({"KeyId": key.arn()}))
    }

    /// Changes the state of a key that a request names by its id or ARN.
    fn change(
        &self,
        named: &str,
        change: impl FnOnce(&mut Key) -> Result<(), AwsError>,
    ) -> Result<Key, AwsError> {
        if named.contains("alias/") {
            return Err(not_found(format!("Invalid keyId '{named}'")));
        }
        let now = self.now();
        self.store.write(|transaction| {
            let mut key = keys::find(transaction, named, now)?;
            if key.manager == Manager::Aws {
                let message = format!("{} is a key of AWS, which cannot be changed.", key.arn());
                return Err(AwsError::client("AccessDeniedException", message));
            }
            change(&mut key)?;
            keys::update(transaction, &key)?;
            Ok(key)
        })
    }
}

fn page_of(field: &str, entries: Vec<Value>, next: Option<String>) -> Value {
    let mut answer = json!({"Truncated": next.is_some()});
    put(&mut answer, field, entries);
    put_some(&mut answer, "NextMarker", next);
    answer
}

/// Fails if a field has another value than the only one that is supported.
pub(super) fn only(field: &str, given: Option<&str>, supported: &str) -> Result<(), AwsError> {
    match given.filter(|given| *given != supported) {
        None => Ok(()),
        Some(other) => Err(unsupported(field, other)),
    }
}

fn unsupported(field: &str, value: &str) -> AwsError {
    AwsError::client(
        "UnsupportedOperationException",
        format!("{field} {value} is not supported by this runtime."),
    )
}

fn check_alias(alias: &str) -> Result<(), AwsError> {
    let is_part = |next: char| next.is_ascii_alphanumeric() || ":/_-".contains(next);
    let name = alias.strip_prefix("alias/").unwrap_or_default();
    if name.is_empty() || alias.len() > 256 || !name.chars().all(is_part) {
        return Err(AwsError::client(
            "InvalidAliasNameException",
            format!("{alias} is not alias/ and 1 to 250 letters, digits and :/_-"),
        ));
    }
    if alias.starts_with(OF_AWS) {
        return Err(AwsError::client(
            "NotAuthorizedException",
            "The names of aliases may not begin with alias/aws/",
        ));
    }
    Ok(())
}
