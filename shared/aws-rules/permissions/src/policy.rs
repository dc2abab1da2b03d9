//! Policy documents.

use serde_json::Value;
use thiserror::Error;

use crate::{
    decide::Question,
    principal::Named,
    statement::{Permission, Place, Statement},
};

/// A policy of a role, a boundary, or a policy of a resource.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Vec<Statement>,
}

/// The rule that a policy document breaks.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{place} {rule}")]
pub struct InvalidPolicy {
    /// The place in the document, for example `Statement[2]`.
    pub place: String,
    /// The rule, as the end of a sentence that begins with the place.
    pub rule: String,
}

/// What a policy says to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// A statement denies it.
    Denied,
    /// A statement allows it, and none denies it.
    Allowed(Place),
    /// A statement allows it to the account of the caller, and none denies it.
    LeftToAccount(Place),
    /// No statement is about it.
    Nothing,
}

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    ///
    /// The place in the document and the rule that it breaks.
    pub fn parse(document: &Value) -> Result<Self, InvalidPolicy> {
        let invalid = |place: String, rule: String| InvalidPolicy { place, rule };
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.as_slice(),
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => {
                let rule = "must be a statement or a list of statements".to_owned();
                return Err(invalid("Statement".to_owned(), rule));
            }
        };
        let statements = statements.iter().enumerate().map(|(number, statement)| {
            Statement::read(statement).map_err(|rule| invalid(format!("Statement[{number}]"), rule))
        });
        Ok(Self {
            statements: statements.collect::<Result<_, _>>()?,
        })
    }

    /// Checks that this is a policy for a role: each statement names resources, and none names principals.
    ///
    /// # Errors
    ///
    /// The statement that breaks the rule.
    pub fn check_for_role(&self) -> Result<(), InvalidPolicy> {
        self.check("must have no Principal", |statement| {
            !statement.names_principals()
        })?;
        self.check("must have Resource or NotResource", |statement| {
            statement.names_resources()
        })
    }

    /// Checks that this is a policy for a resource: each statement names principals.
    ///
    /// # Errors
    ///
    /// The statement that breaks the rule.
    pub fn check_for_resource(&self) -> Result<(), InvalidPolicy> {
        self.check("must have a Principal", |statement| {
            statement.names_principals()
        })
    }

    fn check(&self, rule: &str, holds: fn(&Statement) -> bool) -> Result<(), InvalidPolicy> {
        let broken = self
            .statements
            .iter()
            .position(|statement| !holds(statement));
        broken.map_or(Ok(()), |number| {
            let (place, rule) = (format!("Statement[{number}]"), rule.to_owned());
            Err(InvalidPolicy { place, rule })
        })
    }

    /// The keys of all conditions, in lower case.
    pub fn condition_keys(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(Statement::condition_keys)
    }

    /// The places that allow something, in the order of the document.
    pub fn grants(&self) -> impl Iterator<Item = Place> + '_ {
        let statements = self.statements.iter().enumerate();
        let allowing = statements.filter(|(_, statement)| statement.allows);
        allowing.flat_map(|(number, statement)| statement.places(number))
    }

    /// What the policy allows or denies at a place; `None` if it has no such place.
    #[must_use]
    pub fn permission(&self, place: Place) -> Option<Permission> {
        let statement = self.statements.get(place.statement)?;
        Some(statement.permission(place))
    }

    /// What the policy says. An allowance to the caller itself goes before one to its account.
    pub(crate) fn say(&self, question: &Question<'_>) -> Said {
        let mut said = Said::Nothing;
        for (number, statement) in self.statements.iter().enumerate() {
            let Some((action, resource, named)) = statement.about(question) else {
                continue;
            };
            if !statement.allows {
                return Said::Denied;
            }
            let place = Place {
                statement: number,
                action,
                resource,
            };
            said = match (said, named) {
                (Said::Allowed(first), _) => Said::Allowed(first),
                (_, Named::Itself) => Said::Allowed(place),
                (Said::LeftToAccount(first), Named::ItsAccount) => Said::LeftToAccount(first),
                (_, Named::ItsAccount) => Said::LeftToAccount(place),
            };
        }
        said
    }
}
