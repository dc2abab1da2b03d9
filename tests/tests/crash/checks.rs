//! Checks after the crashes, beyond the agreement of sagas, seats, view, log and archive.

use std::collections::{BTreeMap, BTreeSet};

use alpes_messages::StreamId;
use alpes_ports::KeyRange;
use e2e::{Booked, Outcome, Stack, eventually};
use events::{CONTEXTS, GDS, IdReserva, PAGOS, VUELOS};
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use serde_json::json;
use views::analitica;

/// Checks the types of a reservation's events, in every context: each at most once, and those that its outcome needs.
pub fn events_agree(stack: &Stack, booked: Booked, outcome: Outcome) {
    let kinds = CONTEXTS.map(|context| (context, stack.kinds(StreamId::new(context, booked.id))));
    for (_, kinds) in &kinds {
        let once: BTreeSet<_> = kinds.iter().collect();
        assert_eq!(once.len(), kinds.len(), "{booked:?}: {kinds:?}");
    }
    let kinds = BTreeMap::from(kinds);
    let has = |context, kind: &str| kinds[&context].iter().any(|known| known == kind);
    assert_eq!(kinds[&VUELOS][0], "ReservaCreada", "{booked:?}");
    let told = (
        has(PAGOS, "ReservaPagada") && !has(PAGOS, "PagoRevertido"),
        has(GDS, "ReservaGDSConfirmada") && !has(GDS, "ConfirmacionGDSRevertida"),
    );
    let approved = outcome == Outcome::APPROVED;
    assert_eq!(told, (approved, approved), "{booked:?}: {kinds:?}");
    if outcome.refunds > 0 {
        assert!(has(PAGOS, "PagoRevertido"), "{booked:?}: {kinds:?}");
    }
}

/// Waits until the view of counters has each reservation once, in its state. The runtime must be this test's own.
pub fn counters_agree(stack: &Stack, outcomes: &[Outcome]) {
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for outcome in outcomes {
        *expected.entry(outcome.reserva).or_default() += 1;
    }
    let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
    let (from, to) = (today - 1.day(), today + 1.day());
    let generation = stack.live(analitica::NAME);
    eventually("the counters have each reservation once", || {
        let days = analitica::pivot(&*stack.tables, &generation, from, to);
        let mut found: BTreeMap<&str, u64> = BTreeMap::new();
        for (estado, count) in stack
            .wait(days)
            .unwrap()
            .into_iter()
            .flat_map(|dia| dia.cuentas)
        {
            *found.entry(estado.name()).or_default() += count;
        }
        (found == expected).then_some(())
    });
}

/// Waits until every approval and every cancellation is noted as announced.
pub fn notices_agree(stack: &Stack, booked: &[Booked]) {
    let news = |id: IdReserva| {
        let kinds = stack.kinds(StreamId::new(VUELOS, id)).into_iter();
        kinds
            .filter(|kind| ["ReservaAprobada", "ReservaCancelada"].contains(&kind.as_str()))
            .count()
    };
    let expected: BTreeMap<String, usize> = booked
        .iter()
        .map(|booked| (booked.id.to_string(), news(booked.id)))
        .collect();
    eventually("every approval and cancellation is announced", || {
        let mut noted: BTreeMap<String, usize> = BTreeMap::new();
        for (key, _) in stack.every_item(notices::TABLE) {
            *noted.entry(key.pk.clone()).or_default() += 1;
        }
        (noted == expected).then_some(())
    });
}

/// Waits until no record is parked, and no discarded batch waits to be parked. Returns how many records were parked at
/// first.
pub fn nothing_is_parked(stack: &Stack) -> usize {
    let left = || {
        let parked = stack.wait(stack.parking().list()).unwrap();
        let batches = stack.undelivered.list(KeyRange::new("", 1));
        (parked.len(), stack.wait(batches).unwrap().len())
    };
    let (parked, _) = left();
    eventually("nothing is parked", || {
        if left() == (0, 0) {
            return Some(());
        }
        stack.task(&json!({ "task": "parked" }));
        None
    });
    parked
}
