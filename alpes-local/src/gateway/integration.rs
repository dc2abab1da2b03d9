//! Integrations: what answers a method.

use std::time::Duration;

use serde_json::Value;

use super::{definition::Place, mock::Mock, security::Authorization};
use crate::{error::AwsError, names::FunctionName};

/// How long API Gateway waits for a function by default.
const DEFAULT_TIMEOUT: u64 = 29_000;

/// The integration of a method, and its authorization.
#[derive(Debug)]
pub(super) struct Integration {
    pub(super) authorization: Authorization,
    pub(super) target: Target,
}

/// The integration of a method.
#[derive(Debug)]
pub(super) enum Target {
    Function(Function),
    Mock(Mock),
}

/// A function behind a proxy integration.
#[derive(Debug)]
pub(super) struct Function {
    /// The ARN, or what stands in its place in the URI.
    pub(super) name: String,
    pub(super) timeout: Duration,
}

impl Integration {
    /// Reads `x-amazon-apigateway-integration`.
    pub(super) fn read(
        integration: &Value,
        authorization: Authorization,
        place: &Place,
    ) -> Result<Self, AwsError> {
        let kind = integration["type"].as_str();
        let kind = kind.ok_or_else(|| place.error("it must be there, with a type"))?;
        let target = match kind.to_ascii_lowercase().as_str() {
            "aws_proxy" => Target::Function(Function::read(integration, place)?),
            "mock" => Target::Mock(Mock::read(integration, place)?),
            _ => {
                let rule = format!("the type {kind} is not supported, only aws_proxy and mock are");
                return Err(place.error(rule));
            }
        };
        Ok(Self {
            authorization,
            target,
        })
    }
}

impl Function {
    fn read(integration: &Value, place: &Place) -> Result<Self, AwsError> {
        if integration["httpMethod"] != "POST" {
            let rule = "must be POST, since functions are invoked by POST";
            return Err(place.at("httpMethod").error(rule));
        }
        if integration["responseTransferMode"] == "STREAM" {
            return Err(place
                .at("responseTransferMode")
                .error("STREAM is not supported"));
        }
        Ok(Self {
            name: function_of(&integration["uri"], &place.at("uri"))?,
            timeout: timeout(
                &integration["timeoutInMillis"],
                &place.at("timeoutInMillis"),
            )?,
        })
    }
}

/// The function that the URI of an integration or authorizer names:
/// `arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION/invocations`.
pub(super) fn function_of(uri: &Value, place: &Place) -> Result<String, AwsError> {
    let function = || {
        let uri = uri.as_str().filter(|uri| uri.starts_with("arn:"))?;
        let (_, rest) = uri.split_once(":lambda:path/2015-03-31/functions/")?;
        let function = rest.strip_suffix("/invocations")?;
        FunctionName::parse(function)
            .ok()
            .map(|_| function.to_owned())
    };
    let rule = "must be arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations";
    function().ok_or_else(|| place.error(format!("{uri} {rule}")))
}

fn timeout(millis: &Value, place: &Place) -> Result<Duration, AwsError> {
    let millis = if millis.is_null() {
        DEFAULT_TIMEOUT
    } else {
        let valid = millis.as_u64().filter(|millis| *millis >= 50);
        valid.ok_or_else(|| place.error("must be a number of at least 50"))?
    };
    Ok(Duration::from_millis(millis))
}
