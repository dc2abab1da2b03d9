//! Checks the access tokens (JWT) of an `OpenID` Connect issuer.
//!
//! 1. Say which tokens are accepted: issuer, audience.
//! 2. Give the keys: fixed ones, or those that the issuer publishes.
//! 3. Check each token.
//!
//! ```
//! use std::sync::Arc;
//! use alpes_tokens::{Checker, Expected, FixedKeys, KeySet, TokenError};
//!
//! # async fn show(clock: Arc<dyn alpes_ports::Clock>, jwks: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let expected = Expected { issuer: "https://id.example".into(), audience: "shop".into() };
//! let checker = Checker::new(expected, Arc::new(FixedKeys(KeySet::parse(jwks.as_bytes())?)), clock);
//! let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEifQ.";
//! assert!(matches!(checker.check(unsigned).await, Err(TokenError::Invalid(_))));
//! # Ok(())
//! # }
//! ```
//!
//! The crate does no I/O: the clock and the issuer's documents are ports. No error and no log line contains a token or a
//! part of one.

#![deny(missing_docs)]

mod checker;
mod claims;
mod issuer;
mod keys;
mod published;
mod signing;

pub use checker::{Checker, TokenError};
pub use claims::{Accepted, Expected, SKEW};
pub use issuer::Issuer;
pub use keys::{FixedKeys, KeySet, Keys, KeysError, Wanted};
pub use published::{LONGEST_OUTAGE, PAUSE, PublishedKeys, REFRESH, RETRY};
pub use signing::{Signer, SigningError};
