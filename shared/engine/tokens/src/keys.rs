//! Public keys: a JSON Web Key Set (RFC 7517), and the keys of it that may verify tokens.

use async_trait::async_trait;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// A source of keys.
#[async_trait]
pub trait Keys: Send + Sync {
    /// The key that a token names.
    ///
    /// # Errors
    ///
    /// No keys can be had now.
    async fn find(&self, wanted: &Wanted) -> Result<Option<DecodingKey>, KeysError>;
}

/// No keys can be had now.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("no keys: {0}")]
pub struct KeysError(pub String);

/// The key that a token's header names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The id of the key; a token without it is accepted only if there is one key alone.
    pub kid: Option<String>,
    /// The algorithm of the token, which must be the key's own.
    pub algorithm: Algorithm,
}

/// Keys that never change.
pub struct FixedKeys(pub KeySet);

#[async_trait]
impl Keys for FixedKeys {
    async fn find(&self, wanted: &Wanted) -> Result<Option<DecodingKey>, KeysError> {
        Ok(self.0.find(wanted).cloned())
    }
}

/// The keys of a set that may verify tokens.
#[derive(Clone)]
pub struct KeySet(Vec<Key>);

#[derive(Clone)]
struct Key {
    kid: Option<String>,
    /// The only algorithm for which the key is used. It follows from the type of the key, never from a token.
    algorithm: Algorithm,
    public: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys of other kinds and for other uses are left out, since issuers publish them too.
    ///
    /// # Errors
    ///
    /// The text is no key set, or it has no key that may verify tokens.
    pub fn parse(text: &[u8]) -> Result<Self, KeysError> {
        let document: Document = serde_json::from_slice(text)
            .map_err(|error| KeysError(format!("the key set cannot be read: {error}")))?;
        let keys: Vec<Key> = document.keys.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(KeysError(
                "the key set has no key for RS256 or ES256".into(),
            ));
        }
        Ok(Self(keys))
    }

    /// The key that a token names.
    #[must_use]
    pub fn find(&self, wanted: &Wanted) -> Option<&DecodingKey> {
        let key = match (&wanted.kid, self.0.as_slice()) {
            (Some(_), keys) => keys
                .iter()
                .find(|key| key.kid == wanted.kid && key.algorithm == wanted.algorithm),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let key = key.filter(|key| key.algorithm == wanted.algorithm)?;
        Some(&key.public)
    }
}

impl Key {
    fn read(value: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            _ => return None,
        };
        let common = &jwk.common;
        let named = common.key_algorithm;
        let (used, operations) = (&common.public_key_use, &common.key_operations);
        let verifies = named.is_none_or(|named| named == KeyAlgorithm::from(algorithm))
            && used
                .as_ref()
                .is_none_or(|used| *used == PublicKeyUse::Signature)
            && operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        verifies.then(|| Self {
            kid: common.key_id.clone(),
            algorithm,
            public,
        })
    }
}
