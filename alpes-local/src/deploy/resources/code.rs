//! Functions, state machines and APIs.

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::json;

use super::{Kind, Resource, is_there, json};
use crate::{
    deploy::{ApiSpec, StateMachine},
    error::AwsError,
    lambda::{Code, FunctionSpec},
    services::Services,
    states::machine_arn,
};

#[async_trait]
impl Resource for FunctionSpec {
    fn kind(&self) -> Kind {
        Kind::Function
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    /// The settings. The code is always brought to that in the folder of artifacts.
    fn asked(&self) -> Result<String, AwsError> {
        let code = Code::Folder(PathBuf::new());
        json(&Self {
            code,
            ..self.clone()
        })
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        services.lambda.put(self.clone()).await
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        Ok(services.lambda.function(&self.name).is_some())
    }

    async fn refresh(&self, services: &Services) -> Result<(), AwsError> {
        let code = self.code.clone();
        services.lambda.put_code(&self.name, code).await
    }
}

#[async_trait]
impl Resource for StateMachine {
    fn kind(&self) -> Kind {
        Kind::Machine
    }

    fn id(&self) -> String {
        self.name.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        let states = &services.states;
        states.ensure_machine(&self.name, &self.definition, &self.role_arn)?;
        Ok(())
    }

    fn exists(&self, services: &Services) -> Result<bool, AwsError> {
        let request = json!({"stateMachineArn": machine_arn(&self.name)});
        is_there(services.states.call("DescribeStateMachine", &request))
    }
}

pub(super) fn remove_machine(name: &str, services: &Services) -> Result<(), AwsError> {
    let request = json!({"stateMachineArn": machine_arn(name)});
    services
        .states
        .call("DeleteStateMachine", &request)
        .map(drop)
}

#[async_trait]
impl Resource for ApiSpec {
    fn kind(&self) -> Kind {
        Kind::Api
    }

    fn id(&self) -> String {
        self.id.clone()
    }

    fn asked(&self) -> Result<String, AwsError> {
        json(self)
    }

    async fn ensure(&self, services: &Services) -> Result<(), AwsError> {
        services.gateway.put(self.clone())
    }
}
