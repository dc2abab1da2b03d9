//! Concurrency of functions.

use quotas::{Concurrency, Exceeded, Millis, Starts, leaves_unreserved};

#[test]
fn reserved_concurrency_is_for_its_function_and_all_others_share_the_rest() {
    let reserved = |in_flight| Concurrency {
        reserved: Some(3),
        in_flight,
        reserved_by_all: 900,
        unreserved_in_flight: 100,
    };
    assert_eq!(reserved(2).admit(), Ok(()), "though the rest is used up");
    assert_eq!(reserved(3).admit(), Err(Exceeded::Reserved));
    let unreserved = |unreserved_in_flight| Concurrency {
        reserved: None,
        in_flight: 1,
        reserved_by_all: 300,
        unreserved_in_flight,
    };
    assert_eq!(unreserved(699).admit(), Ok(()));
    assert_eq!(unreserved(700).admit(), Err(Exceeded::Account));
}

#[test]
fn a_hundred_stay_unreserved() {
    assert_eq!(leaves_unreserved(400, 500), Ok(()));
    assert_eq!(leaves_unreserved(401, 500), Err(100));
    assert_eq!(leaves_unreserved(u32::MAX, u32::MAX), Err(100));
}

#[test]
fn a_function_starts_a_thousand_environments_and_then_a_hundred_a_second() {
    let mut starts = Starts::default();
    let mut started = |at: u64| (0..2_000).filter(|_| starts.start(Millis(at))).count();
    assert_eq!(started(0), 1_000);
    assert_eq!(started(1_000), 100);
    assert_eq!(started(4_000), 300);
    assert_eq!(started(100_000), 1_000, "what was not used is not saved");
}
