//! Queues, topics with their subscriptions, event source mappings and schedules.

use async_trait::async_trait;

use super::{Kind, Resource, is_there, json};
use crate::{
    deploy::{Queue, Schedule, Subscription, Topic},
    error::AwsError,
    http::Form,
    mappings::MappingSpec,
    services::Services,
};

#[async_trait]
impl Resource for Queue {
    fn kind(&self) -> Kind {
        Kind::Queue
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        services.sqs.ensure(&self.name, &self.attributes).map(drop)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        is_there(services.sqs.changes(&self.arn))
    }
}

#[async_trait]
impl Resource for Topic {
    fn kind(&self) -> Kind {
        Kind::Topic
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let made = services.sns.ensure_topic(&self.name, &self.attributes);
        made.map(drop)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let request = Form::parse(&format!("TopicArn={}", self.arn));
        is_there(services.sns.call("GetTopicAttributes", &request))
    }
}

#[async_trait]
impl Resource for Subscription {
    fn kind(&self) -> Kind {
        Kind::Subscription
    }

    fn id(&self) -> String {
        let Self {
            topic_arn,
            protocol,
            endpoint,
            ..
        } = self;
        format!("{topic_arn} {protocol} {endpoint}")
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let made = services.sns.ensure_subscription(
            &self.topic_arn,
            &self.protocol,
            &self.endpoint,
            &self.attributes,
        );
        made.map(drop)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let sns = &services.sns;
        let arn = sns.subscription_of(&self.topic_arn, &self.protocol, &self.endpoint)?;
        Ok(arn.is_some())
    }
}

pub(super) fn remove_subscription(id: &str, services: &Services) -> Result<(), AwsError> {
    let mut parts = id.splitn(3, ' ');
    let (Some(topic), Some(protocol), Some(endpoint)) = (parts.next(), parts.next(), parts.next())
    else {
        return Ok(());
    };
    let sns = &services.sns;
    let Some(arn) = sns.subscription_of(topic, protocol, endpoint)? else {
        return Ok(());
    };
    let request = Form::parse(&format!("SubscriptionArn={arn}"));
    sns.call("Unsubscribe", &request).map(drop)
}

#[async_trait]
impl Resource for MappingSpec {
    fn kind(&self) -> Kind {
        Kind::Mapping
    }

    fn id(&self) -> String {
        format!("{} {}", self.function, self.source_arn)
    }

    fn asked(&self) -> Result<String, AwsError> {
        self.to_json()
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        services.mappings.ensure(self.clone()).await.map(drop)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let id = services.mappings.id_of(&self.function, &self.source_arn);
        Ok(id.is_some())
    }
}

pub(super) async fn remove_mapping(id: &str, services: &Services) -> Result<(), AwsError> {
    let mappings = &services.mappings;
    let parts = id.split_once(' ');
    match parts.and_then(|(function, source)| mappings.id_of(function, source)) {
        Some(uuid) => mappings.remove(uuid).await,
        None => Ok(()),
    }
}

#[async_trait]
impl Resource for Schedule {
    fn kind(&self) -> Kind {
        Kind::Schedule
    }

    fn id(&self) -> String {
        self.key()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        services.schedules.ensure(self)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        services.schedules.exists(&self.key())
    }
}
