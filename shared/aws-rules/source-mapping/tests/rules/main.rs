//! A test at least for each rule of `rules.yaml`, which fails if the rule was not applied; and one that the two lists are one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod again;
mod batches;
mod bisecting;
mod destinations;
mod failures;
mod filters;
mod lanes;
mod life;
mod list;
mod misuse;
mod positions;
mod reading;
mod reports;
mod retention;
mod shards;
mod support;
