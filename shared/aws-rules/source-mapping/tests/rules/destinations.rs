use source_mapping::{
    Choice, Condition, Destination, DestinationRecord, Outcome, Output, Rule, Settings,
};

use crate::support::{BEGIN, SHARD, World, numbers, seconds, settings, told};

fn to(destination: Destination) -> Settings {
    Settings {
        on_failure: Some(destination),
        maximum_retry_attempts: Some(1),
        ..settings()
    }
}

fn sent(world: &mut World) -> Vec<DestinationRecord> {
    let outputs = world.outputs();
    let sent = outputs.into_iter().filter_map(|output| match output {
        Output::Sent(record) => Some(record),
        _ => None,
    });
    sent.collect()
}

/// Discards a batch of two records that arrived a second apart.
fn discarded(settings: Settings) -> (World, DestinationRecord) {
    let mut world = World::new(Settings {
        batching_window: seconds(5),
        ..settings
    });
    world.put("key", b"{}");
    world.wait(seconds(1));
    world.put("key", b"{}");
    world.wait(seconds(4));
    world.end_one(Outcome::FunctionError);
    world.end_one(Outcome::FunctionError);
    let mut sent = sent(&mut world);
    assert_eq!(sent.len(), 1);
    (world, sent.remove(0))
}

#[test]
fn a_queue_is_told_of_the_batch() {
    for destination in [Destination::Sqs, Destination::Sns] {
        let (world, record) = discarded(to(destination));
        assert_eq!(record.destination, destination);
        assert_eq!(record.shard, SHARD.into());
        assert_eq!(record.start_sequence_number, 1.into());
        assert_eq!(record.end_sequence_number, 2.into());
        assert_eq!(record.first_arrival, BEGIN);
        assert_eq!(record.last_arrival, BEGIN.plus(seconds(1)));
        assert_eq!((record.batch_size, record.approximate_invoke_count), (2, 2));
        assert_eq!(record.function_failed, Some(true));
        assert_eq!(record.payload, None);
        world.proves(Rule::DestinationMetadata);
    }
}

#[test]
fn what_is_sent_is_written_as_lambda_writes_it() {
    let (_, record) = discarded(to(Destination::Sqs));
    let written = concat!(
        r#"{"requestContext":{"requestId":"00000000-0000-4000-8000-000000000002","#,
        r#""functionArn":"arn:aws:lambda:us-east-1:123456789012:function:function","#,
        r#""condition":"RetryAttemptsExhausted","approximateInvokeCount":2},"#,
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},"#,
        r#""version":"1.0","timestamp":"2019-11-14T00:38:11.000Z","KinesisBatchInfo":{"#,
        r#""shardId":"shardId-000000000000","startSequenceNumber":"1","endSequenceNumber":"2","#,
        r#""approximateArrivalOfFirstRecord":"2019-11-14T00:38:06.000Z","#,
        r#""approximateArrivalOfLastRecord":"2019-11-14T00:38:07.000Z","batchSize":2,"#,
        r#""streamArn":"arn:aws:kinesis:us-east-1:123456789012:stream/stream"}}"#,
    );
    assert_eq!(record.to_json(), written);
}

#[test]
fn a_bucket_is_given_the_event_too() {
    let (world, record) = discarded(to(Destination::S3));
    let event = record.payload.clone().unwrap();
    assert!(event.starts_with("{\"Records\":[{\"kinesis\":{"));
    assert_eq!(event.matches("\"eventID\"").count(), 2);
    let written = record.to_json();
    assert!(written.contains(",\"payload\":\"{\\\"Records\\\":["));
    world.proves(Rule::DestinationPayload);
}

#[test]
fn the_condition_says_why() {
    let (world, record) = discarded(to(Destination::Sqs));
    assert_eq!(record.condition, Condition::RetryAttemptsExhausted);
    world.proves(Rule::DestinationCondition);

    let mut world = World::new(Settings {
        maximum_record_age: Some(seconds(60)),
        ..to(Destination::Sqs)
    });
    world.wait(seconds(1));
    let first = world.put("key", b"{}");
    world.wait(seconds(1));
    world.put("key", b"{}");
    assert_eq!(numbers(&world.one()), [1]);
    world.lose_lease(false);
    world.one();
    world.choose(Choice::PollDelay, |_| 999);
    world.wait(seconds(80));
    world.lose_lease(false);
    world.wait(seconds(1));
    let record = sent(&mut world).remove(0);
    assert_eq!(record.condition, Condition::RecordAgeExceeded);
    assert_eq!(record.start_sequence_number, first);
    assert_eq!((record.function_failed, record.invocation), (None, None));
    assert!(!record.to_json().contains("responseContext"));
}

#[test]
fn the_report_on_records_that_grew_too_old_tells_of_no_response() {
    let aged = || {
        World::new(Settings {
            maximum_record_age: Some(seconds(60)),
            ..to(Destination::Sqs)
        })
    };
    // The function failed before the record grew too old.
    let mut failed = aged();
    failed.put("key", b"{}");
    let first = failed.one();
    failed.wait(seconds(61));
    failed.end(&first, Outcome::FunctionError);
    // The record was throttled until it grew too old, so it was never delivered.
    let mut throttled = aged();
    throttled.put("key", b"{}");
    let first = throttled.one();
    throttled.wait(seconds(61));
    throttled.end(&first, Outcome::Throttled);
    for mut world in [failed, throttled] {
        let record = sent(&mut world).remove(0);
        assert_eq!(record.condition, Condition::RecordAgeExceeded);
        assert_eq!(
            (record.approximate_invoke_count, record.function_failed),
            (1, None)
        );
        assert!(!record.to_json().contains("responseContext"));
    }
}

#[test]
fn the_report_names_alias_and_version() {
    let mut settings = to(Destination::Sqs);
    settings.names.function_arn.push_str(":live");
    settings.names.executed_version = "7".to_owned();
    let (_, record) = discarded(settings);
    let json = record.to_json();
    assert!(json.contains(
        r#""functionArn":"arn:aws:lambda:us-east-1:123456789012:function:function:live""#
    ));
    assert!(json.contains(r#""executedVersion":"7""#));
}

#[test]
fn a_function_that_reported_did_not_fail() {
    let mut world = World::new(Settings {
        report_batch_item_failures: true,
        ..to(Destination::Sqs)
    });
    let put = world.put("key", b"{}");
    world.end_one(Outcome::failed_at([&put]));
    world.end_one(Outcome::failed_at([&put]));
    let record = sent(&mut world).remove(0);
    assert_eq!(record.function_failed, Some(false));
    let response =
        r#""responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":null}"#;
    assert!(record.to_json().contains(response));
}

#[test]
fn without_a_destination_nobody_is_told() {
    let mut world = World::with(|with| with.maximum_retry_attempts = Some(0));
    world.put("key", b"{}");
    world.end_one(Outcome::FunctionError);
    let outputs = world.outputs();
    assert_eq!(told(&outputs, "discarded"), [1]);
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Sent(_)))
    );
    world.proves(Rule::DestinationNone);
}

/// Splits a batch of four into single records, which end as `ends` says. Returns the reports.
fn parts(consolidate: bool, ends: [bool; 4]) -> (World, Vec<(u64, u64, usize)>) {
    let mut world = World::new(Settings {
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(0),
        ..to(Destination::S3)
    });
    world.choose(Choice::Consolidate, move |_| u64::from(consolidate));
    world.put_some(4);
    let mut ends = ends.into_iter();
    while let Some(one) = world.invoked().pop() {
        let fails = one.records.len() > 1 || ends.next().unwrap();
        let outcome = if fails {
            Outcome::FunctionError
        } else {
            Outcome::done()
        };
        world.end(&one, outcome);
    }
    let sent = sent(&mut world);
    let number = |sequence: &source_mapping::SequenceNumber| sequence.as_str().parse().unwrap();
    let sent = sent.iter().map(|record| {
        let payload = record.payload.as_ref().unwrap();
        assert_eq!(payload.matches("\"eventID\"").count(), record.batch_size);
        let (start, end) = (&record.start_sequence_number, &record.end_sequence_number);
        (number(start), number(end), record.batch_size)
    });
    let sent = sent.collect();
    (world, sent)
}

#[test]
fn parts_may_be_told_of_as_one() {
    let (world, sent) = parts(true, [true, true, false, true]);
    assert_eq!(sent, [(1, 2, 2), (4, 4, 1)]);
    world.proves(Rule::DestinationConsolidated);
    let (_, sent) = parts(true, [true; 4]);
    assert_eq!(sent, [(1, 4, 4)]);
    let (_, sent) = parts(false, [true, true, false, true]);
    assert_eq!(sent, [(1, 1, 1), (2, 2, 1), (4, 4, 1)]);
}

#[test]
fn word_that_waits_is_sent_when_the_shard_is_given_up() {
    let mut world = World::new(Settings {
        bisect_batch_on_function_error: true,
        maximum_retry_attempts: Some(0),
        ..to(Destination::Sqs)
    });
    world.choose(Choice::Consolidate, |_| 1);
    world.put_some(2);
    world.end_one(Outcome::FunctionError);
    world.end_one(Outcome::FunctionError);
    assert_eq!(sent(&mut world), []);
    world.lose_lease(false);
    assert_eq!(sent(&mut world).len(), 1);
}
