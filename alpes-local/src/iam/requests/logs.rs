//! CloudWatch Logs. The ARN of a group ends in `:*` where policies name it.

use super::{Need, body::Body};
use crate::names::{arn, last_part};

pub(super) fn needs(operation: &str, body: &Body) -> Vec<Need> {
    let named = body
        .text("logGroupName")
        .or(body.text("logGroupIdentifier"));
    let group = named.map(|named| {
        if named.starts_with("arn:") {
            group_of(named)
        } else {
            named
        }
    });
    let stream = body.text("logStreamName");
    let resource = match (group, stream) {
        (Some(group), Some(stream)) => format!("log-group:{group}:log-stream:{stream}"),
        (Some(group), None) => format!("log-group:{group}:*"),
        (None, _) => return vec![Need::new("logs", operation, "*")],
    };
    vec![Need::new("logs", operation, arn("logs", &resource))]
}

/// The name of a group, from its ARN with or without `:*`.
fn group_of(arn: &str) -> &str {
    let arn = arn.strip_suffix(":*").unwrap_or(arn);
    arn.split_once(":log-group:")
        .map_or_else(|| last_part(arn), |(_, name)| name)
}
