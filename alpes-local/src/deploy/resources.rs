//! The resources that a deployment makes, changes and removes, each by its service.

mod code;
mod events;
mod storage;

use async_trait::async_trait;
use serde::Serialize;

pub use self::storage::LogGroup;
use crate::{error::AwsError, services::Services};

/// A resource that a template asks for.
#[async_trait]
pub trait Resource: Send + Sync {
    fn kind(&self) -> Kind;

    /// The key of the resource among those of its kind.
    fn id(&self) -> String;

    /// Everything that the template asks for, as JSON. A resource is changed when this is another text than before.
    fn asked(&self) -> Result<String, AwsError>;

    /// Makes the resource, or brings it to what the template asks for.
    async fn ensure(&self, services: &Services) -> Result<(), AwsError>;

    /// Whether the resource is still there. False also where [`Self::ensure`] undoes nothing, and can always be called.
    fn exists(&self, _: &Services) -> Result<bool, AwsError> {
        Ok(false)
    }

    /// Brings what is there to what does not stand in the template: the code of a function.
    async fn refresh(&self, _: &Services) -> Result<(), AwsError> {
        Ok(())
    }
}

/// The kind of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Mapping,
    Schedule,
    Subscription,
    Api,
    Machine,
    Function,
    LogGroup,
    Bucket,
    Stream,
    Table,
    Queue,
    Topic,
    Key,
    KeyAlias,
    Parameter,
}

impl Kind {
    /// All kinds, in the order in which resources are removed: what calls others goes before what is called.
    pub const ALL: [Self; 15] = [
        Self::Mapping,
        Self::Schedule,
        Self::Subscription,
        Self::Api,
        Self::Machine,
        Self::Function,
        Self::LogGroup,
        Self::Bucket,
        Self::Stream,
        Self::Table,
        Self::Queue,
        Self::Topic,
        Self::Key,
        Self::KeyAlias,
        Self::Parameter,
    ];

    /// The kind as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mapping => "mapping",
            Self::Schedule => "schedule",
            Self::Subscription => "subscription",
            Self::Api => "api",
            Self::Machine => "machine",
            Self::Function => "function",
            Self::LogGroup => "log group",
            Self::Bucket => "bucket",
            Self::Stream => "stream",
            Self::Table => "table",
            Self::Queue => "queue",
            Self::Topic => "topic",
            Self::Key => "key",
            Self::KeyAlias => "key alias",
            Self::Parameter => "parameter",
        }
    }

    /// Removes a resource, unless it has data: then it stays. A resource that is gone already counts as removed.
    pub async fn remove(self, id: &str, services: &Services) -> Result<(), AwsError> {
        let removed = match self {
            Self::Mapping => events::remove_mapping(id, services).await,
            Self::Schedule => services.schedules.remove(id),
            Self::Subscription => events::remove_subscription(id, services),
            Self::Machine => code::remove_machine(id, services),
            Self::Function => services.lambda.remove(id),
            Self::Api => {
                services.gateway.remove(id);
                Ok(())
            }
            Self::LogGroup
            | Self::Bucket
            | Self::Stream
            | Self::Table
            | Self::Queue
            | Self::Topic
            | Self::Key
            | Self::KeyAlias
            | Self::Parameter => Ok(()),
        };
        is_there(removed).map(|_| ())
    }
}

fn json(resource: &impl Serialize) -> Result<String, AwsError> {
    serde_json::to_string(resource).map_err(AwsError::internal)
}

/// False if the service answered that the resource does not exist.
fn is_there<T>(answer: Result<T, AwsError>) -> Result<bool, AwsError> {
    const MISSING: [&str; 6] = [
        "NotFound",
        "NotFoundException",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "StateMachineDoesNotExist",
    ];
    match answer {
        Ok(_) => Ok(true),
        Err(error) if MISSING.contains(&error.code.as_str()) => Ok(false),
        Err(error) => Err(error),
    }
}
