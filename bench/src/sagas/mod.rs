//! The cost and speed of a saga: its calls and their price, its time on the local runtime, and the engine by itself.

pub mod calls;
pub mod engines;
pub mod load;
mod meter;
pub mod prices;
pub mod report;
mod units;
