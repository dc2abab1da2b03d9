//! Resources with data: log groups, buckets, streams, tables, keys and parameters.

use async_trait::async_trait;
use serde_json::json;

use super::{Kind, Resource, is_there, json};
use crate::{
    deploy::{Bucket, Key, KeyAlias, Parameter, Stream, Table},
    error::AwsError,
    services::Services,
};

/// A log group, by its name.
pub struct LogGroup(pub String);

#[async_trait]
impl Resource for LogGroup {
    fn kind(&self) -> Kind {
        Kind::LogGroup
    }

    fn id(&self) -> String {
        self.0.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(&self.0)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let request = json!({"logGroupName": self.0});
        match services.logs.call("CreateLogGroup", &request) {
            Err(error) if error.code != "ResourceAlreadyExistsException" => Err(error),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Resource for Bucket {
    fn kind(&self) -> Kind {
        Kind::Bucket
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        services.s3.ensure_bucket(&self.name)
    }
}

#[async_trait]
impl Resource for Stream {
    fn kind(&self) -> Kind {
        Kind::Stream
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let Self {
            name,
            shards,
            mode,
            retention_hours,
            consumers,
            ..
        } = self;
        let kinesis = &services.kinesis;
        kinesis.ensure(name, *shards, *mode, *retention_hours, consumers)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        is_there(services.kinesis.topology(&self.name))
    }
}

#[async_trait]
impl Resource for Table {
    fn kind(&self) -> Kind {
        Kind::Table
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let ttl = self.ttl_attribute.as_deref();
        services.dynamodb.ensure_table(&self.request, ttl)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let request = json!({"TableName": self.name}).to_string();
        let described = services.dynamodb.call("DescribeTable", request.as_bytes());
        is_there(described.map_err(AwsError::from))
    }
}

#[async_trait]
impl Resource for Key {
    fn kind(&self) -> Kind {
        Kind::Key
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let description = self.description.as_deref().unwrap_or_default();
        let kms = &services.kms;
        kms.ensure_key(&self.id, description, self.enabled)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let request = json!({"KeyId": self.id});
        is_there(services.kms.call("DescribeKey", &request))
    }
}

#[async_trait]
impl Resource for KeyAlias {
    fn kind(&self) -> Kind {
        Kind::KeyAlias
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        services.kms.ensure_alias(&self.name, &self.key_id)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let request = json!({"KeyId": self.name});
        is_there(services.kms.call("DescribeKey", &request))
    }
}

#[async_trait]
impl Resource for Parameter {
    fn kind(&self) -> Kind {
        Kind::Parameter
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let description = self.description.as_deref();
        let ssm = &services.ssm;
        ssm.ensure(&self.name, &self.kind, &self.value, description)
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let request = json!({"Name": self.name});
        is_there(services.ssm.call("GetParameter", &request))
    }
}
