//! Statements: what a policy allows or denies.

use serde_json::Value;

use crate::{
    condition::Conditions,
    decide::Question,
    pattern::{Patterns, matches_action, matches_arn},
    principal::{Named, Principals},
};

/// A statement.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) allows: bool,
    principals: Option<Principals>,
    actions: Patterns,
    /// `None` in the policy of a resource that is about this resource alone, as a role's trust policy.
    resources: Option<Patterns>,
    conditions: Conditions,
}

/// One pattern of an action with one pattern of a resource in a statement: the smallest part of a policy that can be
/// taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The number of the statement in its policy, from 0.
    pub statement: usize,
    /// The number of the action's pattern in its statement, from 0.
    pub action: usize,
    /// The number of the resource's pattern in its statement, from 0.
    pub resource: usize,
}

/// What a policy allows at a [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The pattern of actions, as the policy has it.
    pub action: String,
    /// The pattern of resources, as the policy has it; `*` if the policy is about one resource.
    pub resource: String,
}

impl Statement {
    pub(crate) fn read(statement: &Value) -> Result<Self, String> {
        let known = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        let fields = statement.as_object().ok_or("must be an object")?;
        if let Some(unknown) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("must have no element {unknown}"));
        }
        let allows = match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("Effect must be Allow or Deny".to_owned()),
        };
        let actions =
            Patterns::read(statement, "Action")?.ok_or("must have Action or NotAction")?;
        if let Some(wrong) = actions.patterns.iter().find(|action| !is_action(action)) {
            return Err(format!(
                "Action must be * or SERVICE:NAME, unlike {wrong:?}"
            ));
        }
        Ok(Self {
            allows,
            principals: Principals::read(statement)?,
            actions,
            resources: Patterns::read(statement, "Resource")?,
            conditions: Conditions::read(statement.get("Condition"))?,
        })
    }

    pub(crate) fn names_principals(&self) -> bool {
        self.principals.is_some()
    }

    pub(crate) fn names_resources(&self) -> bool {
        self.resources.is_some()
    }

    pub(crate) fn condition_keys(&self) -> impl Iterator<Item = &str> {
        self.conditions.keys()
    }

    /// Whether the statement is about a question: the numbers of the action's and the resource's pattern, and how the
    /// statement names the caller.
    pub(crate) fn about(&self, question: &Question<'_>) -> Option<(usize, usize, Named)> {
        let action = self.actions.about(question.action, matches_action)?;
        let resource = match &self.resources {
            Some(resources) => resources.about(question.resource, matches_arn)?,
            None => 0,
        };
        let named = match &self.principals {
            Some(principals) => principals.name(&question.caller)?,
            None => Named::Itself,
        };
        let met = self.conditions.met(question.context);
        met.then_some((action, resource, named))
    }

    /// The places of this statement, the `number`-th of its policy.
    pub(crate) fn places(&self, statement: usize) -> impl Iterator<Item = Place> + '_ {
        let resources = self.resources.as_ref().map_or(1, Patterns::len);
        (0..self.actions.len()).flat_map(move |action| {
            (0..resources).map(move |resource| Place {
                statement,
                action,
                resource,
            })
        })
    }

    pub(crate) fn permission(&self, place: Place) -> Permission {
        let resources = self.resources.as_ref();
        Permission {
            action: self.actions.text(place.action),
            resource: resources.map_or("*".to_owned(), |all| all.text(place.resource)),
        }
    }
}

fn is_action(pattern: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-*?".contains(letter);
    let parts = pattern.split_once(':');
    pattern == "*"
        || parts.is_some_and(|(service, name)| {
            let named = [service, name];
            named
                .iter()
                .all(|part| !part.is_empty() && part.chars().all(allowed))
        })
}
