//! Parameters of SSM, and keys of KMS.

use serde::Serialize;
use template::{Resource, TemplateError};

use super::{
    ResourcePolicy, documents,
    draft::{Draft, Source},
};

/// A parameter of SSM's parameter store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// `String` or `StringList`.
    pub kind: String,
    /// The value.
    pub value: String,
    /// The description.
    pub description: Option<String>,
}

/// A symmetric KMS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// The id.
    pub id: String,
    /// The ARN.
    pub arn: String,
    /// The description.
    pub description: Option<String>,
    /// False if the key is disabled.
    pub enabled: bool,
}

/// An alias of a KMS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyAlias {
    /// The name, which begins with `alias/`.
    pub name: String,
    /// The id of the key.
    pub key_id: String,
}

pub(super) fn parameter(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let parameter = resource.read(|set| {
        draft.skip(
            set,
            &["AllowedPattern", "DataType", "Policies", "Tags", "Tier"],
        );
        set.text("Name")?;
        let kinds = [("String", "String"), ("StringList", "StringList")];
        let kind = set.choice("Type", &kinds)?;
        Ok(Parameter {
            name: resource.name.clone(),
            kind: kind.ok_or_else(|| set.must("Type", "given"))?.to_owned(),
            value: set.required("Value")?,
            description: set.text("Description")?,
        })
    })?;
    draft.plan.parameters.push(parameter);
    Ok(())
}

pub(super) fn key(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let key = resource.read(|set| {
        let without_meaning = ["BypassPolicyLockoutSafetyCheck", "EnableKeyRotation"];
        draft.skip(set, &without_meaning);
        draft.skip(
            set,
            &["PendingWindowInDays", "RotationPeriodInDays", "Tags"],
        );
        set.refuse_true("MultiRegion", "this runtime has one region")?;
        if set.value("KeyPolicy").is_some() {
            let arn = resource.arn.clone().unwrap_or_default();
            let document = documents::of_resource(set, "KeyPolicy")?;
            draft
                .plan
                .resource_policies
                .push(ResourcePolicy { arn, document });
        }
        for (name, only) in [
            ("KeySpec", "SYMMETRIC_DEFAULT"),
            ("KeyUsage", "ENCRYPT_DECRYPT"),
            ("Origin", "AWS_KMS"),
        ] {
            if set.text(name)?.is_some_and(|given| given != only) {
                return Err(set.unsupported(name, &format!("this runtime has {only}")));
            }
        }
        Ok(Key {
            id: resource.name.clone(),
            arn: resource.arn.clone().unwrap_or_default(),
            description: set.text("Description")?,
            enabled: set.truth("Enabled")?.unwrap_or(true),
        })
    })?;
    draft.plan.keys.push(key);
    Ok(())
}

pub(super) fn alias(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let alias = resource.read(|set| {
        let name = set.required("AliasName")?;
        if !name.starts_with("alias/") {
            return Err(set.must("AliasName", "a name that begins with alias/"));
        }
        let target = set.required("TargetKeyId")?;
        let mut keys = draft.plan.keys.iter();
        let key = keys.find(|key| key.id == target || key.arn == target);
        let missing = || TemplateError::dangling(set.place("TargetKeyId"), format!("key {target}"));
        let key_id = key.ok_or_else(missing)?.id.clone();
        Ok(KeyAlias { name, key_id })
    })?;
    draft.plan.key_aliases.push(alias);
    Ok(())
}
