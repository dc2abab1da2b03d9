//! Decides what a request is for.
//!
//! All services, APIs and pages share one port. The first of these rules that fits decides:
//!
//! 1. The path begins with `/_alpes/`: the admin API.
//! 2. The path or the host names an API, or the request is signed for `execute-api`: an API.
//! 3. `X-Amz-Target` names a service.
//! 4. The request is signed for a service, or its path is one of Lambda's.
//! 5. The path begins with the prefix of a mount.
//! 6. A browser asks for `/`, and the first API has no such route: the page.
//! 7. Everything that is left is for the first API, by its short URL.

mod signature;
#[cfg(test)]
mod tests;

use http::Method;

use crate::{
    error::AwsError,
    http::{Form, Request, Response, json_error, query_error},
    mount::Mount,
};

pub use signature::Credential;

/// The target of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// An operation of a service with a JSON protocol.
    Json {
        /// The service.
        service: Service,
        /// The version of the protocol, `1.0` or `1.1`, for the answer's content type.
        version: &'static str,
        /// The operation, for example `PutItem`.
        operation: String,
    },
    /// An action of a service with the query protocol. Its parameters are a form in the body, or the query.
    Query {
        /// The service.
        service: Service,
        /// The action, for example `Publish`.
        action: String,
    },
    /// Lambda's REST API, without event source mappings.
    LambdaRest,
    /// Lambda's REST API of event source mappings.
    MappingsRest,
    /// S3.
    S3,
    /// An API by its full URL.
    Api {
        /// The API's id.
        id: String,
        /// The stage.
        stage: String,
        /// The path after the stage; empty or beginning with `/`.
        path: String,
    },
    /// The first API by its short URL: the request's path is the path of a resource.
    ShortApi,
    /// The admin API, with the path after `/_alpes`.
    Admin(String),
    /// A mount, by its place in the list of mounts, with the path after its prefix; empty or beginning with `/`.
    Mount(usize, String),
    /// The page at the root.
    Page,
}

/// A service with a JSON or query protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// DynamoDB.
    DynamoDb,
    /// DynamoDB's streams.
    DynamoDbStreams,
    /// EventBridge.
    Events,
    /// Kinesis.
    Kinesis,
    /// KMS.
    Kms,
    /// CloudWatch Logs.
    Logs,
    /// SNS.
    Sns,
    /// SQS.
    Sqs,
    /// SSM.
    Ssm,
    /// Step Functions.
    StepFunctions,
    /// STS.
    Sts,
}

/// Services by the prefix of `X-Amz-Target`, with the version of their JSON.
const TARGETS: [(&str, Service, &str); 9] = [
    ("AWSEvents", Service::Events, "1.1"),
    ("AWSStepFunctions", Service::StepFunctions, "1.0"),
    ("AmazonSQS", Service::Sqs, "1.0"),
    ("AmazonSSM", Service::Ssm, "1.1"),
    ("DynamoDBStreams_20120810", Service::DynamoDbStreams, "1.0"),
    ("DynamoDB_20120810", Service::DynamoDb, "1.0"),
    ("Kinesis_20131202", Service::Kinesis, "1.1"),
    ("Logs_20140328", Service::Logs, "1.1"),
    ("TrentService", Service::Kms, "1.1"),
];

/// The versions in the paths of Lambda's REST API.
const LAMBDA_VERSIONS: [&str; 3] = ["2015-03-31", "2017-10-31", "2019-09-25"];

/// The state of the runtime that the router needs.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The mounts.
    pub mounts: &'a [Mount],
    /// Whether the first API has a `GET` for `/`. If so, browsers get it instead of the page.
    pub root_is_routed: bool,
}

/// A request that is for nothing here, in the form in which its client reads errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The error.
    pub error: AwsError,
    protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Protocol {
    Json(&'static str),
    Query,
}

impl Refused {
    fn json(error: AwsError) -> Self {
        let protocol = Protocol::Json("1.1");
        Self { error, protocol }
    }

    fn rest(error: AwsError) -> Self {
        let protocol = Protocol::Json("");
        Self { error, protocol }
    }

    fn query(error: AwsError) -> Self {
        let protocol = Protocol::Query;
        Self { error, protocol }
    }

    /// The answer to the request.
    #[must_use]
    pub fn response(&self) -> Response {
        match self.protocol {
            Protocol::Json(version) => json_error(version, &self.error),
            Protocol::Query => query_error("", &self.error),
        }
    }
}

/// Decides what a request is for.
///
/// # Errors
///
/// If the request is for a service of AWS, and the service or the protocol is not supported. The message names it.
pub fn decide(request: &Request, known: &Known<'_>) -> Result<For, Refused> {
    if let Some(found) = own_path(&request.path).or_else(|| api_of_host(request)) {
        return Ok(found);
    }
    let credential = Credential::of(request);
    let scope = credential.map(|credential| credential.service);
    if scope.as_deref() == Some("execute-api") {
        return Ok(For::ShortApi);
    }
    check_encoding(request)?;
    if let Some(target) = request.header("x-amz-target") {
        return json_service(target);
    }
    if let Some(found) = lambda(&request.path, scope.as_deref()) {
        return Ok(found);
    }
    match scope {
        Some(scope) => signed(request, &scope),
        None => Ok(unsigned(request, known)),
    }
}

/// The admin API and the APIs by their full URLs.
fn own_path(path: &str) -> Option<For> {
    if let Some(rest) = path.strip_prefix("/_alpes") {
        return is_end_or_path(rest).then(|| For::Admin(rest.to_owned()));
    }
    if let Some(rest) = path.strip_prefix("/_aws/execute-api/") {
        let (id, rest) = split_part(rest);
        return Some(api(id, rest));
    }
    let (id, rest) = split_part(path.strip_prefix("/restapis/")?);
    let (stage, rest) = split_part(rest.strip_prefix('/')?);
    let path = rest.strip_prefix("/_user_request_")?;
    is_end_or_path(path).then(|| For::Api {
        id: id.to_owned(),
        stage: stage.to_owned(),
        path: path.to_owned(),
    })
}

/// The API of a host as at AWS: `ID.execute-api.…`.
fn api_of_host(request: &Request) -> Option<For> {
    let (id, rest) = request.header("host")?.split_once('.')?;
    rest.starts_with("execute-api.")
        .then(|| api(id, &request.path))
}

/// An API, if `rest` is its stage and path.
fn api(id: &str, rest: &str) -> For {
    let (stage, path) = split_part(rest.strip_prefix('/').unwrap_or(rest));
    For::Api {
        id: id.to_owned(),
        stage: stage.to_owned(),
        path: path.to_owned(),
    }
}

/// Splits a path before its first slash.
fn split_part(path: &str) -> (&str, &str) {
    path.split_at(path.find('/').unwrap_or(path.len()))
}

fn is_end_or_path(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Some SDKs speak CBOR to Kinesis and other services, unless a setting forbids it.
fn check_encoding(request: &Request) -> Result<(), Refused> {
    let content_type = request.header("content-type").unwrap_or_default();
    let is_cbor = content_type.starts_with("application/x-amz-cbor")
        || request.header("smithy-protocol") == Some("rpc-v2-cbor");
    if is_cbor {
        let rule = "CBOR is not supported, only JSON is. Set AWS_CBOR_DISABLE=true, or aws.cborEnabled=false in Java";
        let error = AwsError::of(415, "UnsupportedMediaTypeException", rule);
        return Err(Refused::json(error));
    }
    Ok(())
}

fn json_service(target: &str) -> Result<For, Refused> {
    let (prefix, operation) = target.split_once('.').unwrap_or((target, ""));
    let found = TARGETS.iter().find(|(known, ..)| *known == prefix);
    let (_, service, version) =
        found.ok_or_else(|| Refused::json(not_supported(&format!("X-Amz-Target {prefix}"))))?;
    Ok(For::Json {
        service: *service,
        version,
        operation: operation.to_owned(),
    })
}

/// Lambda's REST API, also for clients that do not sign.
fn lambda(path: &str, scope: Option<&str>) -> Option<For> {
    let mut parts = path.trim_start_matches('/').split('/');
    let (version, kind) = (parts.next()?, parts.next().unwrap_or_default());
    let is_lambda = scope == Some("lambda")
        || (scope.is_none()
            && LAMBDA_VERSIONS.contains(&version)
            && ["functions", "event-source-mappings"].contains(&kind));
    is_lambda.then_some(if kind == "event-source-mappings" {
        For::MappingsRest
    } else {
        For::LambdaRest
    })
}

/// A request that is signed for a service without JSON protocol.
fn signed(request: &Request, scope: &str) -> Result<For, Refused> {
    let service = match scope {
        "s3" => return Ok(For::S3),
        "sns" => Some(Service::Sns),
        "sts" => Some(Service::Sts),
        _ => None,
    };
    match (service, action(request)) {
        (Some(service), Some(action)) => Ok(For::Query { service, action }),
        (None, Some(_)) if scope == "sqs" => {
            let rule = "the query protocol of SQS is not supported, only its JSON protocol is; newer SDKs speak it";
            Err(Refused::query(AwsError::client(
                "UnknownOperationException",
                rule,
            )))
        }
        (_, Some(_)) => Err(Refused::query(not_supported(scope))),
        (_, None) => Err(Refused::rest(not_supported(&format!(
            "{scope} at this path"
        )))),
    }
}

/// The action of the query protocol.
fn action(request: &Request) -> Option<String> {
    let content_type = request.header("content-type").unwrap_or_default();
    if !content_type.starts_with("application/x-www-form-urlencoded") {
        return request.parameter("Action");
    }
    let body = String::from_utf8_lossy(&request.body);
    let mut fields = Form::pairs(&body);
    fields
        .find(|(name, _)| name == "Action")
        .map(|(_, action)| action)
}

fn not_supported(what: &str) -> AwsError {
    let message = format!("alpes-local does not support {what}");
    AwsError::client("UnknownOperationException", message)
}

fn unsigned(request: &Request, known: &Known<'_>) -> For {
    if let Some(found) = mount(&request.path, known.mounts) {
        return found;
    }
    let accept = request.header("accept").unwrap_or_default();
    let is_browser = request.method == Method::GET && accept.contains("text/html");
    if request.path == "/" && is_browser && !known.root_is_routed {
        return For::Page;
    }
    For::ShortApi
}

/// The mount with the longest prefix of the path.
fn mount(path: &str, mounts: &[Mount]) -> Option<For> {
    let fitting = mounts.iter().enumerate().filter_map(|(index, mount)| {
        let rest = path.strip_prefix(mount.prefix())?;
        is_end_or_path(rest).then_some((index, rest))
    });
    let (index, rest) = fitting.min_by_key(|(_, rest)| rest.len())?;
    Some(For::Mount(index, rest.to_owned()))
}
