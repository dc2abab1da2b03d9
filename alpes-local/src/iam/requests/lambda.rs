//! Lambda: functions and event source mappings.

use http::Method;
use percent_encoding::percent_decode_str;

use super::Need;
use crate::{
    http::Request,
    names::{FunctionName, arn},
};

/// The needs of a request about functions.
pub(super) fn of_functions(request: &Request) -> Vec<Need> {
    let parts = parts(request);
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    let (name, rest) = match parts.as_slice() {
        [_, "functions", name, rest @ ..] => (*name, rest),
        _ => ("", &[][..]),
    };
    let operation = operation(&request.method, name, rest);
    let named = FunctionName::parse(name).ok();
    let qualifier = request.parameter("Qualifier");
    let named = named.and_then(|named| named.qualified(qualifier).ok());
    let resource = named.map_or("*".to_owned(), |named| named.arn());
    vec![Need::new("lambda", operation, resource)]
}

fn operation(method: &Method, name: &str, rest: &[&str]) -> &'static str {
    match (method.as_str(), rest) {
        ("GET", []) if name.is_empty() => "ListFunctions",
        ("POST", []) if name.is_empty() => "CreateFunction",
        ("POST", ["invocations"]) => "InvokeFunction",
        ("GET", []) => "GetFunction",
        ("DELETE", []) => "DeleteFunction",
        ("GET", ["configuration"]) => "GetFunctionConfiguration",
        ("PUT", ["configuration"]) => "UpdateFunctionConfiguration",
        ("PUT", ["code"]) => "UpdateFunctionCode",
        ("GET", ["versions"]) => "ListVersionsByFunction",
        ("GET", ["aliases"]) => "ListAliases",
        ("GET", ["aliases", _]) => "GetAlias",
        ("GET", ["concurrency"]) => "GetFunctionConcurrency",
        ("PUT", ["concurrency"]) => "PutFunctionConcurrency",
        ("DELETE", ["concurrency"]) => "DeleteFunctionConcurrency",
        ("GET", ["event-invoke-config"]) => "GetFunctionEventInvokeConfig",
        ("DELETE", ["event-invoke-config"]) => "DeleteFunctionEventInvokeConfig",
        ("POST", ["event-invoke-config"]) => "UpdateFunctionEventInvokeConfig",
        (_, ["event-invoke-config"]) => "PutFunctionEventInvokeConfig",
        // No policy grants this but one that grants everything, and Lambda knows no such operation.
        _ => "Unknown",
    }
}

/// The needs of a request about event source mappings.
pub(super) fn of_mappings(request: &Request) -> Vec<Need> {
    let parts = parts(request);
    let id = parts.get(2).filter(|id| !id.is_empty());
    let operation = match (request.method.as_str(), id) {
        ("GET", None) => "ListEventSourceMappings",
        ("GET", Some(_)) => "GetEventSourceMapping",
        ("PUT", _) => "UpdateEventSourceMapping",
        ("DELETE", _) => "DeleteEventSourceMapping",
        _ => "CreateEventSourceMapping",
    };
    let resource = id.map(|id| arn("lambda", &format!("event-source-mapping:{id}")));
    let resource = resource.unwrap_or_else(|| "*".to_owned());
    vec![Need::new("lambda", operation, resource)]
}

fn parts(request: &Request) -> Vec<String> {
    let parts = request.path.split('/').filter(|part| !part.is_empty());
    let decoded = |part| percent_decode_str(part).decode_utf8_lossy().into_owned();
    parts.map(decoded).collect()
}
