#![doc = include_str!("../README.md")]
#![allow(clippy::missing_errors_doc, reason = "the error types say what to do")]
#![allow(clippy::must_use_candidate, reason = "half of the lines would need it")]

pub mod events;
pub mod orders;
pub mod payments;
pub mod rules;
mod saga;
pub mod shipping;
pub mod shop;
pub mod stock;
pub mod view;

pub use events::{ShopEvent, catalogue};
pub use saga::definition;
pub use shop::Shop;
