//! The operations that encrypt and decrypt.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Value, json};

use super::{
    Kms,
    blob::{Blob, Context, random, seal},
    keys::{self, Key},
    manage::only,
};
use crate::{
    error::AwsError,
    input::{fault, put, read, validation},
};

/// The most bytes that a key encrypts.
const PLAINTEXT_LIMIT: usize = 4096;
/// The most bytes of a ciphertext blob.
const BLOB_LIMIT: usize = 6144;
const ALGORITHM: &str = "SYMMETRIC_DEFAULT";

/// Bytes that JSON has as base64.
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Encrypt {
    key_id: String,
    plaintext: Bytes,
    #[serde(default)]
    encryption_context: Context,
    encryption_algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Decrypt {
    ciphertext_blob: Bytes,
    #[serde(default)]
    encryption_context: Context,
    key_id: Option<String>,
    encryption_algorithm: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GenerateDataKey {
    key_id: String,
    #[serde(default)]
    encryption_context: Context,
    number_of_bytes: Option<usize>,
    key_spec: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ReEncrypt {
    ciphertext_blob: Bytes,
    #[serde(default)]
    source_encryption_context: Context,
    source_key_id: Option<String>,
    destination_key_id: String,
    #[serde(default)]
    destination_encryption_context: Context,
    source_encryption_algorithm: Option<String>,
    destination_encryption_algorithm: Option<String>,
}

impl Kms {
    pub(super) fn encrypt(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Encrypt = read(input)?;
        only(
            "EncryptionAlgorithm",
            request.encryption_algorithm.as_deref(),
            ALGORITHM,
        )?;
        let plaintext = request.plaintext.0;
        within("plaintext", plaintext.len(), PLAINTEXT_LIMIT)?;
        let key = self.working(&request.key_id)?;
        let blob = seal(&key, &request.encryption_context, &plaintext)?;
        Ok(json!({
            "CiphertextBlob": STANDARD.encode(blob),
            "KeyId": key.arn(),
            "EncryptionAlgorithm": ALGORITHM,
        }))
    }

    pub(super) fn decrypt(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Decrypt = read(input)?;
        only(
            "EncryptionAlgorithm",
            request.encryption_algorithm.as_deref(),
            ALGORITHM,
        )?;
        let (key, plaintext) = self.opened(
            &request.ciphertext_blob.0,
            request.key_id.as_deref(),
            &request.encryption_context,
        )?;
        Ok(json!({
            "KeyId": key.arn(),
            "Plaintext": STANDARD.encode(plaintext),
            "EncryptionAlgorithm": ALGORITHM,
        }))
    }

    pub(super) fn generate_data_key(
        &self,
        input: &Value,
        with_plaintext: bool,
    ) -> Result<Value, AwsError> {
        let request: GenerateDataKey = read(input)?;
        let bytes = data_key_length(request.number_of_bytes, request.key_spec.as_deref())?;
        let key = self.working(&request.key_id)?;
        let plaintext = random(bytes)?;
        let blob = seal(&key, &request.encryption_context, &plaintext)?;
        let mut answer = json!({"CiphertextBlob": STANDARD.encode(blob), "KeyId": key.arn()});
        if with_plaintext {
            put(&mut answer, "Plaintext", STANDARD.encode(plaintext));
        }
        Ok(answer)
    }

    pub(super) fn re_encrypt(&self, input: &Value) -> Result<Value, AwsError> {
        let request: ReEncrypt = read(input)?;
        let source = request.source_encryption_algorithm.as_deref();
        only("SourceEncryptionAlgorithm", source, ALGORITHM)?;
        let destination = request.destination_encryption_algorithm.as_deref();
        only("DestinationEncryptionAlgorithm", destination, ALGORITHM)?;
        let (from, plaintext) = self.opened(
            &request.ciphertext_blob.0,
            request.source_key_id.as_deref(),
            &request.source_encryption_context,
        )?;
        let to = self.working(&request.destination_key_id)?;
        let blob = seal(&to, &request.destination_encryption_context, &plaintext)?;
        Ok(json!({
            "CiphertextBlob": STANDARD.encode(blob),
            "SourceKeyId": from.arn(),
            "KeyId": to.arn(),
            "SourceEncryptionAlgorithm": ALGORITHM,
            "DestinationEncryptionAlgorithm": ALGORITHM,
        }))
    }

    /// Encrypts for another service of this runtime. There is no limit to the size.
    pub(crate) fn seal_for_service(
        &self,
        key: &str,
        context: &Context,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, AwsError> {
        seal(&self.working(key)?, context, plaintext)
    }

    /// Decrypts for another service of this runtime.
    pub(crate) fn open_for_service(
        &self,
        blob: &[u8],
        context: &Context,
    ) -> Result<Vec<u8>, AwsError> {
        let blob = Blob::parse(blob).ok_or_else(invalid_ciphertext)?;
        let key = self.blob_key(&blob)?;
        key.must_work()?;
        blob.open(&key, context).ok_or_else(invalid_ciphertext)
    }

    /// The key of a blob, and the blob's plaintext. `expected` is the key that the caller names, if any.
    fn opened(
        &self,
        blob: &[u8],
        expected: Option<&str>,
        context: &Context,
    ) -> Result<(Key, Vec<u8>), AwsError> {
        within("ciphertextBlob", blob.len(), BLOB_LIMIT)?;
        let expected = expected.map(|named| self.key(named)).transpose()?;
        let blob = Blob::parse(blob).ok_or_else(invalid_ciphertext)?;
        let key = self.blob_key(&blob)?;
        if expected.is_some_and(|expected| expected.id != key.id) {
            return Err(AwsError::client(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this operation.",
            ));
        }
        key.must_work()?;
        let plaintext = blob.open(&key, context).ok_or_else(invalid_ciphertext)?;
        Ok((key, plaintext))
    }

    /// The key that encrypted a blob. Bytes that name no key were not made here.
    pub(super) fn blob_key(&self, blob: &Blob<'_>) -> Result<Key, AwsError> {
        let now = self.now();
        let key = self
            .store
            .read(|connection| keys::by_id(connection, blob.key_id, now))?;
        key.ok_or_else(invalid_ciphertext)
    }

    /// The key that a request names, if it may encrypt and decrypt.
    fn working(&self, named: &str) -> Result<Key, AwsError> {
        let key = self.key(named)?;
        key.must_work()?;
        Ok(key)
    }
}

fn invalid_ciphertext() -> AwsError {
    AwsError::client(
        "InvalidCiphertextException",
        "The ciphertext was not made by a key of this account, was changed, or has another encryption context.",
    )
}

fn within(field: &str, bytes: usize, most: usize) -> Result<(), AwsError> {
    if (1..=most).contains(&bytes) {
        return Ok(());
    }
    let rule = format!("have a length from 1 to {most} bytes");
    Err(fault(field, &format!("{bytes} bytes"), &rule))
}

fn data_key_length(bytes: Option<usize>, spec: Option<&str>) -> Result<usize, AwsError> {
    match (bytes, spec) {
        (Some(bytes), None) => {
            within("numberOfBytes", bytes, 1024)?;
            Ok(bytes)
        }
        (None, Some("AES_256")) => Ok(32),
        (None, Some("AES_128")) => Ok(16),
        (None, Some(other)) => Err(fault(
            "keySpec",
            other,
            "satisfy enum value set: [AES_256, AES_128]",
        )),
        _ => Err(validation(
            "Please specify either number of bytes or key spec.",
        )),
    }
}
