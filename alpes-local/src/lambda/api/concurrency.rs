//! Reserved concurrency.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::{body, no_content, ok, unsupported};
use crate::{
    error::AwsError,
    http::{Request, Response},
    lambda::{Inner, limits::functions_only},
    names::FunctionName,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Concurrency {
    reserved_concurrent_executions: u32,
}

/// Gets, puts or deletes the reserved concurrency. `version` is that of the API: `GET` has another one than the rest.
pub(super) fn serve(
    inner: &Inner,
    version: &str,
    reference: &FunctionName,
    request: &Request,
) -> Result<Response, AwsError> {
    if reference.qualifier.is_some() {
        return Err(functions_only());
    }
    let reserve = |reserved| {
        inner.configure(reference, |spec| {
            spec.reserved_concurrency = reserved;
            Ok(())
        })
    };
    let function = match (version, &request.method) {
        ("2019-09-30" | "2017-10-31", &Method::GET) => inner.existing(reference)?,
        ("2017-10-31", &Method::PUT) => {
            let asked: Concurrency = body(request)?;
            reserve(Some(asked.reserved_concurrent_executions))?
        }
        ("2017-10-31", &Method::DELETE) => {
            reserve(None)?;
            return Ok(no_content());
        }
        _ => return Err(unsupported(request)),
    };
    let reserved = function.spec.reserved_concurrency;
    let answer = reserved.map(|reserved| json!({ "ReservedConcurrentExecutions": reserved }));
    Ok(ok(&answer.unwrap_or_else(|| json!({}))))
}
