//! Names, ARNs and URLs of queues.

use super::errors::invalid_value;
use crate::{
    error::AwsError,
    names::{ACCOUNT, arn},
};

/// The end of the names of FIFO queues and topics, and of no others.
const FIFO: &str = ".fifo";

/// True for the name or ARN of a FIFO queue or topic.
pub(crate) fn is_fifo(name_or_arn: &str) -> bool {
    name_or_arn.strip_suffix(FIFO).is_some()
}

/// The name in a queue's ARN; `None` if the ARN is not that of a queue in this account and region.
pub(super) fn queue_of(queue_arn: &str) -> Option<&str> {
    let name = queue_arn.strip_prefix(&arn("sqs", ""))?;
    valid_queue(name).then_some(name)
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

/// Checks the name of a new queue. `fifo` is true for a FIFO queue.
pub(super) fn check(name: &str, fifo: bool) -> Result<(), AwsError> {
    if valid_queue(name) && is_fifo(name) == fifo {
        return Ok(());
    }
    Err(invalid_value(if fifo {
        "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
         .fifo suffix and be 1 to 80 in length"
    } else {
        "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
    }))
}

/// The end of a FIFO queue's name counts against the length.
fn valid_queue(name: &str) -> bool {
    name.len() <= 80 && valid(name.strip_suffix(FIFO).unwrap_or(name))
}

/// True for 1 to 80 letters, digits, hyphens and underscores, which is also the rule for the ids of a batch's entries.
pub(super) fn valid(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=80).contains(&name.len()) && name.bytes().all(allowed)
}
