//! The cost and speed of a saga: its AWS calls and their price, its time on the local runtime, and the speed of the
//! engine alone in memory.

pub mod calls;
pub mod engines;
pub mod load;
mod meter;
pub mod prices;
pub mod report;
mod units;
