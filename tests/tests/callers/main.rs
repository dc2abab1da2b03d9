//! Every route of the API by every kind of caller, where callers have tokens (`Acceso=jwt`). The test plays the issuer.
//!
//! This is a program of its own, because its runtime is deployed with this access. `cargo xtask test` starts one, and
//! tells its issuer's port.
#![cfg(test)]

#[path = "../../../shared/engine/tokens/tests/tokens/support.rs"]
#[allow(dead_code, reason = "made for the tests of the checker")]
mod forging;
mod issuer;
mod matrix;
mod routes;
mod tokens;
