//! Tests of the whole function: it gets orders, and returns the progress of rebuilds.

#![cfg(test)]

use std::{fs, sync::Arc, time::Duration};

use alpes_ports::Clock;
use futures::executor::block_on;
use jiff::SignedDuration;
use lambda_runtime::Diagnostic;
use rebuilder::{Action, App, Done, Order};
use serde_json::json;
use twins::{ManualClock, Ports};
use wiring::Wiring;

struct Fixture {
    app: App,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        let (world, clock) = twins::world(1);
        let Ok(app) = App::new(&Wiring::new(Ports::new(world)));
        Self { app, clock }
    }

    fn order(&self, order: serde_json::Value) -> Result<Done, Diagnostic> {
        let order: Order = serde_json::from_value(order).unwrap();
        let deadline = self.clock.now() + SignedDuration::from_mins(15);
        block_on(self.app.handle(order, deadline)).map_err(Diagnostic::from)
    }
}

#[test]
fn it_says_how_far_it_is_and_when_to_ask_again() {
    let fixture = Fixture::new();
    let mut order = json!({ "view": "reservas" });
    let mut seen = vec![];
    loop {
        let done = fixture.order(order).unwrap();
        assert_eq!((done.view.as_str(), done.generation), ("reservas", 2));
        seen.push((done.phase.clone(), done.wait_seconds));
        if done.is_done {
            break;
        }
        fixture
            .clock
            .advance(Duration::from_secs(done.wait_seconds));
        order = json!({ "view": "reservas", "action": "resume", "seconds": 5 });
    }
    let expected = [("log", 10), ("retire", 30), ("drop", 90), ("done", 0)];
    assert_eq!(seen, expected.map(|(phase, wait)| (phase.to_owned(), wait)));
}

#[test]
fn what_cannot_go_on_is_told_apart() {
    let fixture = Fixture::new();
    let kind = |order| fixture.order(order).unwrap_err().error_type;
    assert_eq!(kind(json!({ "view": "totales" })), "RebuildFailed");
    assert_eq!(
        kind(json!({ "view": "reservas", "action": "resume" })),
        "NotRebuilding"
    );
    assert_eq!(
        kind(json!({ "view": "reservas", "action": "abandon" })),
        "NotRebuilding"
    );
    fixture.order(json!({ "view": "reservas" })).unwrap();
    let given_up = fixture.order(json!({ "view": "reservas", "action": "abandon" }));
    assert_eq!(given_up.unwrap().phase, "drop");
}

#[test]
fn the_samples_and_what_others_send_are_orders() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let mut samples = 0;
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap();
        serde_json::from_slice::<Order>(&text).unwrap();
        samples += 1;
    }
    assert_eq!(samples, 3);
    let sent: Order = serde_json::from_slice(&alpes_projections::rebuild_on("reservas")).unwrap();
    assert_eq!(
        sent,
        Order {
            view: "reservas".into(),
            action: Action::Resume,
            seconds: None,
        }
    );
    for bad in [
        json!({}),
        json!({ "view": "reservas", "action": "borrar" }),
        json!({ "view": "x", "otra": 1 }),
    ] {
        assert!(serde_json::from_value::<Order>(bad).is_err());
    }
}
