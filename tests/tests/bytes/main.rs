//! Records that are not UTF-8, from end to end.
//!
//! This is a program of its own: LocalStack's filters lose every record that they poll together with a record that is
//! not UTF-8, so participants of other tests would miss events. AWS and the local runtime lose nothing.
#![cfg(test)]

use alpes_consumer::Reason;
use e2e::{Outcome, PARKING, Stack, at_its_own_time, by_choreography, eventually, sample, unique};
use serde_json::json;

/// All of this is one test, so that no other test's records are polled together with the records of this test.
#[test]
fn bytes_are_kept_as_they_are_and_hold_up_nothing() {
    let stack = Stack::from_env();
    stack.wait(twins::suite::log(
        &*stack.log,
        &*stack.reader,
        &unique("suite"),
    ));
    bad_records_are_parked_whole_and_hold_up_nothing(&stack);
    let booked = stack.booked(&by_choreography(at_its_own_time(sample())));
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
}

fn bad_records_are_parked_whole_and_hold_up_nothing(stack: &Stack) {
    // All records have one key, so they are in one shard, with bad ones between good ones.
    let booked = stack.booked(&at_its_own_time(sample()));
    let id = booked.id;
    let broken = [
        b"\xff\xfe\x00{\"specversion\": ".as_slice(),
        id.to_string().as_bytes(),
    ]
    .concat();
    // These bytes are more than an item of a table can hold.
    let large = vec![0x80; 600 * 1024];
    let unknown = json!({
        "specversion": "1.0",
        "id": id.to_string(),
        "source": "/aeroalpes/hoteles",
        "type": "HabitacionReservada",
        "subject": id.to_string(),
        "time": "2026-01-31T10:00:00.000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:aeroalpes:esquema:hoteles:HabitacionReservada:v1",
        "stream": format!("hotel-{id}"),
        "streamversion": 1,
        "correlationid": id.to_string(),
        "causationid": id.to_string(),
        "data": { "noches": 2 },
    });
    let unknown = unknown.to_string().into_bytes();
    for bad in [&broken, &unknown, &large] {
        stack.append(id, bad);
    }
    let after = stack.booked(&at_its_own_time(sample()));
    assert_eq!(stack.outcome(booked), Outcome::APPROVED);
    stack.api.cancel(id, &json!({})).accepted();
    assert_eq!(stack.outcome(booked), Outcome::REFUNDED);
    assert_eq!(stack.outcome(after), Outcome::APPROVED);
    let parked = eventually("the bad records are parked", || {
        Some(stack.parked(id)).filter(|parked| parked.len() >= 3 * PARKING.len())
    });
    let mut found: Vec<_> = parked
        .iter()
        .map(|(parked, data)| (&*parked.owner, parked.reason, data))
        .collect();
    found.sort_by_key(|(owner, _, data)| (data.len(), *owner));
    let expected = [
        (Reason::Undecodable, &broken),
        (Reason::UnknownType, &unknown),
        (Reason::Undecodable, &large),
    ];
    let by_each = |(reason, data)| PARKING.map(|owner| (owner, reason, data));
    let expected: Vec<_> = expected.into_iter().flat_map(by_each).collect();
    assert!(
        found == expected,
        "each once, with its bytes: {:?}",
        parked.iter().map(|(parked, _)| parked).collect::<Vec<_>>()
    );
    eventually("the bad records are archived, with their bytes", || {
        let archived = stack.archived(&[id]);
        let has = |bad: &Vec<u8>| archived.iter().any(|record| record.data == *bad);
        [&broken, &unknown, &large]
            .into_iter()
            .all(has)
            .then_some(())
    });
    stack.forget(&parked);
}
