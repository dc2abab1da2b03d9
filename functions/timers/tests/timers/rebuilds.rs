//! Tests of the task `rebuilds`, which continues rebuilds whose caller stopped.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use alpes_archive::Archive;
use alpes_event_store::StreamReader;
use alpes_projections::{Projector, REBUILDER, Rebuilder};
use futures::executor::block_on;
use serde_json::Value;
use timers::Done;
use twins::MemoryLog;

use crate::support::Fixture;

const TASK: &str = include_str!("../../events/rebuilds.json");

/// Begins a rebuild.
fn begin(fixture: &Fixture, view: &str) {
    let tables = fixture.tables.clone();
    let reader = StreamReader::new(tables.clone(), events::catalogue());
    let world = fixture.world.clone();
    let rebuilder = Rebuilder {
        projector: Projector::new(tables, reader, world.clone(), views::registry()),
        archive: Archive::new(fixture.objects.clone()),
        log: Arc::new(MemoryLog::new(1, world.clock)),
    };
    block_on(rebuilder.run(view, Duration::ZERO)).unwrap();
}

fn goes_on(views: &[&'static str]) -> Done {
    Done::Rebuilds {
        views: views.to_vec(),
    }
}

#[test]
fn a_rebuild_that_nobody_runs_goes_on() {
    let fixture = Fixture::new();
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let orders = asked.clone();
    fixture.functions.deploy(REBUILDER, move |payload| {
        orders
            .lock()
            .unwrap()
            .push(serde_json::from_slice(&payload).unwrap());
        async { Ok(b"{}".to_vec()) }
    });
    assert_eq!(fixture.handle(TASK), Ok(goes_on(&[])));
    begin(&fixture, "analitica");
    assert_eq!(fixture.handle(TASK), Ok(goes_on(&[])), "somebody runs it");
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(fixture.handle(TASK), Ok(goes_on(&["analitica"])));
    for started in fixture.functions.take_started() {
        block_on(started);
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["view"], "analitica");
    assert_eq!(asked[0]["action"], "resume", "it begins none");
}

#[test]
fn a_rebuilder_that_cannot_be_started_fails_the_task() {
    let fixture = Fixture::new();
    begin(&fixture, "reservas");
    fixture.clock.advance(Duration::from_secs(61));
    assert!(fixture.handle(TASK).is_err());
}
