//! Parameters of SSM. A text that is kept encrypted also needs the use of its key, by the caller itself.

use super::{Need, body::Body};
use crate::{
    names::arn,
    ssm::{Ssm, parameter_arn},
};

pub(super) fn needs(ssm: &Ssm, operation: &str, body: &Body) -> Vec<Need> {
    let need = |resource: String| Need::new("ssm", operation, resource);
    let names: Vec<_> = body
        .text("Name")
        .into_iter()
        .chain(body.texts("Names"))
        .collect();
    match operation {
        "DescribeParameters" => vec![need(arn("ssm", "*"))],
        "GetParametersByPath" => {
            let path = body.text("Path").unwrap_or_default();
            let below = format!("{}/", parameter_arn(path.trim_end_matches('/')));
            vec![need(below)]
        }
        _ => {
            let of_keys = names
                .iter()
                .filter_map(|name| key_of(ssm, operation, name, body));
            let of_keys: Vec<_> = of_keys.collect();
            let of_names = names.iter().map(|name| need(parameter_arn(name)));
            of_names.chain(of_keys).collect()
        }
    }
}

/// The use of a key of the account's own. AWS's key for SSM may be used by all callers who may use the parameter.
fn key_of(ssm: &Ssm, operation: &str, name: &str, body: &Body) -> Option<Need> {
    let (action, key) = match operation {
        "GetParameter" | "GetParameters" if body.is_true("WithDecryption") => {
            ("Decrypt", ssm.key_of(name)?)
        }
        "PutParameter" if body.text("Type") == Some("SecureString") => {
            ("Encrypt", ssm.own_key(body.text("KeyId")?)?)
        }
        _ => return None,
    };
    Some(Need::new("kms", action, key))
}
