//! Writing parameters.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Ssm,
    names::{check, parameter_arn},
    rows::{self, Parameter},
};
use crate::{
    clock::{Clock, SystemClock},
    error::AwsError,
    input::{fault, length, read, validation},
};

/// The alias of the key of `SecureString` parameters that name no other key.
const DEFAULT_KEY: &str = "alias/aws/ssm";
pub(super) const SECURE: &str = "SecureString";
const STANDARD_LIMIT: usize = 4096;
const ADVANCED_LIMIT: usize = 8192;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    name: String,
    description: Option<String>,
    value: String,
    r#type: Option<String>,
    key_id: Option<String>,
    #[serde(default)]
    overwrite: bool,
    tier: Option<String>,
    data_type: Option<String>,
}

impl Ssm {
    pub(super) fn put(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Put = read(input)?;
        check_request(&request)?;
        let parameter = self.write(&request)?;
        Ok(json!({"Version": parameter.version, "Tier": parameter.tier}))
    }

    /// Writes a parameter of type String or `StringList` as a deployment asks. A parameter that is already so gets no new
    /// version.
    ///
    /// # Errors
    ///
    /// As for `PutParameter`. CloudFormation refuses the type `SecureString`, and so does this function.
    pub fn ensure(
        &self,
        name: &str,
        kind: &str,
        value: &str,
        description: Option<&str>,
    ) -> Result<(), AwsError> {
        let last = self
            .store
            .read(|connection| rows::newest(connection, name))?;
        let is_so = |last: &Parameter| {
            last.kind == kind && last.value == value && last.description.as_deref() == description
        };
        if last.as_ref().is_some_and(is_so) {
            return Ok(());
        }
        let request = Put {
            name: name.to_owned(),
            description: description.map(str::to_owned),
            value: value.to_owned(),
            r#type: Some(kind.to_owned()),
            key_id: None,
            overwrite: true,
            tier: None,
            data_type: None,
        };
        check_request(&request)?;
        if kind == SECURE {
            let rule = "satisfy enum value set: [String, StringList] in a template";
            return Err(fault("type", kind, rule));
        }
        self.write(&request).map(drop)
    }

    fn write(&self, request: &Put) -> Result<Parameter, AwsError> {
        let now = SystemClock.now();
        // A SecureString is encrypted before its turn to be written, since a key may have to be made.
        let last = self
            .store
            .read(|connection| rows::newest(connection, &request.name))?;
        let kind = kind_of(request, last.as_ref())?;
        let key = (kind == SECURE).then(|| key_of(request, last.as_ref()));
        let value = match &key {
            Some(key) => self.sealed(&request.name, key, &request.value)?,
            None => request.value.clone(),
        };
        self.store.write(|transaction| {
            let last = rows::newest(transaction, &request.name)?;
            may_write(request, &kind, last.as_ref())?;
            let parameter = Parameter {
                name: request.name.clone(),
                version: last.as_ref().map_or(1, |last| last.version + 1),
                kind,
                value,
                key,
                description: request
                    .description
                    .clone()
                    .or(last.and_then(|last| last.description)),
                tier: tier_of(request)?,
                modified: now,
            };
            rows::add(transaction, &parameter)?;
            Ok(parameter)
        })
    }

    fn sealed(&self, name: &str, key: &str, value: &str) -> Result<String, AwsError> {
        let sealed = self
            .kms
            .seal_for_service(key, &context(name), value.as_bytes());
        let sealed = sealed.map_err(|error| {
            let invalid = error.code == "NotFoundException";
            let code = if invalid { "InvalidKeyId" } else { &error.code };
            AwsError::client(code, error.message)
        })?;
        Ok(STANDARD.encode(sealed))
    }

    /// The value of a `SecureString`.
    pub(super) fn opened(&self, parameter: &Parameter) -> Result<String, AwsError> {
        let blob = STANDARD
            .decode(&parameter.value)
            .map_err(AwsError::internal)?;
        let opened = self.kms.open_for_service(&blob, &context(&parameter.name));
        let opened = opened.map_err(|error| {
            // AWS has one code for everything that is wrong with the key.
            AwsError::client(
                "InvalidKeyId",
                format!("{} ({})", error.message, error.code),
            )
        })?;
        String::from_utf8(opened).map_err(AwsError::internal)
    }
}

/// The encryption context of a parameter.
fn context(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("PARAMETER_ARN".to_owned(), parameter_arn(name))])
}

/// Fails if the request is wrong whatever parameters there are.
fn check_request(request: &Put) -> Result<(), AwsError> {
    check(&request.name)?;
    length(
        "description",
        request.description.as_deref().unwrap_or_default(),
        0..=1024,
    )?;
    if request.value.is_empty() {
        let rule = "have length greater than or equal to 1";
        return Err(fault("value", "", rule));
    }
    tier_of(request)?;
    if let Some(kind) = &request.r#type
        && !["String", "StringList", SECURE].contains(&kind.as_str())
    {
        let rule = "satisfy enum value set: [SecureString, StringList, String]";
        return Err(fault("type", kind, rule));
    }
    match request.data_type.as_deref() {
        None | Some("text") => Ok(()),
        Some(other) => Err(validation(format!(
            "The following data type is not supported: {other} (Data type names are all lowercase.)"
        ))),
    }
}

/// The tier that the value needs, within the tier that the request permits.
fn tier_of(request: &Put) -> Result<String, AwsError> {
    let bytes = request.value.len();
    let tier = match request.tier.as_deref().unwrap_or("Standard") {
        "Intelligent-Tiering" if bytes <= STANDARD_LIMIT => "Standard",
        "Intelligent-Tiering" => "Advanced",
        known @ ("Standard" | "Advanced") => known,
        other => {
            let rule = "satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]";
            return Err(fault("tier", other, rule));
        }
    };
    if tier == "Standard" && bytes > STANDARD_LIMIT {
        return Err(validation(format!(
            "Standard tier parameters support a maximum parameter value of {STANDARD_LIMIT} characters. To create a \
             larger parameter value, upgrade the parameter to use the advanced-parameter tier."
        )));
    }
    if bytes > ADVANCED_LIMIT {
        return Err(validation(format!(
            "Advanced tier parameters support a maximum parameter value of {ADVANCED_LIMIT} characters."
        )));
    }
    Ok(tier.to_owned())
}

fn kind_of(request: &Put, last: Option<&Parameter>) -> Result<String, AwsError> {
    let kind = request.r#type.clone();
    let kind = kind.or_else(|| last.map(|last| last.kind.clone()));
    let kind = kind
        .ok_or_else(|| validation("A parameter type is required when you create a parameter."))?;
    if request.key_id.is_some() && kind != SECURE {
        return Err(validation(
            "KeyId is required for SecureString type parameter only.",
        ));
    }
    Ok(kind)
}

fn key_of(request: &Put, last: Option<&Parameter>) -> String {
    let key = request.key_id.clone();
    let key = key.or_else(|| last.and_then(|last| last.key.clone()));
    key.unwrap_or_else(|| DEFAULT_KEY.to_owned())
}

/// Fails if a parameter of this name forbids the write.
fn may_write(request: &Put, kind: &str, last: Option<&Parameter>) -> Result<(), AwsError> {
    let Some(last) = last else {
        return Ok(());
    };
    if !request.overwrite {
        return Err(AwsError::client(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    if kind != last.kind {
        return Err(AwsError::client(
            "HierarchyTypeMismatchException",
            format!(
                "The type of {} is {}, and cannot be changed to {kind}.",
                last.name, last.kind
            ),
        ));
    }
    Ok(())
}
