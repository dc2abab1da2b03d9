//! What messages are made of, whatever the domain: times that are written in one way, and how a message is mapped to another.

#![deny(missing_docs)]

pub mod mapping;
pub mod moment;
