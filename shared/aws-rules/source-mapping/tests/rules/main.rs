//! Each rule of `rules.yaml` has at least one test here, which fails if the rule is not applied. One more test compares
//! the list of rules with the variants of `Rule`.

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
