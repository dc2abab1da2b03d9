//! Roles and policies of IAM.

use serde_json::Value;
use template::{Properties, Resource, TemplateError};

use super::{
    documents,
    draft::{Draft, Source},
};

/// A role.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The document that says who may assume the role.
    pub assume: Value,
    /// The policies that are part of the role, or are attached to it by name.
    pub policies: Vec<Policy>,
    /// The ARNs of further policies, of the templates or of AWS.
    pub managed_policy_arns: Vec<String>,
    /// The ARN of the policy that bounds the role's permissions.
    pub boundary: Option<String>,
}

/// A policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The name.
    pub name: String,
    /// The document.
    pub document: Value,
}

/// A policy with an ARN of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedPolicy {
    /// The ARN.
    pub arn: String,
    /// The document.
    pub document: Value,
}

pub(super) fn role(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    // The function or state machine that implies a role adds it, with its policies.
    if resource.implied {
        return Ok(());
    }
    let role = resource.read(|set| {
        draft.skip(set, &["Description", "MaxSessionDuration", "Tags"]);
        set.text("RoleName")?;
        set.text("Path")?;
        Ok(Role {
            name: resource.name.clone(),
            arn: resource.arn.clone().unwrap_or_default(),
            assume: documents::of_resource(set, "AssumeRolePolicyDocument")?,
            policies: set.each("Policies", named_policy)?,
            managed_policy_arns: documents::managed(set, "ManagedPolicyArns")?,
            boundary: documents::boundary(set)?,
        })
    })?;
    draft.plan.roles.push(role);
    Ok(())
}

/// An `AWS::IAM::Policy`, which is attached to roles.
pub(super) fn policy(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        let policy = named_policy(set)?;
        for role in roles(set, "Roles", draft)? {
            role.policies.push(policy.clone());
        }
        Ok(())
    })
}

/// An `AWS::IAM::RolePolicy`, which is attached to one role.
pub(super) fn role_policy(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        let policy = named_policy(set)?;
        let name = set.required("RoleName")?;
        let role = role_of_name(&name, set, "RoleName", draft)?;
        role.policies.push(policy);
        Ok(())
    })
}

pub(super) fn managed_policy(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let policy = resource.read(|set| {
        draft.skip(set, &["Description"]);
        set.text("ManagedPolicyName")?;
        set.text("Path")?;
        let arn = resource.arn.clone().unwrap_or_default();
        for role in roles(set, "Roles", draft)? {
            role.managed_policy_arns.push(arn.clone());
        }
        let document = documents::of_role(set, "PolicyDocument")?;
        Ok(ManagedPolicy { arn, document })
    })?;
    draft.plan.managed_policies.push(policy);
    Ok(())
}

fn named_policy(set: &Properties<'_>) -> Result<Policy, TemplateError> {
    Ok(Policy {
        name: set.required("PolicyName")?,
        document: documents::of_role(set, "PolicyDocument")?,
    })
}

/// The roles to which a policy is attached.
fn roles<'d>(
    set: &Properties<'_>,
    property: &str,
    draft: &'d mut Draft,
) -> Result<Vec<&'d mut Role>, TemplateError> {
    let names = set.texts(property)?;
    for name in &names {
        role_of_name(name, set, property, draft)?;
    }
    let roles = draft.plan.roles.iter_mut();
    Ok(roles.filter(|role| names.contains(&role.name)).collect())
}

fn role_of_name<'d>(
    name: &str,
    set: &Properties<'_>,
    property: &str,
    draft: &'d mut Draft,
) -> Result<&'d mut Role, TemplateError> {
    let mut roles = draft.plan.roles.iter_mut();
    let found = roles.find(|role| role.name == name);
    found.ok_or_else(|| TemplateError::dangling(set.place(property), format!("role {name}")))
}
