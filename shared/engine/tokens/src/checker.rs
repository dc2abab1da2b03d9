//! Checks a token: its header, its key, its signature, its claims.

use std::sync::Arc;

use alpes_ports::Clock;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use thiserror::Error;

use crate::{
    claims::{Accepted, Claims, Expected},
    keys::{Keys, KeysError, Wanted},
};

/// The algorithms that are accepted: each has a public and a private half, and every large issuer signs with one of them.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::RS256, Algorithm::ES256];

/// The reason why a token is not accepted.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TokenError {
    /// The token is invalid: it breaks this rule.
    #[error("the token is invalid: {0}")]
    Invalid(&'static str),
    /// The token cannot be checked now.
    #[error(transparent)]
    NoKeys(#[from] KeysError),
}

/// Checks tokens.
pub struct Checker {
    expected: Expected,
    keys: Arc<dyn Keys>,
    clock: Arc<dyn Clock>,
}

impl Checker {
    /// A checker of tokens of one issuer for one audience.
    #[must_use]
    pub fn new(expected: Expected, keys: Arc<dyn Keys>, clock: Arc<dyn Clock>) -> Self {
        Self {
            expected,
            keys,
            clock,
        }
    }

    /// Checks a token.
    ///
    /// # Errors
    ///
    /// See [`TokenError`].
    pub async fn check(&self, token: &str) -> Result<Accepted, TokenError> {
        let wanted = wanted(token).map_err(TokenError::Invalid)?;
        let key = self.keys.find(&wanted).await?;
        let key = key.ok_or(TokenError::Invalid("its key is unknown"))?;
        // The signature alone: the rules about claims are ours, because they use the port of the clock.
        let mut rules = Validation::new(wanted.algorithm);
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        rules.validate_aud = false;
        let checked = decode::<Claims>(token, &key, &rules);
        let claims = checked.map_err(|_| {
            TokenError::Invalid("its signature is wrong, or its claims cannot be read")
        })?;
        let checked = claims.claims.check(&self.expected, self.clock.now());
        checked.map_err(TokenError::Invalid)
    }
}

/// The key that the token's header names, or the rule that the header breaks. Keys inside the header are never used.
fn wanted(token: &str) -> Result<Wanted, &'static str> {
    let header = decode_header(token).map_err(|_| "its header cannot be read")?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err("its alg is neither RS256 nor ES256");
    }
    // RFC 7515, 4.1.11: a token with an extension that is not understood is invalid, and none is understood here.
    if header.crit.is_some() {
        return Err("its header has crit");
    }
    Ok(Wanted {
        kid: header.kid,
        algorithm: header.alg,
    })
}
