//! What a saga costs and how fast it is: its calls and their price, on the local runtime, and the engine by itself.

pub mod calls;
pub mod engines;
pub mod load;
mod meter;
pub mod prices;
pub mod report;
mod units;
