//! Step Functions.

use super::{Need, body::Body};

pub(super) fn needs(operation: &str, body: &Body) -> Vec<Need> {
    let named = ["executionArn", "stateMachineArn", "resourceArn"];
    let named = named.into_iter().find_map(|member| body.text(member));
    vec![Need::new("states", operation, named.unwrap_or("*"))]
}
