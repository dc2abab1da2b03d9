//! One idempotency key makes one reservation.

use std::{collections::BTreeSet, sync::Barrier};

use e2e::{Booked, Outcome, Stack, at_its_own_time, reservation, sample, unique};

const CLIENTS: usize = 50;

#[test]
fn one_key_makes_one_reservation_however_often_it_is_sent() {
    let stack = Stack::from_env();
    let key = unique("key");
    let headers = [("Idempotency-Key", key.as_str())];
    let journey = at_its_own_time(sample());
    let body = journey.to_string();
    let start = Barrier::new(CLIENTS);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let send = || {
            let api = stack.api.clone();
            start.wait();
            api.book(body.as_bytes(), &headers)
        };
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(send)).collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    let first = &answers[0];
    let id = reservation(first);
    for answer in &answers {
        assert_eq!(
            (answer.status, &answer.body),
            (first.status, &first.body),
            "{answer:?}"
        );
        for header in ["location", "x-correlacion"] {
            assert_eq!(answer.header(header), first.header(header));
        }
    }

    let mut other = journey.clone();
    other["id_cliente"] = "otra".into();
    stack
        .api
        .book(other.to_string().as_bytes(), &headers)
        .problem(422);

    let spaced = serde_json::to_string_pretty(&journey).unwrap();
    let again = stack.api.book(spaced.as_bytes(), &headers);
    assert_eq!(
        (again.status, &again.body),
        (first.status, &first.body),
        "the same request in another form"
    );

    assert_eq!(stack.outcome(Booked::from(first)), Outcome::APPROVED);
    let stream = stack.stream(id);
    assert_eq!(
        (stream.events.len(), stream.receipts.len()),
        (2, 2),
        "made once, and approved once by its saga"
    );
    // If a request finds the first request's commit before its append, it appends the events too. So the log may have
    // copies of the events, and nothing else.
    let log: BTreeSet<_> = stack.log_of(id).into_iter().collect();
    assert_eq!(log, stack.committed(id));

    let elsewhere = unique("key");
    let answer = stack
        .api
        .book(body.as_bytes(), &[("Idempotency-Key", &elsewhere)]);
    assert_ne!(reservation(&answer), id);
}
