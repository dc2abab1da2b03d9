//! The decision over all policies.

use crate::{
    condition::Context,
    policy::{Policy, Said},
    principal::Caller,
    statement::Place,
};

/// One action of a caller on one resource.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The caller.
    pub caller: Caller<'a>,
    /// The action, for example `s3:GetObject`.
    pub action: &'a str,
    /// The resource's ARN; `*` for actions that are about no single resource.
    pub resource: &'a str,
    /// The values for conditions.
    pub context: &'a Context,
}

/// The policies that are about a question.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// The policies of the role; none if the caller is a service.
    pub identity: &'a [&'a Policy],
    /// The boundary of the role's permissions.
    pub boundary: Option<&'a Policy>,
    /// The policy of the resource.
    pub resource: Option<&'a Policy>,
    /// Whether the policy of the resource must allow the action or leave it to the account, as with the keys of KMS and
    /// the trust policies of roles.
    pub resource_must_allow: bool,
}

/// The reason why a caller may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// A policy of the role allows it.
    Identity {
        /// The number of the policy among those of the role.
        policy: usize,
        /// The place in the policy.
        place: Place,
    },
    /// The policy of the resource allows it.
    Resource(Place),
}

/// The reason why a caller may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A policy of the role denies it.
    IdentityDenies,
    /// The boundary of the role's permissions denies it.
    BoundaryDenies,
    /// The policy of the resource denies it.
    ResourceDenies,
    /// The boundary of the role's permissions does not allow it.
    NotInBoundary,
    /// No policy of the role allows it, and none of the resource.
    NoIdentityPolicy,
    /// The policy of the resource does not allow it, and the resource's policy must.
    NoResourcePolicy,
}

/// Decides a question by policies of one account.
///
/// # Errors
///
/// The reason for a refusal.
pub fn decide(policies: &Policies<'_>, question: &Question<'_>) -> Result<Grant, Refusal> {
    let resource = policies
        .resource
        .map_or(Said::Nothing, |policy| policy.say(question));
    let boundary = policies.boundary.map(|policy| policy.say(question));
    let identity = identity(policies.identity, question)?;
    match (resource, boundary) {
        (Said::Denied, _) => return Err(Refusal::ResourceDenies),
        (_, Some(Said::Denied)) => return Err(Refusal::BoundaryDenies),
        (_, Some(Said::Nothing)) => return Err(Refusal::NotInBoundary),
        _ => {}
    }
    match (resource, identity) {
        (Said::Allowed(place), _) => Ok(Grant::Resource(place)),
        (Said::Nothing | Said::Denied, _) if policies.resource_must_allow => {
            Err(Refusal::NoResourcePolicy)
        }
        (_, Some(grant)) => Ok(grant),
        (_, None) => Err(Refusal::NoIdentityPolicy),
    }
}

/// What the role's policies allow.
fn identity(policies: &[&Policy], question: &Question<'_>) -> Result<Option<Grant>, Refusal> {
    let mut grant = None;
    for (number, policy) in policies.iter().enumerate() {
        match policy.say(question) {
            Said::Denied => return Err(Refusal::IdentityDenies),
            Said::Allowed(place) | Said::LeftToAccount(place) if grant.is_none() => {
                let policy = number;
                grant = Some(Grant::Identity { policy, place });
            }
            _ => {}
        }
    }
    Ok(grant)
}
