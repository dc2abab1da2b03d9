//! Policy documents in templates. They are checked when a template is read, so that a mistake has its line.

use permissions::Policy;
use serde_json::Value;
use template::{Properties, TemplateError};

use crate::iam::{CONDITION_KEYS, managed};

/// A policy document of a role in a property.
pub(super) fn of_role(set: &Properties<'_>, property: &str) -> Result<Value, TemplateError> {
    let document = document(set, property)?;
    check_of_role(set, property, &document)?;
    Ok(document)
}

/// Checks a policy document of a role.
pub(super) fn check_of_role(
    set: &Properties<'_>,
    property: &str,
    document: &Value,
) -> Result<(), TemplateError> {
    let policy = parsed(set, property, document)?;
    let checked = policy.check_for_role();
    checked.map_err(|mistake| broken(set, property, &mistake.to_string()))
}

/// A policy document of a resource in a property.
pub(super) fn of_resource(set: &Properties<'_>, property: &str) -> Result<Value, TemplateError> {
    let document = document(set, property)?;
    check_of_resource(set, property, &document)?;
    Ok(document)
}

/// Checks a policy document of a resource.
pub(super) fn check_of_resource(
    set: &Properties<'_>,
    property: &str,
    document: &Value,
) -> Result<(), TemplateError> {
    let policy = parsed(set, property, document)?;
    let checked = policy.check_for_resource();
    checked.map_err(|mistake| broken(set, property, &mistake.to_string()))
}

/// The ARNs of managed policies in a property.
pub(super) fn managed(set: &Properties<'_>, property: &str) -> Result<Vec<String>, TemplateError> {
    let arns = set.texts(property)?;
    for arn in &arns {
        check_managed(set, property, arn)?;
    }
    Ok(arns)
}

/// Refuses a policy of AWS that this runtime does not know.
pub(super) fn check_managed(
    set: &Properties<'_>,
    property: &str,
    arn: &str,
) -> Result<(), TemplateError> {
    if !managed::is_of_aws(arn) || managed::document(arn).is_some() {
        return Ok(());
    }
    let why = format!("this runtime does not know the document of {arn}; write the policy out");
    Err(set.unsupported(property, &why))
}

/// The ARN of the policy that bounds a role's permissions.
pub(super) fn boundary(set: &Properties<'_>) -> Result<Option<String>, TemplateError> {
    let property = "PermissionsBoundary";
    let arn = set.text(property)?;
    if let Some(arn) = &arn {
        check_managed(set, property, arn)?;
    }
    Ok(arn)
}

fn document(set: &Properties<'_>, property: &str) -> Result<Value, TemplateError> {
    let document = set.get(property, "a policy document", |value| {
        value.get("Statement").map(|_| value.clone())
    })?;
    document.ok_or_else(|| set.must(property, "given"))
}

fn parsed(set: &Properties<'_>, property: &str, document: &Value) -> Result<Policy, TemplateError> {
    let policy = Policy::parse(document);
    let policy = policy.map_err(|mistake| broken(set, property, &mistake.to_string()))?;
    let unknown = policy
        .condition_keys()
        .find(|key| !CONDITION_KEYS.contains(key));
    match unknown {
        None => Ok(policy),
        Some(key) => {
            let why = format!("this runtime cannot judge conditions on {key}");
            Err(set.unsupported(property, &why))
        }
    }
}

fn broken(set: &Properties<'_>, property: &str, mistake: &str) -> TemplateError {
    set.must(property, &format!("a policy document, in which {mistake}"))
}
