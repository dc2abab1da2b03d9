//! Invoking functions: what all services that call functions share.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{error::AwsError, sqs::MessageAttributes};

/// The end of an invocation that reached the function.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoked {
    /// The id of the invocation.
    pub request_id: String,
    /// The version of the function that ran: `$LATEST`, or a number.
    pub executed_version: String,
    /// The function's answer, or the error document of a failure.
    pub payload: Bytes,
    /// The failure; `None` if the function answered.
    pub failure: Option<Failure>,
    /// The last 4 KB of the invocation's log.
    pub log_tail: String,
}

/// The kind of failure of an invocation that reached the function. AWS answers 200 with `FunctionError: Unhandled` for
/// each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The function returned an error.
    Error,
    /// The function ran out of time, and its process was killed.
    TimedOut,
    /// The function's process ended.
    Exited,
}

/// The error of an invocation that the end of the runtime cuts off: status 503. This is no failure of the function, so
/// a service that survives the runtime makes the invocation again after the restart.
#[must_use]
pub fn ending() -> AwsError {
    AwsError::of(503, "ServiceException", "The runtime is ending.")
}

/// Invokes functions.
#[async_trait]
pub trait Invoker: Send + Sync {
    /// Invokes a function and waits for its end. `function` is a name, `name:qualifier`, or an ARN with or without
    /// qualifier.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` 404, `TooManyRequestsException` 429 with `Reason`, `RequestEntityTooLargeException`
    /// 413: the invocation did not reach the function. [`ending`]: the runtime ends, and the invocation has no outcome.
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, AwsError>;

    /// Queues an asynchronous invocation, which survives the runtime, and returns its request id.
    ///
    /// # Errors
    ///
    /// As for [`Self::invoke`], but for throttling.
    async fn enqueue(&self, function: &str, payload: Bytes) -> Result<String, AwsError>;

    /// The ARN of a function's role; `None` if there is no such function, version or alias.
    fn role(&self, function: &str) -> Option<String>;
}

/// A document about an invocation.
#[derive(Debug, PartialEq)]
pub struct Document {
    /// The text, which is JSON.
    pub body: String,
    /// The object's key if the destination is a bucket.
    pub object_key: String,
    /// The attributes of the message if the destination is a queue or a topic.
    pub attributes: MessageAttributes,
}

/// Sends a document to a destination: a bucket, queue, topic or function.
#[async_trait]
pub trait Destinations: Send + Sync {
    /// Sends `document` to the resource with this ARN.
    ///
    /// # Errors
    ///
    /// If the destination does not exist or refuses the document.
    async fn deliver(&self, arn: &str, document: Document) -> Result<(), AwsError>;
}
