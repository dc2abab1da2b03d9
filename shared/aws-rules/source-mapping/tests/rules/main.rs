//! At least one test for each rule of `rules.yaml`, which fails if the rule is not applied. One more test compares the
//! list with the variants of `Rule`.

#![cfg(test)]

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
