//! IAM: the credentials of functions, and what they may do.

mod credentials;

pub use credentials::{Credentials, Keys, Session};
