//! The refusals of services, in the words and forms in which their clients read them.
//!
//! - Throttles: SDKs retry them, <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>. The codes
//!   are on the pages of the services' errors, for example
//!   <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>,
//!   <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html>,
//!   <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html> and
//!   <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
//! - Conflicts: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>, section
//!   "Transaction conflict handling".

use http::Method;
use serde_json::{Value, json};

use super::{
    Kind,
    front::{Api, Call},
};
use crate::{
    error::AwsError,
    http::{Request, Response, json_error, query_error},
    s3, sns, sqs,
};

const ONGOING: &str = "Transaction is ongoing for the item";

/// The answer to a call of which nothing is done. `choice` decides between the forms of a refusal.
pub(super) fn refusal(call: &Call, kind: Kind, request: &Request, choice: u64) -> Response {
    let error = match kind {
        Kind::Conflict => conflict(call, request, choice),
        _ => throttle(call, choice),
    };
    answer(call, &request.method, &error)
}

/// The answer 500, which tells nothing about what was done.
pub(super) fn internal(call: &Call, method: &Method) -> Response {
    let code = match call.api {
        Api::DynamoDb | Api::Ssm => "InternalServerError",
        Api::Kms => "KMSInternalException",
        Api::Lambda => "ServiceException",
        Api::S3 | Api::Sns => "InternalError",
        Api::Kinesis | Api::Sqs | Api::StepFunctions => "InternalFailure",
    };
    let message = "We encountered an internal error. Please try again.";
    answer(call, method, &AwsError::of(500, code, message))
}

fn throttle(call: &Call, choice: u64) -> AwsError {
    match call.api {
        Api::DynamoDb if choice.is_multiple_of(2) => AwsError::client(
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your \
             provisioning level with the UpdateTable API.",
        ),
        Api::DynamoDb => AwsError::client(
            "ThrottlingException",
            "Throughput exceeds the current capacity of your table or index. Please retry.",
        ),
        Api::Kinesis if is_of_data(&call.operation) => AwsError::client(
            "ProvisionedThroughputExceededException",
            "Rate exceeded for shard.",
        ),
        Api::Kinesis => AwsError::client("LimitExceededException", "Rate exceeded."),
        Api::Lambda => AwsError::of(429, "TooManyRequestsException", "Rate Exceeded.")
            .with("Reason", "ConcurrentInvocationLimitExceeded")
            .with("Type", "User"),
        Api::S3 => AwsError::of(503, "SlowDown", "Please reduce your request rate."),
        Api::Sns => AwsError::client("Throttling", "Rate exceeded"),
        Api::Sqs => AwsError::client("RequestThrottled", "Rate exceeded"),
        Api::Kms | Api::Ssm | Api::StepFunctions => {
            AwsError::client("ThrottlingException", "Rate exceeded")
        }
    }
}

/// Whether an operation of Kinesis reads or writes records.
fn is_of_data(operation: &str) -> bool {
    ["PutRecord", "PutRecords", "GetRecords", "GetShardIterator"].contains(&operation)
}

fn conflict(call: &Call, request: &Request, choice: u64) -> AwsError {
    if !call.operation.starts_with("Transact") {
        return AwsError::client("TransactionConflictException", ONGOING);
    }
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let items = body.get("TransactItems").and_then(Value::as_array);
    let items = items.map_or(1, Vec::len).max(1);
    let at = usize::try_from(choice % 100).unwrap_or_default() % items;
    let reasons: Vec<_> = (0..items).map(|item| reason(item == at)).collect();
    let codes: Vec<_> = reasons
        .iter()
        .map(|reason| {
            reason
                .get("Code")
                .and_then(Value::as_str)
                .unwrap_or_default()
        })
        .collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    AwsError::client("TransactionCanceledException", message).with("CancellationReasons", reasons)
}

fn reason(conflicts: bool) -> Value {
    if conflicts {
        json!({"Code": "TransactionConflict", "Message": ONGOING})
    } else {
        json!({"Code": "None"})
    }
}

/// An error in the form of its service.
fn answer(call: &Call, method: &Method, error: &AwsError) -> Response {
    match call.api {
        Api::DynamoDb | Api::StepFunctions => json_error("1.0", error),
        Api::Kinesis | Api::Kms | Api::Ssm => json_error("1.1", error),
        Api::Lambda => json_error("", error),
        Api::S3 => s3::error_answer(method, error),
        Api::Sns => query_error(sns::NAMESPACE, error),
        Api::Sqs => sqs::error_answer(error),
    }
}
