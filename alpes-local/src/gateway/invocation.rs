//! Calls functions, with a limit of time.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use crate::{
    error::AwsError,
    iam::{Acting, Denied, Iam},
    invoke::{Invoked, Invoker},
    names::FunctionName,
};

/// Why there is no end of an invocation.
#[derive(Debug)]
pub(super) enum NotInvoked {
    /// The policy of the function does not let the API in.
    NotPermitted,
    /// The function did not end in time. It goes on.
    TimedOut,
    /// The invocation did not reach the function.
    Rejected(AwsError),
}

/// Checks that the policy of a function lets an API in. `source` is the ARN of the method, or of the authorizer.
pub(super) fn may_invoke(iam: &Iam, source: &str, function: &str) -> Result<(), Denied> {
    let service = "apigateway.amazonaws.com";
    let function = FunctionName::parse(function).map_or(function.to_owned(), |name| name.arn());
    let acting = Acting::Service { service, source };
    iam.check(&acting, "lambda:InvokeFunction", &function)
}

/// Calls a function. As at AWS, the invocation goes on if the time is over or if the client goes away.
pub(super) async fn invoke(
    invoker: &Arc<dyn Invoker>,
    function: &str,
    event: String,
    limit: Duration,
) -> Result<Invoked, NotInvoked> {
    let (invoker, function) = (invoker.clone(), function.to_owned());
    let invocation =
        tokio::spawn(async move { invoker.invoke(&function, Bytes::from(event)).await });
    match timeout(limit, invocation).await {
        Err(_) => Err(NotInvoked::TimedOut),
        Ok(Err(panicked)) => Err(NotInvoked::Rejected(AwsError::internal(panicked))),
        Ok(Ok(end)) => end.map_err(NotInvoked::Rejected),
    }
}
