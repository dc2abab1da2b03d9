//! Ciphertext blobs: AES-256-GCM, with the id of the key in front.
//!
//! A blob is the byte 1, the length of the key's id, the id, a nonce of 12 bytes, and the ciphertext with its tag of 16
//! bytes. The tag covers the front and the encryption context.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use super::keys::Key;
use crate::error::AwsError;

/// The first byte of every blob.
const VERSION: u8 = 1;

/// Names and values that an encryption and its decryption must share.
pub(super) type Context = BTreeMap<String, String>;

/// The parts of a blob.
pub(super) struct Blob<'a> {
    /// All before the nonce.
    front: &'a [u8],
    pub(super) key_id: &'a str,
    nonce: [u8; NONCE_LEN],
    ciphertext: &'a [u8],
}

impl<'a> Blob<'a> {
    /// The parts of these bytes; `None` if they are no blob.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[version, length], rest) = bytes.split_first_chunk()?;
        let length = usize::from(length);
        let (id, rest) = rest.split_at_checked(length)?;
        let (nonce, ciphertext) = rest.split_first_chunk()?;
        let blob = Self {
            front: bytes.get(..2 + length)?,
            key_id: str::from_utf8(id).ok()?,
            nonce: *nonce,
            ciphertext,
        };
        (version == VERSION).then_some(blob)
    }

    /// The plaintext; `None` if the key or the context is another, or if the blob was changed.
    pub(super) fn open(&self, key: &Key, context: &Context) -> Option<Vec<u8>> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key.material).ok()?;
        let mut bytes = self.ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        let aad = Aad::from(authenticated(self.front, context));
        let plaintext = cipher.open_in_place(nonce, aad, &mut bytes).ok()?;
        let length = plaintext.len();
        bytes.truncate(length);
        Some(bytes)
    }
}

/// Encrypts.
pub(super) fn seal(key: &Key, context: &Context, plaintext: &[u8]) -> Result<Vec<u8>, AwsError> {
    let cipher =
        RandomizedNonceKey::new(&AES_256_GCM, &key.material).map_err(AwsError::internal)?;
    let length = u8::try_from(key.id.len()).map_err(AwsError::internal)?;
    let mut blob = [&[VERSION, length], key.id.as_bytes()].concat();
    let aad = Aad::from(authenticated(&blob, context));
    let mut bytes = plaintext.to_vec();
    let nonce = cipher
        .seal_in_place_append_tag(aad, &mut bytes)
        .map_err(AwsError::internal)?;
    blob.extend_from_slice(nonce.as_ref());
    blob.append(&mut bytes);
    Ok(blob)
}

/// The bytes that the tag covers beside the ciphertext. Lengths stand before texts, so that no two contexts give the
/// same bytes.
fn authenticated(front: &[u8], context: &Context) -> Vec<u8> {
    let mut bytes = front.to_vec();
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// Random bytes.
pub(super) fn random(length: usize) -> Result<Vec<u8>, AwsError> {
    let mut bytes = vec![0; length];
    aws_lc_rs::rand::fill(&mut bytes).map_err(AwsError::internal)?;
    Ok(bytes)
}
