//! `Invoke`.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, HeaderValue};

use super::no_content;
use crate::{
    error::AwsError,
    http::{Request, Response, answer},
    invoke::Invoked,
    lambda::{
        Inner,
        limits::{self, InvocationType, invalid, violated},
        or_empty_object, queue,
    },
    names::FunctionName,
};

pub(super) async fn invoke(
    inner: &Arc<Inner>,
    reference: &FunctionName,
    request: Request,
) -> Result<Response, AwsError> {
    let tail = match request.header("X-Amz-Log-Type") {
        None | Some("None") => false,
        Some("Tail") => true,
        Some(other) => return Err(not_in("logType", other, "[None, Tail]")),
    };
    match request.header("X-Amz-Invocation-Type") {
        None | Some("RequestResponse") => {
            let context = client_context(&request)?;
            let invoked = inner.invoke(reference, request.body, context).await?;
            Ok(ended(invoked, tail))
        }
        Some("Event") => {
            let id = queue::enqueue(inner, reference, request.body)?;
            Ok(with_headers(
                answer(202, "application/json", ""),
                [("x-amzn-requestid", id)],
            ))
        }
        Some("DryRun") => {
            let payload = or_empty_object(request.body);
            limits::check_payload(&payload, InvocationType::RequestResponse)?;
            inner.invocable(reference)?;
            Ok(no_content())
        }
        Some(other) => Err(not_in(
            "invocationType",
            other,
            "[Event, RequestResponse, DryRun]",
        )),
    }
}

/// The client context, which comes as JSON in base64.
fn client_context(request: &Request) -> Result<Option<String>, AwsError> {
    let Some(encoded) = request.header("X-Amz-Client-Context") else {
        return Ok(None);
    };
    let decoded = BASE64_STANDARD.decode(encoded).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let text =
        text.ok_or_else(|| invalid("Client context must be a valid Base64-encoded JSON object."))?;
    Ok(Some(text))
}

fn ended(invoked: Invoked, tail: bool) -> Response {
    let response = answer(200, "application/json", invoked.payload);
    let mut headers = vec![
        ("x-amzn-requestid", invoked.request_id),
        ("x-amz-executed-version", invoked.executed_version),
    ];
    if invoked.failure.is_some() {
        headers.push(("x-amz-function-error", "Unhandled".to_owned()));
    }
    if tail {
        headers.push(("x-amz-log-result", BASE64_STANDARD.encode(invoked.log_tail)));
    }
    with_headers(response, headers)
}

fn with_headers(
    mut response: Response,
    headers: impl IntoIterator<Item = (&'static str, String)>,
) -> Response {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response
                .headers_mut()
                .insert(HeaderName::from_static(name), value);
        }
    }
    response
}

fn not_in(field: &str, value: &str, values: &str) -> AwsError {
    violated(
        field,
        value,
        &format!("Member must satisfy enum value set: {values}"),
    )
}
