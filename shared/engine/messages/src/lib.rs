//! The parts of messages in any domain: [`moment`] writes times in one way, and [`mapping`] makes one message from others.

#![deny(missing_docs)]

pub mod mapping;
pub mod moment;
