//! Signs tokens, for local runs and tests. A deployed function only checks tokens.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use thiserror::Error;

/// A key cannot sign.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("the key cannot sign: {0}")]
pub struct SigningError(String);

/// A private key for ES256.
pub struct Signer {
    kid: String,
    private: EncodingKey,
}

impl Signer {
    /// The signer with this P-256 key in PKCS #8, under this id.
    #[must_use]
    pub fn new(kid: &str, pkcs8: &[u8]) -> Self {
        Self {
            kid: kid.to_owned(),
            private: EncodingKey::from_ec_der(pkcs8),
        }
    }

    /// A token with these claims.
    ///
    /// # Errors
    ///
    /// The key is not a P-256 key in PKCS #8.
    pub fn sign(&self, claims: &Value) -> Result<String, SigningError> {
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, claims, &self.private).map_err(|error| SigningError(error.to_string()))
    }

    /// The public key as a JSON Web Key.
    ///
    /// # Errors
    ///
    /// The key is not a P-256 key in PKCS #8.
    pub fn public(&self) -> Result<Value, SigningError> {
        let fault = |error: &dyn ToString| SigningError(error.to_string());
        let mut jwk = Jwk::from_encoding_key(&self.private, Algorithm::ES256)
            .map_err(|error| fault(&error))?;
        jwk.common.key_id = Some(self.kid.clone());
        Ok(json!(jwk))
    }

    /// The set of this public key alone, as a JSON Web Key Set.
    ///
    /// # Errors
    ///
    /// See [`Self::public`].
    pub fn key_set(&self) -> Result<Value, SigningError> {
        Ok(json!({ "keys": [self.public()?] }))
    }
}
