//! However the log is delivered, the library's views equal the fold of its streams.

mod common;

use common::Library;
use domain_kit::delivery;

#[test]
fn however_the_log_is_delivered_the_view_equals_the_fold() {
    delivery::views_equal_the_fold::<Library>();
}

#[test]
fn each_planted_bug_is_found() {
    delivery::each_planted_bug_is_found::<Library>();
}
