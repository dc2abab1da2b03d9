//! Makes many reservations at once, then reads them with every filter of lists.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use alpes_event_store::{Difference, verify};
use alpes_messages::{Event, StreamId};
use e2e::{
    Booked, Outcome, PATIENCE, Stack, amount, at_its_own_time, journeys, paid_with, pause_after,
    side_by_side, unique,
};
use events::{CONTEXTS, IdReserva};
use serde_json::json;

const CUSTOMERS: usize = 50;
const SENDERS: usize = 8;
const DECLINED_ONE_IN: usize = 5;
const CANCELLED_ONE_IN: usize = 7;
const PAGE: usize = 7;
const LARGEST_PAGE: usize = 100;
/// The number of clients whose lists by client and state are read too.
const BY_BOTH: usize = 10;
const STATES: [&str; 4] = ["Pendiente", "Pagada", "Aprobada", "Cancelada"];

/// The expected rows.
struct Expected {
    client: String,
    outcome: Outcome,
}

type Made = BTreeMap<IdReserva, Expected>;

#[test]
fn many_reservations_are_each_once_in_the_view_and_in_the_log() {
    let stack = Stack::from_env();
    let count = amount("ALPES_E2E_VOLUME", 100);
    // A client can have at most 20 unpaid reservations, so more reservations have more clients.
    let customers = CUSTOMERS.max(count.div_ceil(10));
    let clients: Vec<_> = (0..customers).map(|_| unique("volume")).collect();
    let clock = Instant::now();
    let booked = book(&stack, count, &clients);
    println!("{count} accepted after {:?}", clock.elapsed());
    let made = settle(&stack, &booked, &clients);
    println!("sagas ended, some cancelled, after {:?}", clock.elapsed());
    catch_up(&stack, &made, &clients);
    println!("all in the view after {:?}", clock.elapsed());
    in_the_log_once(&stack, &made);
    println!("all in the log after {:?}", clock.elapsed());
    listed(&stack, &made, &clients);
    println!("listed with every filter after {:?}", clock.elapsed());
}

/// Posts the reservations from several threads. Reservation `n` is of client `n`, modulo their number.
fn book(stack: &Stack, count: usize, clients: &[String]) -> Vec<Booked> {
    let bodies = journeys(count).into_iter().enumerate();
    let bodies: Vec<_> = bodies
        .map(|(number, body)| {
            let mut body = at_its_own_time(body);
            if number.is_multiple_of(DECLINED_ONE_IN) {
                body = paid_with(body, "tok_rechazada");
            }
            body["id_cliente"] = clients[number % clients.len()].clone().into();
            body
        })
        .collect();
    side_by_side(SENDERS, &bodies, |body| stack.booked(body))
}

/// Waits until every saga has ended, and checks that every fifth payment was declined. Then cancels every seventh
/// reservation that was approved.
fn settle(stack: &Stack, booked: &[Booked], clients: &[String]) -> Made {
    let outcomes = stack.outcomes(booked);
    for (number, outcome) in outcomes.iter().enumerate() {
        let expected = if number.is_multiple_of(DECLINED_ONE_IN) {
            Outcome::NOT_CHARGED
        } else {
            Outcome::APPROVED
        };
        stack.must_be(booked[number], *outcome, expected);
    }
    let approved = |number: usize| outcomes[number] == Outcome::APPROVED;
    let cancelled: Vec<_> = booked
        .iter()
        .enumerate()
        .filter(|(number, _)| number.is_multiple_of(CANCELLED_ONE_IN) && approved(*number))
        .map(|(_, booked)| *booked)
        .collect();
    for booked in &cancelled {
        stack.api.cancel(booked.id, &json!({})).accepted();
    }
    let outcomes = stack.outcomes(booked);
    let settled = booked.iter().zip(outcomes).enumerate();
    let made: Made = settled
        .map(|(number, (one, outcome))| {
            if cancelled.contains(one) {
                assert_eq!(outcome, Outcome::REFUNDED, "{one:?}");
            }
            let client = clients[number % clients.len()].clone();
            (one.id, Expected { client, outcome })
        })
        .collect();
    assert_eq!(made.len(), booked.len(), "each is a new reservation");
    made
}

/// Waits until the view has all reservations in their states, as long as the view makes progress.
fn catch_up(stack: &Stack, made: &Made, clients: &[String]) {
    let mut behind: Vec<&String> = clients.iter().collect();
    let (mut last, mut since) = ((0, 0), Instant::now());
    while !behind.is_empty() {
        let (look, mut right) = (Instant::now(), 0);
        behind.retain(|client| {
            let wanted = made.values().filter(|expected| expected.client == **client);
            let seen = stack
                .api
                .list(&format!("&id_cliente={client}"), LARGEST_PAGE, None);
            let seen = seen.iter().filter(|reserva| {
                let id = reserva["id_reserva"].as_str().unwrap().parse().unwrap();
                reserva["estado"] == made[&id].outcome.reserva
            });
            let seen = seen.count();
            right += seen;
            seen < wanted.count()
        });
        if last != (behind.len(), right) {
            (last, since) = ((behind.len(), right), Instant::now());
        }
        assert!(
            since.elapsed() < PATIENCE,
            "the view makes no progress, and lacks rows of {} clients",
            behind.len()
        );
        std::thread::sleep(pause_after(look));
    }
}

fn in_the_log_once(stack: &Stack, made: &Made) {
    let ids: Vec<_> = made
        .keys()
        .flat_map(|id| CONTEXTS.map(|context| StreamId::new(context, *id)))
        .collect();
    let streams = stack.published(&ids);
    let keys: BTreeSet<String> = made.keys().map(ToString::to_string).collect();
    let mut found: BTreeMap<StreamId, BTreeMap<u32, Vec<u8>>> = BTreeMap::new();
    for record in stack.log() {
        if !keys.contains(&record.partition_key) {
            continue;
        }
        let event: Event = serde_json::from_slice(&record.data).unwrap();
        let versions = found.entry(event.stream).or_default();
        let copy = versions.insert(event.streamversion, record.data.clone());
        assert!(
            copy.is_none_or(|copy| copy == record.data),
            "copies are equal"
        );
    }
    let streams = streams.into_iter().filter(|stream| stream.version() > 0);
    let committed: BTreeMap<_, _> = streams
        .map(|stream| {
            let texts = stream.events.into_iter().map(String::into_bytes);
            (stream.id, (1..).zip(texts).collect())
        })
        .collect();
    assert!(found == committed, "the log has every committed event");
    let streams = stack.streams();
    let verification = verify(&*stack.tables, &*stack.reader, &streams, None);
    let verification = stack.wait(verification).unwrap();
    let ours = verification
        .differences
        .iter()
        .filter(|difference| made.contains_key(&difference.stream().id));
    assert_eq!(
        ours.collect::<Vec<_>>(),
        [&Difference::Missing(ids[0], 0); 0]
    );
}

/// Lists by client, by state, by both and by neither, with small pages.
fn listed(stack: &Stack, made: &Made, clients: &[String]) {
    let check = |filter: &str, client: Option<&str>, estado: Option<&str>| {
        let wanted = |expected: &&Expected| {
            client.is_none_or(|client| expected.client == client)
                && estado.is_none_or(|estado| expected.outcome.reserva == estado)
        };
        let ids: BTreeSet<_> = made
            .iter()
            .filter(|(_, expected)| wanted(expected))
            .map(|(id, _)| *id)
            .collect();
        // A list without a client has other tests' reservations too, so it is read only up to the oldest reservation of
        // this test. Its pages are larger, because emulators read the whole index for each page.
        let only = client.is_none().then_some(&ids);
        let limit = match only {
            Some(_) => (made.len() / 20).clamp(PAGE, LARGEST_PAGE),
            None => PAGE,
        };
        let seen = stack.api.list(filter, limit, only);
        let seen: Vec<IdReserva> = seen
            .iter()
            .inspect(|reserva| {
                assert!(estado.is_none_or(|estado| reserva["estado"] == estado));
                assert!(client.is_none_or(|client| reserva["id_cliente"] == client));
            })
            .map(|reserva| reserva["id_reserva"].as_str().unwrap().parse().unwrap())
            .filter(|id| made.contains_key(id))
            .collect();
        assert_eq!(seen.len(), ids.len(), "{filter}");
        assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), ids, "{filter}");
    };
    for (number, client) in clients.iter().enumerate() {
        let filter = format!("&id_cliente={client}");
        check(&filter, Some(client), None);
        for estado in STATES.into_iter().filter(|_| number < BY_BOTH) {
            check(
                &format!("{filter}&estado={estado}"),
                Some(client),
                Some(estado),
            );
        }
    }
    for estado in STATES {
        check(&format!("&estado={estado}"), None, Some(estado));
    }
    check("", None, None);
}
