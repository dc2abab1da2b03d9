//! Calls of functions on AWS Lambda.

use std::{collections::BTreeMap, time::Duration};

use alpes_ports::{CallError, FunctionName, Functions};
use async_trait::async_trait;
use aws_config::{
    retry::RetryConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::ErrorMetadata;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    error::{OF_LAMBDA, sorted},
    rest::{self, Answer, Request, Rest, Service},
};

/// The timeout of a call. The timeout is longer than a participant may run, so that no call is abandoned while the
/// participant still works.
const PATIENCE: Duration = Duration::from_secs(15);

const LAMBDA: Service = Service {
    name: "lambda",
    id: "Lambda",
    dual_stack: None,
    signs_path_as_sent: false,
    transient: &[],
    error,
};

/// The functions, by their logical names.
pub struct LambdaFunctions {
    rest: Rest,
    names: BTreeMap<String, String>,
}

/// Whether the caller waits for the function's answer.
type InvocationType = &'static [(&'static str, &'static str)];

const WAITING: InvocationType = &[("x-amz-invocation-type", "RequestResponse")];
const STARTING: InvocationType = &[("x-amz-invocation-type", "Event")];

impl LambdaFunctions {
    /// `names` maps logical names to physical ones. A function without an entry cannot be called.
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig, names: BTreeMap<String, String>) -> Self {
        let url = LAMBDA.endpoint_url(config);
        let url = url.unwrap_or_else(|| format!("https://{}", LAMBDA.host(config)));
        // This timeout limits a whole attempt. A timeout of the connection would keep clients from sharing connections.
        let mut patience = TimeoutConfig::builder()
            .operation_attempt_timeout(PATIENCE)
            .build();
        if let Some(timeouts) = config.timeout_config() {
            patience.take_defaults_from(timeouts);
        }
        let config = config.clone().into_builder();
        let config = config
            .retry_config(RetryConfig::disabled())
            .timeout_config(patience)
            // As in the SDK's own client, the timeout alone limits a call.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self {
            rest: Rest::new(&config, &LAMBDA, &url),
            names,
        }
    }

    async fn invoke(
        &self,
        function: FunctionName,
        kind: InvocationType,
        payload: &[u8],
    ) -> Result<Answer, CallError> {
        let name = self.names.get(function.0).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            CallError::Refused(format!("no function {:?} is configured here", function.0))
        })?;
        let name = rest::segment(name);
        let request = Request {
            method: "POST",
            uri: format!("/2015-03-31/functions/{name}/invocations"),
            headers: kind,
            body: Some(payload.to_vec()),
        };
        let sent = self.rest.send(request).await;
        sent.map_err(|error| call_error(&error))
    }
}

fn call_error(error: &rest::Error) -> CallError {
    sorted(error, OF_LAMBDA, CallError::Refused, CallError::Unavailable)
}

/// An error of Lambda has its code in a header or in the body, and its message in the body.
fn error(response: &HttpResponse) -> ErrorMetadata {
    let body = response.body().bytes().unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name| body.get(name).and_then(Value::as_str);
    let header = response.headers().get("x-amzn-errortype");
    let mut error = ErrorMetadata::builder();
    if let Some(code) = header.or(text("code")).or(text("__type")) {
        error = error.code(bare(code));
    }
    if let Some(message) = text("message").or(text("Message")) {
        error = error.message(message);
    }
    error.build()
}

/// A code without the namespace before it and the URL after it: `Code` of `space#Code:http://url`.
fn bare(code: &str) -> &str {
    let code = code.split_once(':').map_or(code, |(code, _)| code);
    code.split_once('#').map_or(code, |(_, code)| code)
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
        let answer = self.invoke(function, WAITING, payload).await?;
        if answer.headers.contains_key("x-amz-function-error") {
            Err(failed(&answer.body))
        } else {
            Ok(answer.body)
        }
    }

    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError> {
        self.invoke(function, STARTING, payload).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_dynamodb::config::{AsyncSleep, IdentityCache, Sleep};

    use super::*;
    use crate::recorded::{Exchange, Recorded, run};

    const NAME: FunctionName = FunctionName("f");

    fn functions(config: &aws_config::SdkConfig, name: &str) -> LambdaFunctions {
        LambdaFunctions::new(config, BTreeMap::from([("f".to_owned(), name.to_owned())]))
    }

    fn called(answer: Recorded) -> Result<Vec<u8>, CallError> {
        let exchange = Exchange::new(&[answer]);
        let functions = functions(&exchange.config().build(), "saga-f");
        let called = run(functions.call(NAME, b"{}"));
        assert_eq!(exchange.requests().len(), 1, "a call is not retried");
        called
    }

    #[test]
    fn a_call_and_a_start_as_they_are_sent() {
        let signed = "content-length;content-type;host;x-amz-date;x-amz-invocation-type;x-amz-security-token;x-amz-user-agent";
        let signed = (signed.to_owned(), "us-east-1/lambda".to_owned());
        let url = "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/saga-f/invocations";

        let exchange = Exchange::new(&[Recorded::of(200, r#"{"b":2}"#), Recorded::of(202, "")]);
        let functions = functions(&exchange.config().build(), "saga-f");
        let answer = run(functions.call(NAME, br#"{"a":1}"#));
        assert_eq!(answer, Ok(br#"{"b":2}"#.to_vec()));
        run(functions.start(NAME, br#"{"a":1}"#)).unwrap();
        let requests = exchange.requests();
        let kinds = ["RequestResponse", "Event"];
        assert_eq!(requests.len(), kinds.len());
        for (sent, kind) in requests.iter().zip(kinds) {
            assert_eq!(sent.line(), ("POST", url));
            assert_eq!(sent.body, br#"{"a":1}"#);
            assert_eq!(sent.headers["x-amz-invocation-type"], kind);
            assert_eq!(sent.headers["amz-sdk-request"], "attempt=1; max=1");
            assert!(sent.headers["user-agent"].contains("api/lambda/"));
            assert_eq!(sent.signed(), signed);
        }
    }

    #[test]
    fn the_arn_of_a_function_is_one_segment_of_the_path() {
        let exchange = Exchange::new(&[Recorded::of(200, "")]);
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f";
        let config = exchange.config().endpoint_url("http://127.0.0.1:4566");
        run(functions(&config.build(), arn).call(NAME, b"{}")).unwrap();
        let sent = exchange.request();
        let url = "http://127.0.0.1:4566/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations";
        assert_eq!(sent.url, url);
        sent.signed();
    }

    #[test]
    fn a_function_that_failed() {
        let answer = Recorded {
            status: 200,
            headers: &[("x-amz-function-error", "Unhandled")],
            body: r#"{"errorType":"Contention","errorMessage":"too many"}"#,
        };
        let failed = CallError::Failed {
            error_type: "Contention".to_owned(),
            message: "too many".to_owned(),
        };
        assert_eq!(called(answer), Err(failed));
    }

    #[test]
    fn errors_of_lambda_by_their_codes() {
        let coded = |status, code: &'static [(&str, &str)]| Recorded {
            status,
            headers: code,
            body: r#"{"Type":"User","Message":"in words"}"#,
        };
        for answer in [
            coded(404, &[("x-amzn-errortype", "ResourceNotFoundException")]),
            coded(
                403,
                &[(
                    "x-amzn-errortype",
                    "AccessDeniedException:http://internal.amazon.com/coral/",
                )],
            ),
            Recorded::of(
                413,
                r#"{"code":"RequestTooLargeException","message":"in words"}"#,
            ),
            Recorded::of(
                400,
                r#"{"__type":"com.amazonaws.lambda#InvalidRequestContentException","message":"in words"}"#,
            ),
        ] {
            let Err(CallError::Refused(text)) = called(answer) else {
                unreachable!("{answer:?}")
            };
            assert!(text.contains("in words"), "{text}");
        }
        for answer in [
            coded(429, &[("x-amzn-errortype", "TooManyRequestsException")]),
            coded(500, &[("x-amzn-errortype", "ServiceException")]),
            Recorded::of(502, "<html>no JSON"),
            Recorded::of(503, ""),
            Recorded::of(403, r#"["no code"]"#),
        ] {
            let called = called(answer);
            assert!(
                matches!(called, Err(CallError::Unavailable(_))),
                "{called:?}"
            );
        }
    }

    /// Lets no time pass, and keeps the pauses.
    #[derive(Clone, Debug, Default)]
    struct Pauses(Arc<Mutex<Vec<Duration>>>);

    impl AsyncSleep for Pauses {
        fn sleep(&self, pause: Duration) -> Sleep {
            self.0.lock().unwrap().push(pause);
            Sleep::new(async {})
        }
    }

    #[test]
    fn a_call_without_an_answer_ends_after_fifteen_seconds() {
        let (exchange, pauses) = (Exchange::new(&[]), Pauses::default());
        let config = exchange.config().sleep_impl(pauses.clone());
        let connecting = TimeoutConfig::builder().connect_timeout(Duration::from_secs(2));
        // A cache of credentials would have a timeout of its own.
        let config = config.timeout_config(connecting.build());
        let config = config.identity_cache(IdentityCache::no_cache()).build();
        let called = run(functions(&config, "f").call(NAME, b"{}"));
        let Err(CallError::Unavailable(text)) = called else {
            unreachable!("{called:?}")
        };
        assert!(text.contains("timeout"), "{text}");
        assert_eq!(*pauses.0.lock().unwrap(), [PATIENCE]);
        exchange.request();
    }

    #[test]
    fn a_function_without_a_name_is_refused_before_it_is_called() {
        let exchange = Exchange::new(&[]);
        let functions = functions(&exchange.config().build(), "");
        for name in [NAME, FunctionName("other")] {
            let called = run(functions.call(name, b"{}"));
            assert!(matches!(called, Err(CallError::Refused(_))), "{called:?}");
        }
        assert!(exchange.requests().is_empty());
    }

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
