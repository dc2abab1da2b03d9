//! Kinesis.

use super::{Need, body::Body};
use crate::{kinesis, names::arn};

/// The operations that are on no single stream.
const ON_ALL: [&str; 3] = ["DescribeLimits", "ListStreams", "UpdateAccountSettings"];

pub(super) fn needs(operation: &str, body: &Body) -> Vec<Need> {
    let resource = if ON_ALL.contains(&operation) {
        "*".to_owned()
    } else {
        resource(body)
    };
    vec![Need::new("kinesis", operation, resource)]
}

fn resource(body: &Body) -> String {
    let name = |name: String| arn("kinesis", &format!("stream/{name}"));
    let given = ["ConsumerARN", "StreamARN", "ResourceARN"];
    let given = given.into_iter().find_map(|member| body.text(member));
    let named = || body.text("StreamName").map(|text| name(text.to_owned()));
    let token = || {
        let token = body.text("ShardIterator").or(body.text("NextToken"))?;
        kinesis::stream_of_token(token).map(name)
    };
    let found = given.map(str::to_owned).or_else(named).or_else(token);
    found.unwrap_or_else(|| "*".to_owned())
}
