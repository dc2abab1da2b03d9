//! Calls of functions on AWS Lambda.

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use alpes_ports::{CallError, FunctionName, Functions};
use async_trait::async_trait;
use aws_sdk_lambda::{
    Client, Config,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::SdkError,
    operation::invoke::InvokeOutput,
    primitives::Blob,
    types::InvocationType,
};
use serde::Deserialize;

use crate::error::{OF_LAMBDA, ServiceError, sorted};

/// The timeout of a call. The timeout is longer than a participant may run, so that no call is abandoned while the
/// participant still works.
const PATIENCE: Duration = Duration::from_secs(15);

/// The functions, by their logical names.
pub struct LambdaFunctions {
    client: Client,
    names: BTreeMap<String, String>,
}

impl LambdaFunctions {
    /// `names` maps logical names to physical ones. A function without an entry cannot be called.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, names: BTreeMap<String, String>) -> Self {
        // This timeout limits a whole attempt. A timeout of the connection would keep clients from sharing connections.
        let patience = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE);
        let config = Config::from(config)
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(patience.build())
            .build();
        Self {
            client: Client::from_conf(config),
            names,
        }
    }

    async fn invoke(
        &self,
        function: FunctionName,
        kind: InvocationType,
        payload: &[u8],
    ) -> Result<InvokeOutput, CallError> {
        let name = self.names.get(function.0).ok_or_else(|| {
            CallError::Refused(format!("no function {:?} is configured here", function.0))
        })?;
        let invoke = self
            .client
            .invoke()
            .function_name(name)
            .invocation_type(kind);
        let sent = invoke.payload(Blob::new(payload)).send().await;
        sent.map_err(|error| call_error(&error))
    }
}

fn call_error<E: ServiceError, R: Debug>(error: &SdkError<E, R>) -> CallError {
    sorted(error, OF_LAMBDA, CallError::Refused, CallError::Unavailable)
}

/// The payload that Lambda returns when a function fails. If the function ran out of time or died, `errorType` may be
/// missing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_message: String,
}

fn failed(payload: &[u8]) -> CallError {
    let failure = serde_json::from_slice(payload).unwrap_or_else(|_| Failure {
        error_type: String::new(),
        error_message: String::from_utf8_lossy(payload).into_owned(),
    });
    CallError::Failed {
        error_type: failure.error_type,
        message: failure.error_message,
    }
}

#[async_trait]
impl Functions for LambdaFunctions {
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        let invoked = self.invoke(function, InvocationType::RequestResponse, payload);
        let output = invoked.await?;
        let answer = output.payload.map(Blob::into_inner).unwrap_or_default();
        match output.function_error {
            None => Ok(answer),
            Some(_) => Err(failed(&answer)),
        }
    }

    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError> {
        let started = self.invoke(function, InvocationType::Event, payload);
        started.await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_in_each_form_that_it_has() {
        let read = |payload: &str| match failed(payload.as_bytes()) {
            CallError::Failed {
                error_type,
                message,
            } => (error_type, message),
            other => unreachable!("{other}"),
        };
        let pair = |kind: &str, text: &str| (kind.to_owned(), text.to_owned());
        assert_eq!(
            read(r#"{"errorType": "Contention", "errorMessage": "too many", "trace": []}"#),
            pair("Contention", "too many")
        );
        assert_eq!(
            read(r#"{"errorMessage": "2026-01-31 Task timed out after 10.00 seconds"}"#),
            pair("", "2026-01-31 Task timed out after 10.00 seconds")
        );
        assert_eq!(
            read("Runtime exited"),
            pair("", "Runtime exited"),
            "what is no JSON is kept as it is"
        );
    }
}
