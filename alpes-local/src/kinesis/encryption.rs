//! The encryption of streams: only the setting, since the store is not encrypted.

use serde_json::{Value, json};

use super::{
    Kinesis,
    errors::invalid_argument,
    fields::{ARN, Fields},
    streams::named_stream,
};
use crate::error::AwsError;

impl Kinesis {
    pub(super) fn start_encryption(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        let (name, key) = read(fields)?;
        self.set_encryption(name, Some(key.to_owned()))
    }

    pub(super) fn stop_encryption(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        let (name, _) = read(fields)?;
        self.set_encryption(name, None)
    }

    fn set_encryption(&self, stream: &str, key: Option<String>) -> Result<Value, AwsError> {
        self.change(stream, |stream| {
            stream.encryption_key = key;
            Ok(())
        })?;
        Ok(json!({}))
    }
}

/// The stream and the key of a request.
fn read<'a>(fields: &Fields<'a>) -> Result<(&'a str, &'a str), AwsError> {
    fields.only(&["StreamName", "StreamARN", "EncryptionType", "KeyId"])?;
    let name = named_stream(fields)?;
    let by_kms = fields.choice("EncryptionType", &[("NONE", false), ("KMS", true)])?;
    if !fields.required("EncryptionType", by_kms)? {
        return Err(invalid_argument("EncryptionType must be KMS."));
    }
    Ok((name, fields.required_text("KeyId", &ARN)?))
}
