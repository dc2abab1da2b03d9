//! The policies of a plan, ready to judge.

use std::collections::{BTreeMap, HashMap, HashSet};

use permissions::Policy;
use serde_json::{Value, json};

use super::managed;
use crate::{
    deploy::{self, Plan},
    error::AwsError,
    names::last_part,
};

/// The policies of a plan.
#[derive(Default)]
pub(super) struct Rules {
    /// By name. Names of roles are unique, whatever their paths.
    roles: BTreeMap<String, Role>,
    /// The policies of resources, by ARN.
    policies: HashMap<String, Policy>,
    /// The ARNs of the resources that services call.
    declared: HashSet<String>,
    /// The roles of schedules, by the schedules' keys.
    of_schedules: HashMap<String, String>,
}

/// A role.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) arn: String,
    /// The policies with their names.
    pub(super) policies: Vec<(String, Policy)>,
    boundary: Option<Policy>,
}

impl Rules {
    /// Reads the policies of a plan.
    pub(super) fn of(plan: &Plan) -> Result<Self, AwsError> {
        let roles = plan.roles.iter().map(|role| {
            let read = Role::of(role, plan)?;
            Ok((role.name.clone(), read))
        });
        let schedules = plan.schedules.iter();
        let of_schedules = schedules
            .filter_map(|schedule| Some((schedule.key(), schedule.role_arn.clone()?)))
            .collect();
        Ok(Self {
            roles: roles.collect::<Result<_, AwsError>>()?,
            policies: policies_of_resources(plan)?,
            declared: declared(plan),
            of_schedules,
        })
    }

    /// The role with this name or ARN.
    pub(super) fn role(&self, role: &str) -> Option<&Role> {
        self.roles.get(last_part(role))
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = &Role> {
        self.roles.values()
    }

    pub(super) fn role_of_schedule(&self, key: &str) -> Option<String> {
        self.of_schedules.get(key).cloned()
    }

    /// Whether a template has this resource. A function's alias is as its function.
    pub(super) fn declares(&self, resource: &str) -> bool {
        let without_qualifier = resource.rsplit_once(':').map(|(arn, _)| arn);
        self.declared.contains(resource)
            || without_qualifier.is_some_and(|arn| self.declared.contains(arn))
    }

    /// The policy of a resource. An object's is that of its bucket.
    pub(super) fn policy_of(&self, resource: &str) -> Option<&Policy> {
        let bucket = resource.starts_with("arn:aws:s3:::");
        let object = resource.split_once('/').filter(|_| bucket);
        let owner = object.map_or(resource, |(bucket, _)| bucket);
        self.policies.get(owner)
    }

    /// Whether the policy of the resource must allow an action, or leave it to the account: the trust policy of a role must,
    /// and the policy of a key. A key without a policy has AWS's own, which leaves all to the account.
    pub(super) fn policy_must_allow(&self, action: &str, resource: &str) -> bool {
        let of_key = action.starts_with("kms:") && self.policies.contains_key(resource);
        of_key || action == "sts:AssumeRole"
    }
}

impl Role {
    fn of(role: &deploy::Role, plan: &Plan) -> Result<Self, AwsError> {
        let own = role.policies.iter().map(|policy| {
            let parsed = parsed(&policy.document)?;
            Ok((policy.name.clone(), parsed))
        });
        let attached = role.managed_policy_arns.iter().map(|arn| {
            let policy = managed_policy(arn, &role.name, plan)?;
            Ok((last_part(arn).to_owned(), policy))
        });
        let boundary = role.boundary.as_ref();
        let boundary = boundary.map(|arn| managed_policy(arn, &role.name, plan));
        Ok(Self {
            name: role.name.clone(),
            arn: role.arn.clone(),
            policies: own.chain(attached).collect::<Result<_, AwsError>>()?,
            boundary: boundary.transpose()?,
        })
    }

    pub(super) fn policies(&self) -> Vec<&Policy> {
        self.policies.iter().map(|(_, policy)| policy).collect()
    }

    pub(super) fn boundary(&self) -> Option<&Policy> {
        self.boundary.as_ref()
    }
}

fn managed_policy(arn: &str, role: &str, plan: &Plan) -> Result<Policy, AwsError> {
    let mut policies = plan.managed_policies.iter();
    let own = policies.find(|policy| policy.arn == arn);
    let document = own
        .map(|policy| policy.document.clone())
        .or_else(|| managed::document(arn));
    let document = document.ok_or_else(|| {
        let message = format!("the role {role} has the policy {arn}, which no template has");
        AwsError::client("NoSuchEntity", message)
    })?;
    parsed(&document)
}

/// The policies of resources, the trust policies of roles among them.
fn policies_of_resources(plan: &Plan) -> Result<HashMap<String, Policy>, AwsError> {
    let mut statements = HashMap::<&str, Vec<Value>>::new();
    let resources = plan.resource_policies.iter();
    let resources = resources.map(|policy| (policy.arn.as_str(), &policy.document));
    let roles = plan
        .roles
        .iter()
        .map(|role| (role.arn.as_str(), &role.assume));
    for (arn, document) in resources.chain(roles) {
        let all = statements.entry(arn).or_default();
        match &document["Statement"] {
            Value::Array(more) => all.extend(more.iter().cloned()),
            one => all.push(one.clone()),
        }
    }
    let policies = statements.into_iter().map(|(arn, statements)| {
        let policy = parsed(&json!({ "Statement": statements }))?;
        Ok((arn.to_owned(), policy))
    });
    policies.collect()
}

fn declared(plan: &Plan) -> HashSet<String> {
    let functions = plan.functions.iter().map(|function| &function.arn);
    let queues = plan.queues.iter().map(|queue| &queue.arn);
    let topics = plan.topics.iter().map(|topic| &topic.arn);
    let roles = plan.roles.iter().map(|role| &role.arn);
    let all = functions.chain(queues).chain(topics).chain(roles);
    all.cloned().collect()
}

/// Parses a document that was checked when the template was read.
fn parsed(document: &Value) -> Result<Policy, AwsError> {
    let parsed = Policy::parse(document);
    parsed.map_err(|mistake| AwsError::client("MalformedPolicyDocument", mistake.to_string()))
}
