//! Classifies errors of AWS services as permanent or worth a retry.
//!
//! The error code decides, never the HTTP status or the side at fault: AWS answers 400 for throttling, for a throttled
//! KMS key and for expired credentials. Only codes that are known to be permanent are refusals. Every other code,
//! including an unknown one, is retried. Each caller limits the number of its retries, or retries after growing pauses.

use std::fmt::Debug;

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Permanent error codes of `DynamoDB`. The codes for a missing table and for missing access are not in this list.
/// Consumers park the records that a table refuses, and would park every record until the table is fixed.
pub(crate) const OF_DYNAMODB: &[&str] = &[
    "ItemCollectionSizeLimitExceededException",
    "ValidationException",
];
/// Permanent error codes of one write in a transaction that `DynamoDB` cancelled.
pub(crate) const OF_A_TRANSACTION: &[&str] =
    &["ItemCollectionSizeLimitExceeded", "ValidationError"];
/// Permanent error codes of Kinesis.
pub(crate) const OF_KINESIS: &[&str] = &[
    "AccessDeniedException",
    "InvalidArgumentException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "ResourceNotFoundException",
    "ValidationException",
];
/// Permanent error codes of Lambda. The codes for faults of a function's KMS key or network are not in this list: the
/// function may be fixed while a saga waits.
pub(crate) const OF_LAMBDA: &[&str] = &[
    "AccessDeniedException",
    "InvalidParameterValueException",
    "InvalidRequestContentException",
    "RequestTooLargeException",
    "ResourceNotFoundException",
    "SerializedRequestEntityTooLargeException",
    "UnsupportedMediaTypeException",
];
/// Permanent error codes of S3.
pub(crate) const OF_S3: &[&str] = &[
    "AccessDenied",
    "AllAccessDisabled",
    "EntityTooLarge",
    "InvalidArgument",
    "InvalidBucketName",
    "KeyTooLongError",
    "NoSuchBucket",
];
/// Permanent error codes of Step Functions.
pub(crate) const OF_STEP_FUNCTIONS: &[&str] = &[
    "AccessDeniedException",
    "InvalidArn",
    "InvalidExecutionInput",
    "InvalidName",
    "KmsAccessDeniedException",
    "StateMachineDeleting",
    "StateMachineDoesNotExist",
    "ValidationException",
];
/// Permanent error codes of SNS, for a request or for one of its messages.
pub(crate) const OF_SNS: &[&str] = &[
    "AccessDenied",
    "AuthorizationError",
    "BatchRequestTooLong",
    "EndpointDisabled",
    "InvalidMessageContents",
    "InvalidParameter",
    "InvalidParameterValue",
    "InvalidSecurity",
    "KMSAccessDenied",
    "KMSDisabled",
    "KMSNotFound",
    "KMSOptInRequired",
    "NotFound",
    "ParameterValueInvalid",
    "PlatformApplicationDisabled",
    "ValidationException",
];

/// An error of any AWS service, as the SDK of the service defines it.
pub(crate) trait ServiceError: std::error::Error + ProvideErrorMetadata + 'static {}

impl<E: std::error::Error + ProvideErrorMetadata + 'static> ServiceError for E {}

/// Converts an SDK error to a port's error. The result is `refused` if the service answered with one of these codes or
/// the request could not be built, and otherwise `unavailable`.
pub(crate) fn sorted<E, R, P>(
    error: &SdkError<E, R>,
    refusals: &[&str],
    refused: fn(String) -> P,
    unavailable: fn(String) -> P,
) -> P
where
    E: ServiceError,
    R: Debug,
{
    let for_good = matches!(error, SdkError::ConstructionFailure(_))
        || error.code().is_some_and(|code| refusals.contains(&code));
    let text = DisplayErrorContext(error).to_string();
    if for_good {
        refused(text)
    } else {
        unavailable(text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use alpes_ports::{
        CallError, Consistency, ExecutionError, Executions, FunctionName, Functions, Key, Log,
        LogError, NewRecord, ObjectError, Objects, TableError, TableName, Tables,
    };

    use super::*;
    use crate::{
        DynamoTables, KinesisLog, LambdaFunctions, S3Objects, SfnExecutions,
        recorded::{Recorded, without_credentials},
    };

    const ALL: [&[&str]; 7] = [
        OF_DYNAMODB,
        OF_A_TRANSACTION,
        OF_KINESIS,
        OF_LAMBDA,
        OF_S3,
        OF_STEP_FUNCTIONS,
        OF_SNS,
    ];

    /// Codes of temporary errors: load, conflicts, outages, credentials and clocks. The codes are from the services'
    /// models and AWS's pages of common errors.
    const PASSING: &[&str] = &[
        "BandwidthLimitExceeded",
        "ClockSkewException",
        "EC2ThrottledException",
        "ENILimitReachedException",
        "ExecutionLimitExceeded",
        "ExpiredIteratorException",
        "ExpiredNextTokenException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InternalError",
        "InternalFailure",
        "InternalFailureException",
        "InternalServerError",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "KMSInvalidState",
        "KMSInvalidStateException",
        "KMSThrottling",
        "KMSThrottlingException",
        "KmsInvalidStateException",
        "KmsThrottlingException",
        "LimitExceededException",
        "MissingAuthenticationToken",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "ReplicatedWriteConflictException",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceConflictException",
        "ResourceInUseException",
        "ResourceNotReadyException",
        "ServiceException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SignatureDoesNotMatch",
        "SlowDown",
        "SnapStartNotReadyException",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "UnrecognizedClientException",
    ];

    #[test]
    fn what_passes_by_itself_is_refused_by_nobody() {
        for code in PASSING {
            assert!(ALL.iter().all(|codes| !codes.contains(code)), "{code}");
        }
    }

    #[test]
    fn codes_are_in_order_and_once() {
        for codes in ALL {
            assert!(codes.is_sorted_by(|one, other| one < other), "{codes:?}");
        }
    }

    /// Error answers in each protocol's form, for requests that must be retried.
    #[test]
    fn recorded_answers_that_pass_by_themselves() {
        for told in [
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"Throughput exceeds"}"#,
            r#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token included in the request is expired"}"#,
            r#"{"__type":"com.amazon.coral.service#InvalidSignatureException","message":"Signature not yet current: 20260131T100500Z is still later than 20260131T100000Z"}"#,
            r#"{"__type":"com.amazonaws.kms#KMSThrottlingException","message":"Rate exceeded"}"#,
            "no JSON",
        ] {
            let got = Recorded::of(400, told).answers(table);
            assert!(matches!(got, Err(TableError::Unavailable(_))), "{got:?}");
            let put = Recorded::of(400, told).answers(append);
            assert!(matches!(put, Err(LogError::Unavailable(_))), "{put:?}");
            let started = Recorded::of(400, told).answers(start);
            assert!(
                matches!(started, Err(ExecutionError::Unavailable(_))),
                "{started:?}"
            );
        }
        let body = r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>RequestTimeout</Code><Message>Your socket connection to the server was not read from or written to within the timeout period.</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"#;
        let put = Recorded::of(400, body).answers(put);
        assert!(matches!(put, Err(ObjectError::Unavailable(_))), "{put:?}");
        let called = Recorded {
            status: 502,
            headers: &[("x-amzn-errortype", "KMSAccessDeniedException")],
            body: r#"{"Message":"Lambda was unable to decrypt the environment variables"}"#,
        };
        let called = called.answers(call);
        assert!(
            matches!(called, Err(CallError::Unavailable(_))),
            "{called:?}"
        );
        let got = without_credentials(table);
        assert!(matches!(got, Err(TableError::Unavailable(_))), "{got:?}");
    }

    #[test]
    fn a_table_that_is_missing_or_may_not_be_used_is_no_fault_of_what_is_written() {
        for told in [
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}"#,
            r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"User is not authorized to perform: dynamodb:GetItem"}"#,
        ] {
            let got = Recorded::of(400, told).answers(table);
            assert!(matches!(got, Err(TableError::Unavailable(_))), "{got:?}");
        }
    }

    #[test]
    fn recorded_answers_that_come_again_every_time() {
        let invalid = r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"Item size has exceeded the maximum allowed size"}"#;
        let got = Recorded::of(400, invalid).answers(table);
        assert!(matches!(got, Err(TableError::Refused(_))), "{got:?}");
        let gone = r#"{"__type":"ResourceNotFoundException","message":"Stream log under account not found."}"#;
        let put = Recorded::of(400, gone).answers(append);
        assert!(matches!(put, Err(LogError::Refused(_))), "{put:?}");
    }

    async fn table(config: aws_config::SdkConfig) -> Result<Option<alpes_ports::Item>, TableError> {
        let name = TableName("t");
        let tables = DynamoTables::new(&config, BTreeMap::from([("t".to_owned(), "t".to_owned())]));
        let key = Key::new(name, "p", "s");
        tables.get_one(&key, Consistency::Strong).await
    }

    async fn append(
        config: aws_config::SdkConfig,
    ) -> Result<alpes_ports::SequenceNumber, LogError> {
        let log = KinesisLog::new(&config, "log".to_owned());
        log.append(NewRecord::new("key", b"{}")).await
    }

    async fn start(config: aws_config::SdkConfig) -> Result<(), ExecutionError> {
        let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:saga";
        let executions = SfnExecutions::new(&config, arn.to_owned());
        executions.start("one", &serde_json::Value::Null).await
    }

    async fn put(config: aws_config::SdkConfig) -> Result<(), ObjectError> {
        let objects = S3Objects::new(&config, "bucket");
        objects.put("key", b"data").await
    }

    async fn call(config: aws_config::SdkConfig) -> Result<Vec<u8>, CallError> {
        let name = FunctionName("f");
        let functions =
            LambdaFunctions::new(&config, BTreeMap::from([("f".to_owned(), "f".to_owned())]));
        functions.call(name, b"{}").await
    }
}
