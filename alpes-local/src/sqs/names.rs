//! Names, ARNs and URLs of queues.

use super::errors::{invalid_value, unsupported};
use crate::{
    error::AwsError,
    names::{ACCOUNT, arn},
};

/// The name in a queue's ARN; `None` if the ARN is not that of a queue in this account and region.
pub(super) fn queue_of(queue_arn: &str) -> Option<&str> {
    let name = queue_arn.strip_prefix(&arn("sqs", ""))?;
    valid(name).then_some(name)
}

/// The name in a queue's URL `http://HOST/ACCOUNT/NAME`. Any host will do, since functions and users may reach the
/// runtime by different ones.
pub(super) fn queue_at(url: &str) -> Result<&str, AwsError> {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let mut parts = path.rsplit('/');
    let (name, account) = (parts.next(), parts.next());
    name.filter(|_| account == Some(ACCOUNT)).ok_or_else(|| {
        AwsError::of(
            404,
            "InvalidAddress",
            format!("The address {url} is not valid for this endpoint."),
        )
    })
}

/// Checks the name of a new queue.
pub(super) fn check(name: &str) -> Result<(), AwsError> {
    if name.strip_suffix(".fifo").is_some_and(valid) {
        return Err(unsupported(format!(
            "The local runtime has no FIFO queues, so it refuses the queue name {name}."
        )));
    }
    if valid(name) {
        return Ok(());
    }
    Err(invalid_value(
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
    ))
}

/// True for 1 to 80 letters, digits, hyphens and underscores, which is also the rule for the ids of a batch's entries.
pub(super) fn valid(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=80).contains(&name.len()) && name.bytes().all(allowed)
}
