//! KMS. A request may name a key by an alias or only by a ciphertext; the resource is the key itself.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{Need, body::Body};
use crate::kms::{Kms, alias_arn};

pub(super) fn needs(kms: &Kms, operation: &str, body: &Body) -> Vec<Need> {
    let need = |operation: &str, resource: String| Need::new("kms", operation, resource);
    let named = |member: &str| {
        let key = body.text(member).and_then(|named| kms.key_arn(named));
        key.unwrap_or_else(|| "*".to_owned())
    };
    let of_blob = || {
        let blob = body.text("CiphertextBlob").unwrap_or_default();
        let blob = BASE64_STANDARD.decode(blob).unwrap_or_default();
        kms.key_arn_of(&blob).unwrap_or_else(|| "*".to_owned())
    };
    match operation {
        "CreateKey" | "ListKeys" | "ListAliases" => vec![need(operation, "*".to_owned())],
        "Decrypt" => vec![need(operation, of_blob())],
        "ReEncrypt" => vec![
            need("ReEncryptFrom", of_blob()),
            need("ReEncryptTo", named("DestinationKeyId")),
        ],
        "CreateAlias" => vec![
            need(operation, named("TargetKeyId")),
            need(operation, alias_arn(body.text("AliasName").unwrap_or("*"))),
        ],
        _ => vec![need(operation, named("KeyId"))],
    }
}
