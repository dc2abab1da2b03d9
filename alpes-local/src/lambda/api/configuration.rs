//! The settings of a function.

use http::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{
    body,
    functions::check_revision,
    no_content, ok,
    shapes::{self, Settings},
    unsupported,
};
use crate::{
    error::AwsError,
    http::{Request, Response},
    lambda::{Inner, limits::invalid, spec::Asynchronous},
    names::{FunctionName, function_arn},
};

pub(super) fn get(inner: &Inner, reference: &FunctionName) -> Result<Response, AwsError> {
    let function = inner.existing(reference)?;
    Ok(ok(&shapes::configuration(
        &function,
        reference.qualifier.as_deref(),
    )))
}

/// `UpdateFunctionConfiguration`.
pub(super) fn put(
    inner: &Inner,
    reference: &FunctionName,
    request: &Request,
) -> Result<Response, AwsError> {
    let mut fields: serde_json::Map<String, Value> = body(request)?;
    let revision = fields.remove("RevisionId");
    let revision = revision.as_ref().and_then(Value::as_str);
    check_revision(revision, &*inner.existing(reference)?)?;
    let settings: Settings = serde_json::from_value(fields.into())
        .map_err(|error| invalid(format!("The request's body: {error}")))?;
    let function = inner.configure(reference, |spec| settings.apply(spec))?;
    Ok(ok(&shapes::updating(&function)))
}

/// `PutFunctionEventInvokeConfig` and `UpdateFunctionEventInvokeConfig`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct EventInvoke {
    maximum_retry_attempts: Option<u32>,
    maximum_event_age_in_seconds: Option<u32>,
    destination_config: Option<DestinationConfig>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DestinationConfig {
    on_success: Option<Destination>,
    on_failure: Option<Destination>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Destination {
    destination: Option<String>,
}

impl EventInvoke {
    fn apply(self, asynchronous: &mut Asynchronous) -> Result<(), AwsError> {
        let retries = self.maximum_retry_attempts;
        let age = self.maximum_event_age_in_seconds;
        if retries.is_none() && age.is_none() && self.destination_config.is_none() {
            return Err(invalid(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        asynchronous.max_retries = retries.unwrap_or(asynchronous.max_retries);
        asynchronous.max_age_seconds = age.unwrap_or(asynchronous.max_age_seconds);
        if let Some(destinations) = self.destination_config {
            asynchronous.on_success = arn(destinations.on_success);
            asynchronous.on_failure = arn(destinations.on_failure);
        }
        Ok(())
    }
}

fn arn(destination: Option<Destination>) -> Option<String> {
    let arn = destination.and_then(|destination| destination.destination);
    arn.filter(|arn| !arn.is_empty())
}

/// The settings of a function's asynchronous invocations. A function with AWS's defaults has no configuration.
pub(super) fn event_invoke_config(
    inner: &Inner,
    reference: &FunctionName,
    request: &Request,
) -> Result<Response, AwsError> {
    let function = match request.method {
        Method::GET => inner.existing(reference)?,
        Method::PUT => {
            let put: EventInvoke = body(request)?;
            inner.configure(reference, |spec| {
                spec.asynchronous = spec.asynchronous.reset();
                put.apply(&mut spec.asynchronous)
            })?
        }
        Method::POST => {
            let update: EventInvoke = body(request)?;
            inner.configure(reference, |spec| update.apply(&mut spec.asynchronous))?
        }
        Method::DELETE => {
            inner.configure(reference, |spec| {
                spec.asynchronous = spec.asynchronous.reset();
                Ok(())
            })?;
            return Ok(no_content());
        }
        _ => return Err(unsupported(request)),
    };
    let asynchronous = &function.spec.asynchronous;
    if request.method == Method::GET && *asynchronous == asynchronous.reset() {
        let arn = function_arn(&reference.name);
        let message = format!("The function {arn}:$LATEST doesn't have an EventInvokeConfig");
        let error = AwsError::of(404, "ResourceNotFoundException", message);
        return Err(error.with("Type", "User"));
    }
    Ok(ok(&shapes::event_invoke_config(&function)))
}
