//! IAM: who calls, and whether the policies of the templates allow it.
//!
//! A function calls with credentials of its own, whose key names its role. A service calls for a resource: a topic, a
//! rule, a method of an API. Both may do what the policies of the templates allow, as on AWS. Every other key is that of
//! the administrator, who may do everything. So may a role that no template has, and so may a service with a resource
//! that no template has: there is nothing by which they could be judged.
//!
//! 1. [`Iam::caller`] reads who calls from a request's signature.
//! 2. `requests::needs` tells which actions on which resources the request is.
//! 3. [`Iam::check`] judges each of them by the rules of the crate `permissions`, notes what was used, and prints what
//!    was missing.

mod acting;
mod command;
mod credentials;
pub mod managed;
mod refused;
pub(crate) mod requests;
mod rules;
pub(crate) mod signature;
mod usage;

use std::sync::{Arc, PoisonError, RwLock};

use permissions::{Context, Grant, Policies, Question, Refusal, decide};
use serde_json::{Value, json};

pub use self::{
    acting::{Acting, Caller},
    command::permissions,
    credentials::{Credentials, Keys, Session},
    refused::Denied,
    requests::Need,
    signature::Unsigned,
};
use self::{refused::Refused, rules::Rules, usage::Usage};
use crate::{
    deploy::Plan,
    error::AwsError,
    http::Request,
    names::{ACCOUNT, REGION},
    router::Credential,
    store::Store,
    sts::Sts,
};

/// The keys on which policies may have conditions here, in lower case.
pub(crate) const CONDITION_KEYS: [&str; 7] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:requestedregion",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
];

/// The policies of what is deployed, and what was used of them.
#[derive(Default)]
pub struct Iam {
    rules: RwLock<Arc<Rules>>,
    usage: Usage,
    refused: Refused,
    /// Where secrets come from; `None` if every key is the administrator's.
    keys: Option<KeyRing>,
}

/// The secrets of functions and of sessions.
struct KeyRing {
    credentials: Credentials,
    sts: Arc<Sts>,
}

/// The secret of the administrator's keys, whatever their ids: the one that everybody uses with emulators.
pub const ADMINISTRATOR_SECRET: &str = "test";

impl Iam {
    /// Judges by no policy until [`Self::deploy`]. What was used of policies is kept in the store. `sts` has the sessions.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn new(store: Arc<Store>, sts: Arc<Sts>) -> Result<Arc<Self>, AwsError> {
        let credentials = Credentials::of(&store)?;
        Ok(Arc::new(Self {
            keys: Some(KeyRing { credentials, sts }),
            usage: Usage::new(store)?,
            ..Self::default()
        }))
    }

    /// Judges by the policies of this plan from now on.
    ///
    /// # Errors
    ///
    /// The role and the policy that it names, if no template has it and it is none of AWS's that are known here.
    pub fn deploy(&self, plan: &Plan) -> Result<(), AwsError> {
        let rules = Arc::new(Rules::of(plan)?);
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }

    fn rules(&self) -> Arc<Rules> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.clone()
    }

    /// The caller of a request, by the id of the key with which it is signed.
    ///
    /// # Errors
    ///
    /// If the sessions cannot be read.
    pub fn caller(&self, request: &Request) -> Result<Caller, AwsError> {
        match (&self.keys, Credential::of(request)) {
            (Some(keys), Some(credential)) => Caller::of(&credential.key, &keys.sts),
            _ => Ok(Caller::Administrator),
        }
    }

    /// Checks the signature of a request with the secret of its key. The secret of the administrator's keys is
    /// [`ADMINISTRATOR_SECRET`].
    ///
    /// # Errors
    ///
    /// Why the signature does not count.
    pub fn check_signature(&self, request: &Request) -> Result<(), Unsigned> {
        let credential = Credential::of(request).ok_or(Unsigned::Incomplete)?;
        let secret = self.secret(&credential.key);
        signature::verify(request, &secret, jiff::Timestamp::now())
    }

    fn secret(&self, key: &str) -> String {
        let Some(keys) = &self.keys else {
            return ADMINISTRATOR_SECRET.to_owned();
        };
        if Session::of(key).is_some() {
            return keys.credentials.secret_of(key);
        }
        let session = keys.sts.session(key).ok().flatten();
        session.map_or_else(|| ADMINISTRATOR_SECRET.to_owned(), |session| session.secret)
    }

    /// Checks all that a request needs.
    ///
    /// # Errors
    ///
    /// The first need that is refused.
    pub(crate) fn check_all(&self, caller: &Caller, needs: &[Need]) -> Result<(), Denied> {
        let Some(acting) = caller.acting() else {
            return Ok(());
        };
        let mut needs = needs.iter();
        needs.try_for_each(|need| self.check(&acting, &need.action, &need.resource))
    }

    /// Whether `acting` may do `action` on the resource with this ARN; `*` for actions on no single resource. A refusal
    /// is printed when it comes for the first time.
    ///
    /// # Errors
    ///
    /// What was missing, with AWS's message.
    pub fn check(&self, acting: &Acting<'_>, action: &str, resource: &str) -> Result<(), Denied> {
        let rules = self.rules();
        let role = match acting {
            Acting::Role { role, .. } => match rules.role(role) {
                Some(role) => Some(role),
                None => return Ok(()),
            },
            Acting::Service { .. } if !rules.declares(resource) => return Ok(()),
            Acting::Service { .. } => None,
        };
        let identity: Vec<_> = role.map(rules::Role::policies).unwrap_or_default();
        let policies = Policies {
            identity: &identity,
            boundary: role.and_then(rules::Role::boundary),
            resource: rules.policy_of(resource),
            resource_must_allow: rules.policy_must_allow(action, resource),
        };
        let session = acting.arn();
        let context = context(acting, role);
        let question = Question {
            caller: acting.caller(role, &session),
            action,
            resource,
            context: &context,
        };
        match (decide(&policies, &question), role) {
            (Ok(Grant::Identity { policy, place }), Some(role)) => {
                self.usage.note(role, (policy, place), action, resource);
                Ok(())
            }
            (Ok(_), _) => Ok(()),
            (Err(refusal), _) => Err(self.deny(&session, action, resource, refusal)),
        }
    }

    fn deny(&self, who: &str, action: &str, resource: &str, refusal: Refusal) -> Denied {
        let denied = Denied::of(who, action, resource, refusal);
        if self.refused.note(&denied) {
            eprintln!("denied: {denied}");
        }
        denied
    }

    /// Whether `acting` may send a document to a destination: a bucket, with the key of the object; a queue, a topic or a
    /// function.
    ///
    /// # Errors
    ///
    /// What was missing.
    pub fn check_delivery(
        &self,
        acting: &Acting<'_>,
        destination: &str,
        object_key: &str,
    ) -> Result<(), Denied> {
        match destination.split(':').nth(2) {
            Some("s3") => {
                let object = format!("{destination}/{object_key}");
                self.check(acting, "s3:PutObject", &object)?;
                self.check(acting, "s3:ListBucket", destination)
            }
            Some("sqs") => self.check(acting, "sqs:SendMessage", destination),
            Some("sns") => self.check(acting, "sns:Publish", destination),
            Some("lambda") => self.check(acting, "lambda:InvokeFunction", destination),
            _ => Ok(()),
        }
    }

    /// The role with which a schedule of EventBridge Scheduler invokes its target, by the schedule's key.
    pub fn role_of_schedule(&self, key: &str) -> Option<String> {
        self.rules().role_of_schedule(key)
    }

    /// Whether a role may be assumed by a service, for example `lambda.amazonaws.com`, for the resource with the ARN
    /// `source`.
    ///
    /// # Errors
    ///
    /// What was missing in the role's trust policy.
    pub fn check_trust(
        &self,
        service: &'static str,
        source: &str,
        role_arn: &str,
    ) -> Result<(), Denied> {
        let acting = Acting::Service { service, source };
        self.check(&acting, "sts:AssumeRole", role_arn)
    }

    /// What roles may do, what of it was used, the least policy that would have done, and what was refused.
    #[must_use]
    pub fn report(&self) -> Value {
        let rules = self.rules();
        let reports = rules.roles().map(|role| self.usage.report(role));
        json!({
            "roles": reports.collect::<Vec<_>>(),
            "refused": self.refused.report(),
        })
    }
}

/// The values for conditions.
fn context(acting: &Acting<'_>, role: Option<&rules::Role>) -> Context {
    let mut context = Context::default();
    // The runtime stands for AWS's addresses, which are reached by TLS.
    context.set("aws:SecureTransport", "true");
    context.set("aws:RequestedRegion", REGION);
    match acting {
        Acting::Role { .. } => {
            context.set("aws:PrincipalIsAWSService", "false");
            context.set("aws:PrincipalAccount", ACCOUNT);
            if let Some(role) = role {
                context.set("aws:PrincipalArn", role.arn.as_str());
            }
        }
        Acting::Service { source, .. } => {
            context.set("aws:PrincipalIsAWSService", "true");
            context.set("aws:SourceAccount", ACCOUNT);
            if !source.is_empty() {
                context.set("aws:SourceArn", *source);
            }
        }
    }
    context
}
