//! EventBridge.

use super::{Need, body::Body};
use crate::names::arn;

pub(super) fn needs(operation: &str, body: &Body) -> Vec<Need> {
    let rule = body.text("Rule").or(body.text("Name"));
    let resource = rule.map(|name| arn("events", &format!("rule/{name}")));
    let resource = resource.unwrap_or_else(|| "*".to_owned());
    vec![Need::new("events", operation, resource)]
}
