//! The library's views equal the fold of its streams, under any deliveries and during a rebuild.

mod common;

domain_kit::views_equal_the_fold!(common::Library);
