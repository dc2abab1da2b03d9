//! AWS's limits on functions and invocations, and its words for them.

use std::collections::BTreeMap;

use quotas::leaves_unreserved;

use super::reference::{LATEST, PUBLISHED};
use crate::error::AwsError;

/// A way to invoke a function, which limits the payload.
#[derive(Clone, Copy, Debug)]
pub(super) enum InvocationType {
    RequestResponse,
    Event,
}

impl InvocationType {
    /// The most bytes of a payload.
    fn most_bytes(self) -> usize {
        match self {
            Self::RequestResponse => 6_291_456,
            Self::Event => 1_048_576,
        }
    }
}

/// The most bytes of an answer.
pub(super) const ANSWER_BYTES: usize = 6_291_556;

/// The variables that a function must not set.
const RESERVED_VARIABLES: [&str; 17] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// AWS's error for a value that breaks a rule of its model.
pub(super) fn violated(field: &str, value: &str, rule: &str) -> AwsError {
    AwsError::client(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {rule}"
        ),
    )
}

/// AWS's error for a value that the service refuses.
pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidParameterValueException", message).with("Type", "User")
}

/// Checks that a number is between two bounds.
pub(super) fn between(field: &str, value: u32, least: u32, most: u32) -> Result<(), AwsError> {
    let rule = if value < least {
        format!("Member must have value greater than or equal to {least}")
    } else if value > most {
        format!("Member must have value less than or equal to {most}")
    } else {
        return Ok(());
    };
    Err(violated(field, &value.to_string(), &rule))
}

pub(super) fn check_name(name: &str) -> Result<(), AwsError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(known) {
        let rule = "Member must have 1 to 64 letters, digits, - and _";
        return Err(violated("functionName", name, rule));
    }
    Ok(())
}

pub(super) fn check_runtime(runtime: &str) -> Result<(), AwsError> {
    let custom = ["provided", "provided.al2", "provided.al2023"];
    if !custom.contains(&runtime) {
        return Err(invalid(format!(
            "Runtime: this runtime runs {}, which start a program `bootstrap`, and not {runtime}",
            custom.join(", ")
        )));
    }
    Ok(())
}

pub(super) fn check_handler(handler: &str) -> Result<(), AwsError> {
    if handler.is_empty() || handler.len() > 128 || handler.contains(char::is_whitespace) {
        let rule = "Member must have 1 to 128 characters and no space";
        return Err(violated("handler", handler, rule));
    }
    Ok(())
}

pub(super) fn check_role(arn: &str) -> Result<(), AwsError> {
    if !arn.starts_with("arn:aws") || !arn.contains(":iam::") || !arn.contains(":role/") {
        let rule = "Member must be the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME";
        return Err(violated("role", arn, rule));
    }
    Ok(())
}

pub(super) fn check_destination(arn: &str) -> Result<(), AwsError> {
    if !matches!(service(arn), Some("lambda" | "sns" | "sqs" | "s3")) {
        return Err(invalid(format!(
            "The provided destination {arn} is invalid: it must be the ARN of a function, topic, queue or bucket."
        )));
    }
    Ok(())
}

pub(super) fn check_dead_letter(arn: &str) -> Result<(), AwsError> {
    if !matches!(service(arn), Some("sns" | "sqs")) {
        return Err(invalid(format!(
            "DeadLetterConfig.TargetArn: {arn} is invalid: it must be the ARN of a queue or topic."
        )));
    }
    Ok(())
}

/// The service in an ARN.
fn service(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:aws:")?.split(':').next()
}

pub(super) fn check_alias(name: &str, version: &str) -> Result<(), AwsError> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let number = name.bytes().all(|byte| byte.is_ascii_digit());
    if number || name.len() > 128 || !name.bytes().all(known) {
        let rule = "Member must have 1 to 128 letters, digits, - and _, and must not be a number";
        return Err(violated("name", name, rule));
    }
    if ![LATEST, PUBLISHED].contains(&version) {
        return Err(invalid(format!(
            "FunctionVersion: this runtime has the versions {LATEST} and {PUBLISHED} of each function, and not {version}"
        )));
    }
    Ok(())
}

/// AWS's error for the change of a version or alias.
pub(super) fn functions_only() -> AwsError {
    invalid(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. \
         Please specify either a function name or an unqualified function ARN.",
    )
}

pub(super) fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), AwsError> {
    for name in variables.keys() {
        let letters = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if RESERVED_VARIABLES.contains(&name.as_str()) {
            return Err(invalid(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have \
                 provided contains reserved keys that are currently not supported for modification. Reserved keys used \
                 in this request: {name}"
            )));
        }
        if name.len() < 2
            || !letters
            || !name.starts_with(|first: char| first.is_ascii_alphabetic())
        {
            let rule =
                "Map keys must begin with a letter and have letters, digits and _, two at least";
            return Err(violated("environment.variables", name, rule));
        }
    }
    let bytes: usize = variables
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > 4_096 {
        return Err(invalid(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit.",
        ));
    }
    Ok(())
}

/// Checks that reserved concurrency leaves enough concurrency, if other functions have reserved `others`.
pub(super) fn check_reserved(reserved: u32, others: u32) -> Result<(), AwsError> {
    match leaves_unreserved(reserved, others) {
        Ok(()) => Ok(()),
        Err(least) => Err(invalid(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
             below its minimum value of [{least}]."
        ))),
    }
}

/// Checks an invocation's payload.
pub(super) fn check_payload(payload: &[u8], kind: InvocationType) -> Result<(), AwsError> {
    let bytes = payload.len();
    let most = kind.most_bytes();
    if bytes > most {
        let message = format!(
            "{bytes} byte payload is too large for the {kind:?} invocation type (limit {most} bytes)"
        );
        let error = AwsError::of(413, "RequestEntityTooLargeException", message);
        return Err(error.with("Type", "User"));
    }
    let parsed: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(payload);
    parsed.map(|_| ()).map_err(|error| {
        let message = format!(
            "Could not parse request body into json: Could not parse payload into json: {error}"
        );
        AwsError::client("InvalidRequestContentException", message).with("Type", "User")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lambda::{Code, FunctionSpec};

    /// A change that breaks a rule of a function's settings.
    type Change = fn(&mut FunctionSpec);

    fn set(spec: &mut FunctionSpec, name: &str, bytes: usize) {
        spec.environment.insert(name.into(), "x".repeat(bytes));
    }

    #[test]
    fn each_setting_has_its_limits() {
        let spec = FunctionSpec::new("f", Code::Folder("/".into()));
        assert_eq!(spec.check(), Ok(()));
        let cases: [(&str, Change); 11] = [
            ("functionName", |spec| spec.name.push(' ')),
            ("nodejs", |spec| spec.runtime.insert_str(0, "nodejs")),
            ("timeout", |spec| spec.timeout -= 3),
            ("memorySize", |spec| spec.memory_mb -= 1),
            ("role", |spec| spec.role_arn.clear()),
            ("AWS_REGION", |spec| set(spec, "AWS_REGION", 1)),
            ("4KB", |spec| set(spec, "BIG", 5_000)),
            ("maximumRetryAttempts", |spec| {
                spec.asynchronous.max_retries += 1;
            }),
            ("destination", |spec| {
                spec.asynchronous.on_failure = Some("arn:aws:kinesis:::s".into());
            }),
            ("TargetArn", |spec| {
                spec.asynchronous.dead_letter = Some("arn:aws:s3:::b".into());
            }),
            ("FunctionVersion", |spec| {
                spec.aliases.insert("live".into(), "2".into());
            }),
        ];
        for (word, change) in cases {
            let mut changed = spec.clone();
            change(&mut changed);
            let error = changed.check().unwrap_err();
            assert!(error.message.contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn payloads_are_json_of_a_limited_size() {
        for (kind, most) in [
            (InvocationType::RequestResponse, 6_291_456),
            (InvocationType::Event, 1_048_576),
        ] {
            let text = format!("\"{}\"", "x".repeat(most - 2));
            assert_eq!(check_payload(text.as_bytes(), kind), Ok(()));
            let error = check_payload(format!("{text} ").as_bytes(), kind).unwrap_err();
            let told = format!(
                "{} byte payload is too large for the {kind:?} invocation type (limit {most} bytes)",
                most + 1
            );
            assert_eq!((error.status, error.message), (413, told));
        }
        let error = check_payload(b"'", InvocationType::Event).unwrap_err();
        assert_eq!(error.code, "InvalidRequestContentException");
    }
}
