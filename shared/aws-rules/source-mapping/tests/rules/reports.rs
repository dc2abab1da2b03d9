use source_mapping::{
    Destination, Outcome, Output, Rule, SequenceNumber, Settings, Verdict, judge,
};

use crate::support::{World, numbers, settings, told};

/// A mapping with `ReportBatchItemFailures`, whose settings are changed further by `change`.
fn reporting(change: impl FnOnce(&mut Settings)) -> World {
    World::with(|with| {
        with.report_batch_item_failures = true;
        change(with);
    })
}

/// Delivers three records and answers with this response. Returns the records that are delivered next.
fn after(response: &str) -> (World, Vec<u64>) {
    let mut world = reporting(|_| {});
    world.put_some(3);
    world.end_one(Outcome::Returned(response.into()));
    let again = world.invoked();
    let again = again.iter().flat_map(numbers).collect();
    (world, again)
}

/// Fails unless the response means success.
fn succeeds(response: &str) -> World {
    let (world, again) = after(response);
    assert_eq!(again, [], "{response}");
    assert!(world.mapping.is_settled(), "{response}");
    world
}

/// Fails unless the response means that the whole batch failed.
fn fails(response: &str) -> World {
    let (world, again) = after(response);
    assert_eq!(again, [1, 2, 3], "{response}");
    world
}

#[test]
fn the_lowest_number_is_the_checkpoint() {
    let response = r#"{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":"2"}]}"#;
    let (mut world, again) = after(response);
    assert_eq!(again, [2, 3]);
    assert_eq!(crate::support::checkpoint(&world.outputs()), Some(1));
    world.proves(Rule::ReportLowest);
}

#[test]
fn numbers_are_compared_as_numbers() {
    let batch: Vec<SequenceNumber> = [8, 9, 10, 11].map(SequenceNumber::from).into();
    let batch: Vec<_> = batch.iter().collect();
    let response = br#"{"batchItemFailures":[{"itemIdentifier":"10"},{"itemIdentifier":"9"}]}"#;
    assert_eq!(
        judge(response, &batch),
        (Verdict::DoneBefore(1), Rule::ReportLowest)
    );
}

#[test]
fn an_empty_list_is_success() {
    succeeds(r#"{"batchItemFailures":[]}"#).proves(Rule::ReportEmptyList);
}

#[test]
fn no_list_is_success() {
    succeeds(r#"{"batchItemFailures":null}"#).proves(Rule::ReportNullList);
}

#[test]
fn nothing_is_success() {
    succeeds("{}").proves(Rule::ReportEmptyResponse);
    succeeds("").proves(Rule::ReportEmptyResponse);
    succeeds(" \n").proves(Rule::ReportEmptyResponse);
    succeeds("[]").proves(Rule::ReportEmptyResponse);
    succeeds("\"\"").proves(Rule::ReportEmptyResponse);
}

#[test]
fn null_is_success() {
    succeeds("null").proves(Rule::ReportNullResponse);
}

#[test]
fn a_list_by_another_name_is_success() {
    let response = r#"{"batchItemFailure":[{"itemIdentifier":"2"}]}"#;
    succeeds(response).proves(Rule::ReportListMisnamed);
}

#[test]
fn what_is_no_object_with_a_list_is_failure() {
    for response in [
        "ok",
        "\"ok\"",
        "[1]",
        "7",
        r#"{"batchItemFailures":{}}"#,
        r#"{"batchItemFailures":"2"}"#,
        r#"{"batchItemFailures":[}"#,
    ] {
        fails(response).proves(Rule::ReportMalformed);
    }
}

#[test]
fn an_empty_identifier_is_failure() {
    let response = r#"{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":""}]}"#;
    fails(response).proves(Rule::ReportEmptyIdentifier);
}

#[test]
fn no_identifier_is_failure() {
    let response = r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#;
    fails(response).proves(Rule::ReportNullIdentifier);
}

#[test]
fn an_identifier_by_another_name_is_failure() {
    for response in [
        r#"{"batchItemFailures":[{"sequenceNumber":"2"}]}"#,
        r#"{"batchItemFailures":[{}]}"#,
        r#"{"batchItemFailures":["2"]}"#,
    ] {
        fails(response).proves(Rule::ReportBadKey);
    }
}

#[test]
fn an_identifier_of_nothing_is_failure() {
    for response in [
        r#"{"batchItemFailures":[{"itemIdentifier":"4"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":"2"},{"itemIdentifier":"4"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":2}]}"#,
    ] {
        fails(response).proves(Rule::ReportUnknownIdentifier);
    }
}

#[test]
fn at_the_first_record_nothing_is_split_off() {
    let mut world = reporting(|with| {
        with.bisect_batch_on_function_error = true;
        with.maximum_retry_attempts = Some(1);
    });
    let put = world.put_some(4);
    assert_eq!(world.end_one(Outcome::failed_at([&put[0]])), [1, 2, 3, 4]);
    assert_eq!(world.end_one(Outcome::failed_at([&put[0]])), [1, 2, 3, 4]);
    assert_eq!(told(&world.outputs(), "discarded"), [1, 2, 3, 4]);
    world.proves(Rule::ReportFirstRecord);
}

/// A report that names the first record counts, and progress begins the count anew, with and without splitting.
#[test]
fn progress_begins_the_count_of_attempts_anew() {
    for bisect in [false, true] {
        let mut world = reporting(|with| {
            with.maximum_retry_attempts = Some(3);
            with.bisect_batch_on_function_error = bisect;
            with.on_failure = Some(Destination::Sqs);
        });
        let put = world.put_some(3);
        assert_eq!(world.end_one(Outcome::failed_at([&put[1]])), [1, 2, 3]);
        for _ in 0..4 {
            assert_eq!(world.end_one(Outcome::failed_at([&put[1]])), [2, 3]);
        }
        assert_eq!(world.invoked(), []);
        let outputs = world.outputs();
        assert_eq!(told(&outputs, "discarded"), [2, 3]);
        let sent = outputs.iter().find_map(|output| match output {
            Output::Sent(record) => Some(record.approximate_invoke_count),
            _ => None,
        });
        assert_eq!(sent, Some(4));
        world.proves(Rule::ReportCounts);
    }
}

#[test]
fn progress_needs_no_attempt() {
    let mut world = reporting(|with| with.maximum_retry_attempts = Some(0));
    let put = world.put_some(3);
    assert_eq!(world.end_one(Outcome::failed_at([&put[1]])), [1, 2, 3]);
    assert_eq!(world.end_one(Outcome::failed_at([&put[2]])), [2, 3]);
    assert_eq!(world.end_one(Outcome::failed_at([&put[2]])), [3]);
    assert_eq!(told(&world.outputs(), "discarded"), [3]);
    assert!(world.mapping.is_settled());
}

#[test]
fn an_error_is_no_report() {
    let mut world = reporting(|_| {});
    world.put_some(3);
    world.end_one(Outcome::FunctionError);
    assert_eq!(numbers(&world.one()), [1, 2, 3]);
    world.proves(Rule::ReportException);
}

#[test]
fn a_report_that_nobody_asked_for_is_success() {
    let mut world = World::new(settings());
    let put = world.put_some(3);
    world.end_one(Outcome::failed_at([&put[1]]));
    assert_eq!(world.invoked(), []);
    assert!(world.mapping.is_settled());
    world.proves(Rule::ReportOff);
}
