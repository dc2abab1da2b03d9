//! Callers, and the principals of policies.

use serde_json::Value;

use crate::pattern::texts;

/// The caller of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller<'a> {
    /// A session of a role.
    Role {
        /// The role's ARN.
        role: &'a str,
        /// The session's ARN: `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
        session: &'a str,
        /// The account.
        account: &'a str,
    },
    /// A service of AWS that calls for itself, for example `sns.amazonaws.com`.
    Service(&'a str),
}

/// The principals of a statement in a policy of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principals {
    all: bool,
    accounts_and_arns: Vec<String>,
    services: Vec<String>,
    negated: bool,
}

/// How a statement's principals name a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// By itself, or as one of all.
    Itself,
    /// By its account, so that the account's own policies decide.
    ItsAccount,
}

impl Principals {
    /// Reads `Principal` or `NotPrincipal`; `None` if a statement has neither.
    pub(crate) fn read(statement: &Value) -> Result<Option<Self>, String> {
        let (value, negated) = match (statement.get("Principal"), statement.get("NotPrincipal")) {
            (None, None) => return Ok(None),
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            _ => return Err("must have either Principal or NotPrincipal".to_owned()),
        };
        let mut read = Self {
            all: value.as_str() == Some("*"),
            accounts_and_arns: vec![],
            services: vec![],
            negated,
        };
        if read.all {
            return Ok(Some(read));
        }
        let kinds = value
            .as_object()
            .ok_or("Principal must be * or an object")?;
        for (kind, value) in kinds {
            let named = texts(value)
                .ok_or_else(|| format!("Principal.{kind} must be a text or a list of texts"))?;
            match kind.as_str() {
                "AWS" if named.iter().any(|name| name == "*") => read.all = true,
                "AWS" => read.accounts_and_arns.extend(named),
                "Service" => read.services.extend(named),
                // Callers from outside the account, which there are none of.
                "Federated" | "CanonicalUser" => {}
                _ => return Err(format!("Principal has no kind {kind}")),
            }
        }
        Ok(Some(read))
    }

    /// Whether a statement with these principals is about this caller, and how.
    pub(crate) fn name(&self, caller: &Caller<'_>) -> Option<Named> {
        let found = self.find(caller);
        if self.negated {
            return found.is_none().then_some(Named::Itself);
        }
        found
    }

    fn find(&self, caller: &Caller<'_>) -> Option<Named> {
        if self.all {
            return Some(Named::Itself);
        }
        match caller {
            Caller::Service(service) => {
                let named = self.services.iter().any(|name| name == service);
                named.then_some(Named::Itself)
            }
            Caller::Role {
                role,
                session,
                account,
            } => {
                let is = |name: &String| name == role || name == session;
                if self.accounts_and_arns.iter().any(is) {
                    return Some(Named::Itself);
                }
                let root = format!("arn:aws:iam::{account}:root");
                let is = |name: &String| name == account || *name == root;
                let named = self.accounts_and_arns.iter().any(is);
                named.then_some(Named::ItsAccount)
            }
        }
    }
}
