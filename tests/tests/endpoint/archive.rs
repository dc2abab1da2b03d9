//! The archive has every record of the log, and keeps it beyond the log's retention.

use std::collections::{BTreeMap, BTreeSet};

use alpes_ports::{LogRecord, SequenceNumber};
use e2e::{Outcome, Stack, at_its_own_time, eventually, journeys, paid_with, sample};
use jiff::SignedDuration;
use serde_json::json;

const RESERVATIONS: usize = 8;

fn by_place(records: Vec<LogRecord>) -> BTreeMap<(String, String), LogRecord> {
    let mut places = BTreeMap::new();
    for record in records {
        let place = (record.shard.clone(), record.sequence.0.clone());
        if let Some(copy) = places.insert(place, record.clone()) {
            assert_eq!(copy, record, "copies in the archive are equal");
        }
    }
    places
}

#[test]
fn every_event_is_archived_as_it_was_committed() {
    let stack = Stack::from_env();
    let bodies = (0..).zip(journeys(RESERVATIONS));
    let booked: Vec<_> = bodies
        .map(|(number, body)| {
            let medio = if number % 3 == 0 {
                "tok_rechazada"
            } else {
                "tok_visa"
            };
            stack.booked(&paid_with(at_its_own_time(body), medio))
        })
        .collect();
    for (number, outcome) in stack.outcomes(&booked).into_iter().enumerate() {
        let expected = if number % 3 == 0 {
            Outcome::NOT_CHARGED
        } else {
            Outcome::APPROVED
        };
        stack.must_be(booked[number], outcome, expected);
    }
    let ids: Vec<_> = booked.iter().map(|booked| booked.id).collect();
    // A record that is no event is archived like any other.
    stack.append(ids[0], b"no event");
    stack.append(ids[0], json!({ "no": "event" }).to_string().as_bytes());

    let keys: BTreeSet<_> = ids.iter().map(ToString::to_string).collect();
    let of_ours = |record: &LogRecord| keys.contains(&record.partition_key);
    let log = by_place(stack.log().into_iter().filter(of_ours).collect());
    let archived = eventually("the archive has what the log has", || {
        let archived = by_place(stack.archived(&ids));
        (archived.len() >= log.len()).then_some(archived)
    });
    assert_eq!(
        archived.keys().collect::<Vec<_>>(),
        log.keys().collect::<Vec<_>>()
    );
    for (place, archived) in &archived {
        let logged = &log[place];
        assert_eq!(archived.data, logged.data, "{place:?}");
        assert_eq!(archived.partition_key, logged.partition_key);
        let apart = archived.arrived.duration_since(logged.arrived).abs();
        assert!(
            apart < SignedDuration::from_secs(1),
            "{archived:?} {logged:?}"
        );
    }
    let texts: BTreeSet<_> = archived.values().map(|record| &record.data).collect();
    for id in &ids {
        let committed = stack.committed(*id);
        assert!(committed.len() >= 3, "{committed:?}");
        assert!(committed.iter().all(|text| texts.contains(text)), "{id}");
    }
}

#[test]
fn coverage_tells_how_far_the_archive_is() {
    let stack = Stack::from_env();
    let id = stack.book(&at_its_own_time(sample()));
    let last = eventually("the event is archived", || {
        stack.archived(&[id]).into_iter().next_back()
    });
    let coverage = stack.wait(stack.archive.coverage()).unwrap();
    assert!(coverage.objects > 0);
    let (first_day, last_day) = coverage.days.unwrap();
    assert!(first_day <= last_day);
    let reach = &coverage.shards[&last.shard];
    // Arrival times need not ascend, and sequence numbers do.
    let place = |sequence: &SequenceNumber| (sequence.0.len(), sequence.0.clone());
    assert!(place(&reach.sequence) >= place(&last.sequence), "{reach:?}");
    // Reading the log after the archive's last record finds the rest.
    let after = alpes_ports::Position::After(reach.sequence.clone());
    let rest = stack.wait(stack.reader.read(&last.shard, &after)).unwrap();
    let again = |record: &LogRecord| record.sequence == reach.sequence;
    assert!(!rest.records.iter().any(again));
}
