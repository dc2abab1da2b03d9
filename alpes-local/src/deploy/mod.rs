//! Templates: what they ask for, and the deployment.
//!
//! [`Plan::read`] turns templates into typed lists of resources. It refuses whatever this runtime does not know, with
//! the line of the template, so that nothing is silently left out. Everything without meaning here, for example an
//! alarm, is listed in [`Plan::without_meaning`].

mod aliases;
mod apis;
mod apply;
mod convert;
mod declared;
mod documents;
mod draft;
mod events;
mod functions;
mod keys;
mod kinds;
mod machines;
mod mappings;
mod messaging;
mod overview;
mod permissions;
mod plan;
mod policies;
mod resources;
mod roles;
mod schedules;
mod storage;
mod streams;
mod tables;
#[cfg(test)]
mod tests;

pub use aliases::Alias;
pub use apply::Failed;
pub use functions::{Function, LogFormat};
pub use keys::{Key, KeyAlias, Parameter};
pub use machines::StateMachine;
pub use mappings::{QueueMapping, StreamMapping};
pub use messaging::{Queue, Subscription, Topic};
pub use permissions::ResourcePolicy;
pub use plan::{DeployError, Plan};
pub use roles::{ManagedPolicy, Policy, Role};
pub use storage::Bucket;
pub use streams::Stream;
pub use tables::Table;
pub use template::Output;

pub use crate::{
    gateway::ApiSpec,
    kinesis::Mode,
    schedules::{Schedule, ScheduleSource, Target},
};
