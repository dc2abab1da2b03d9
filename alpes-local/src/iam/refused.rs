//! What was refused, and AWS's message about it.

use std::{collections::BTreeMap, fmt, sync::Mutex};

use permissions::Refusal;
use serde_json::{Value, json};

use crate::{error::AwsError, waiting::lock};

/// The most different refusals that are kept.
const MOST: usize = 1_000;

/// A refusal: what was missing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Denied {
    /// The session's ARN, or the service's name.
    pub who: String,
    /// The action.
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// The reason, as the end of AWS's message.
    pub reason: String,
}

impl Denied {
    pub(super) fn of(who: &str, action: &str, resource: &str, refusal: Refusal) -> Self {
        let with = |kind: &str| format!("with an explicit deny in {kind}");
        let without = |kind: &str| format!("because no {kind} allows the {action} action");
        let reason = match refusal {
            Refusal::IdentityDenies => with("an identity-based policy"),
            Refusal::BoundaryDenies => with("a permissions boundary"),
            Refusal::ResourceDenies => with("a resource-based policy"),
            Refusal::NotInBoundary => without("permissions boundary"),
            Refusal::NoIdentityPolicy if who.starts_with("arn:") => {
                without("identity-based policy")
            }
            Refusal::NoIdentityPolicy | Refusal::NoResourcePolicy => {
                without("resource-based policy")
            }
        };
        Self {
            who: who.to_owned(),
            action: action.to_owned(),
            resource: resource.to_owned(),
            reason,
        }
    }

    /// The error that a service of AWS answers. `service` is the prefix of its actions, for example `dynamodb`.
    #[must_use]
    pub fn error(&self) -> AwsError {
        let message = self.to_string();
        let service = self.action.split(':').next().unwrap_or_default();
        match service {
            "s3" | "sts" => AwsError::of(403, "AccessDenied", message),
            "sns" => AwsError::of(403, "AuthorizationError", message),
            "lambda" | "sqs" => AwsError::of(403, "AccessDeniedException", message),
            _ => AwsError::client("AccessDeniedException", message),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            who,
            action,
            resource,
            reason,
        } = self;
        write!(
            to,
            "User: {who} is not authorized to perform: {action} on resource: {resource} {reason}"
        )
    }
}

/// The refusals since the start, with their numbers.
#[derive(Default)]
pub(super) struct Refused(Mutex<BTreeMap<Denied, u64>>);

impl Refused {
    /// Counts a refusal. Returns whether it is the first of its kind.
    pub(super) fn note(&self, denied: &Denied) -> bool {
        let mut all = lock(&self.0);
        if let Some(times) = all.get_mut(denied) {
            *times += 1;
            return false;
        }
        if all.len() < MOST {
            all.insert(denied.clone(), 1);
        }
        true
    }

    pub(super) fn report(&self) -> Value {
        let all = lock(&self.0);
        let all = all.iter().map(|(denied, times)| {
            json!({
                "who": denied.who,
                "action": denied.action,
                "resource": denied.resource,
                "reason": denied.reason,
                "times": times,
            })
        });
        all.collect()
    }
}
