//! The outcome of a call, in the words of Step Functions.

use serde::Deserialize;
use states_language::Failure;
use uuid::Uuid;

use crate::{error::AwsError, invoke::Invoked, states::journal::Input};

/// The most characters in the cause of a failure.
const CAUSE_LIMIT: usize = 32_768;

/// The document that stands for the failure of a function.
#[derive(Deserialize)]
struct ErrorDocument {
    #[serde(rename = "errorType")]
    error_type: Option<String>,
}

/// The outcome of a call that came to an end.
pub(super) fn outcome(ended: Result<Invoked, AwsError>) -> Input {
    match ended {
        Ok(invoked) => {
            let text = String::from_utf8_lossy(&invoked.payload).into_owned();
            match invoked.failure {
                None => Input::Answered(text),
                Some(_) => failed(function_failure(&text)),
            }
        }
        Err(error) => failed(service_failure(&error)),
    }
}

fn failed(mut failure: Failure) -> Input {
    if let Some((end, _)) = failure.cause.char_indices().nth(CAUSE_LIMIT) {
        failure.cause.truncate(end);
    }
    Input::Failed(failure)
}

/// The failure of a function. Its name is the `errorType` of the function's error document, and its cause the whole
/// document.
fn function_failure(document: &str) -> Failure {
    let named = serde_json::from_str::<ErrorDocument>(document).ok();
    let named = named.and_then(|named| named.error_type);
    match named.filter(|name| !name.is_empty()) {
        Some(name) => Failure::new(&name, document),
        None => Failure::new(
            "Lambda.Unknown",
            format!(
                "The cause could not be determined because Lambda did not return an error type. Returned payload: {document}"
            ),
        ),
    }
}

/// The failure of Lambda to invoke the function.
fn service_failure(error: &AwsError) -> Failure {
    let code = match error.code.as_str() {
        "InternalFailure" => "ServiceException",
        code => code,
    };
    let cause = format!(
        "{} (Service: Lambda, Status Code: {}, Request ID: {})",
        error.message,
        error.status,
        Uuid::new_v4()
    );
    Failure::new(&format!("Lambda.{code}"), cause)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::invoke::Failure as Kind;

    fn of(payload: &str, failure: Option<Kind>) -> Input {
        outcome(Ok(Invoked {
            request_id: String::new(),
            executed_version: "$LATEST".into(),
            payload: Bytes::from(payload.to_owned()),
            failure,
            log_tail: String::new(),
        }))
    }

    fn failure(input: Input) -> (String, String) {
        match input {
            Input::Failed(failure) => (failure.error, failure.cause),
            other => panic!("no failure: {other:?}"),
        }
    }

    #[test]
    fn a_functions_failure_has_the_name_of_its_error_type() {
        assert_eq!(of("[1]", None), Input::Answered("[1]".into()));
        let document = r#"{"errorType":"OutOfStock","errorMessage":"none left"}"#;
        let (error, cause) = failure(of(document, Some(Kind::Error)));
        assert_eq!(
            (error.as_str(), cause.as_str()),
            ("OutOfStock", document),
            "the whole document is the cause"
        );
        for unnamed in [
            r#"{"errorMessage":"m"}"#,
            r#"{"errorType":"","errorMessage":"m"}"#,
            r#"{"errorType":null}"#,
            r#"{"errorType":7}"#,
            "not JSON",
        ] {
            let (error, cause) = failure(of(unnamed, Some(Kind::TimedOut)));
            assert_eq!(error, "Lambda.Unknown", "{unnamed}");
            assert!(cause.ends_with(unnamed), "{cause}");
        }
        let long = format!(r#"{{"errorType":"Long","m":"{}"}}"#, "ñ".repeat(40_000));
        let (_, cause) = failure(of(&long, Some(Kind::Exited)));
        assert_eq!(cause.chars().count(), CAUSE_LIMIT);
    }

    #[test]
    fn a_failure_of_lambda_has_its_code() {
        for (error, name) in [
            (
                AwsError::of(429, "TooManyRequestsException", "Rate Exceeded."),
                "Lambda.TooManyRequestsException",
            ),
            (
                AwsError::of(404, "ResourceNotFoundException", "Function not found"),
                "Lambda.ResourceNotFoundException",
            ),
            (AwsError::internal("disk full"), "Lambda.ServiceException"),
        ] {
            let message = error.message.clone();
            let (error, cause) = failure(outcome(Err(error)));
            assert_eq!(error, name);
            assert!(cause.starts_with(&message), "{cause}");
        }
    }
}
