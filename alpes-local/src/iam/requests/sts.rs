//! STS. A caller may always ask who it is.

use super::Need;
use crate::http::Form;

pub(super) fn needs(action: &str, form: &Form) -> Vec<Need> {
    if action == "GetCallerIdentity" {
        return vec![];
    }
    let role = form.get("RoleArn").unwrap_or("*");
    vec![Need::new("sts", action, role)]
}
