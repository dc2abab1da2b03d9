//! Subscribers get notices of approvals and cancellations.

use std::collections::BTreeMap;

use alpes_messages::Event;
use alpes_ports::Notice;
use e2e::{Outcome, Stack, at_its_own_time, paid_with, sample, unique};
use events::IdReserva;
use serde_json::json;

use crate::{listener::Listener, poison::passed};

/// The expected notice of the last event in a reservation's event stream of vuelos.
fn last(stack: &Stack, id: IdReserva, kind: &str, estado: &str) -> Notice {
    let body = stack.stream(id).events.pop().unwrap();
    let event: Event = serde_json::from_str(&body).unwrap();
    let attributes = [
        ("estado", estado.to_owned()),
        ("id", event.id.to_string()),
        ("subject", id.to_string()),
        ("type", kind.to_owned()),
    ];
    Notice {
        id: String::new(),
        group: String::new(),
        attributes: BTreeMap::from(attributes.map(|(name, value)| (name.to_owned(), value))),
        body,
    }
}

#[test]
fn what_was_approved_and_what_was_cancelled_is_announced_once() {
    let stack = Stack::from_env();
    let keys = [unique("aprobada"), unique("cancelada")];
    let [approved, cancelled] = keys.each_ref().map(|key| stack.reservation_of(key));
    let ours = json!({ "subject": [approved, cancelled] });
    let topic = std::env::var("ALPES_NOTICES_TOPIC").unwrap();
    let listener = Listener::to(&stack, &topic, Some(&ours));

    let bodies =
        ["tok_visa", "tok_rechazada"].map(|medio| paid_with(at_its_own_time(sample()), medio));
    let booked = [0, 1].map(|place| stack.booked_as(&keys[place], &bodies[place]));
    assert_eq!(booked.map(|one| one.id), [approved, cancelled]);
    let outcomes = stack.outcomes(&booked);
    assert_eq!(outcomes, [Outcome::APPROVED, Outcome::NOT_CHARGED]);
    let mut heard = listener.hear(2);

    // Duplicates in the log are normal.
    for id in [approved, cancelled] {
        for text in stack.committed(id).iter().cycle().take(9) {
            stack.append(id, text);
        }
        passed(&stack, id);
    }
    heard.extend(listener.rest());
    let expected = [
        last(&stack, approved, "ReservaAprobada", "Aprobada"),
        last(&stack, cancelled, "ReservaCancelada", "Cancelada"),
    ];
    assert_eq!(listener.counted(heard), expected);
}
