//! AWS's quotas on tables, streams and functions, as machines without clock or I/O: a machine is told the time and the
//! work, and says whether AWS would throttle it.
//!
//! **When to use it**: to see in a test or in an emulator where a design meets a limit of AWS, for example because all
//! writes have one partition key. Do not use it to plan costs: a capacity that you set yourself is no quota.
//!
//! 1. Make a machine: [`Partitions`] for a table and its indexes, [`PerKey`] with a [`Shard`] for each shard of a
//!    stream, [`Concurrency`] and [`Starts`] for functions.
//! 2. Before the work, ask the machine whether it is throttled. Time is an argument, in milliseconds.
//! 3. After the work, charge its size. DynamoDB learns sizes only after the work, so a partition may go into debt; work
//!    is then throttled until later seconds have paid the debt.
//!
//! # Example
//!
//! One partition key is written 1,500 times a second, for three seconds. An item of 700 bytes costs one write unit, so
//! the partition takes 1,000 items a second:
//!
//! ```
//! use quotas::{Access, Charge, Millis, Partitions, Units};
//!
//! let mut partitions = Partitions::default();
//! let write = [Charge {
//!     partition: "customer-7",
//!     access: Access::Write,
//!     units: Units::written(700),
//! }];
//! let mut written = 0;
//! for n in 0..4_500 {
//!     let now = Millis(n * 1_000 / 1_500);
//!     if partitions.starved(now, &write).is_empty() {
//!         partitions.charge(now, &write);
//!         written += 1;
//!     }
//! }
//! assert_eq!(written, 3_000);
//! ```
//!
//! # How a second is counted
//!
//! AWS names its limits by the second, and does not say how it counts. Here each second of the clock has the limit
//! anew, and what a second leaves is not saved. So work below the limit is never throttled, however it is spread within
//! its second, and work above the limit gets the limit in each second. Over any n seconds at most (n + 1) times the
//! limit is admitted, and one operation's debt.

#![deny(missing_docs)]

mod bucket;
mod concurrency;
mod partition;
mod per_key;
mod shard;
mod time;
mod units;

pub use concurrency::{ACCOUNT_CONCURRENCY, Concurrency, Exceeded, Starts, leaves_unreserved};
pub use partition::{Access, Charge, Partition, Partitions};
pub use per_key::{Machine, PerKey};
pub use shard::{BYTES_A_READ, READS_A_SECOND, RECORDS_A_READ, ReadLimit, Shard};
pub use time::Millis;
pub use units::{Consistency, Units, index_write};
