//! Batches with records that the handler always refuses.

#![cfg(test)]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use alpes_consumer::{
    Consumer, Group, Handler, Outcome, Parked, Parking, Reason, Redriven, Stop, Then,
};
use alpes_ports::{LogRecord, SequenceNumber, TableError};
use async_trait::async_trait;
use futures::executor::block_on;
use simulation::{Fault, Faults};
use toy::{Fact, loan, loans::LoanCancelled};
use twins::{MemoryTables, world};

/// Handles a group as a whole. The handler fails for a group with a version that it refuses (`refused`) or cannot
/// handle yet (`down`).
#[derive(Default)]
struct Whole {
    refused: Mutex<BTreeSet<u32>>,
    down: Mutex<BTreeSet<u32>>,
    taken: Mutex<BTreeSet<(String, u32)>>,
}

#[async_trait]
impl Handler<Fact> for Whole {
    async fn handle(&self, groups: &[Group<Fact>]) -> Vec<Result<(), Stop>> {
        groups.iter().map(|group| self.take(group)).collect()
    }
}

impl Whole {
    fn take(&self, group: &Group<Fact>) -> Result<(), Stop> {
        let has = |these: &Mutex<BTreeSet<u32>>| {
            let these = these.lock().unwrap();
            let mut versions = group.events.iter().map(|it| it.event.streamversion);
            versions.any(|version| these.contains(&version))
        };
        let place = group.events[0].place;
        if has(&self.down) {
            return Err(Stop::of(place, &TableError::Unavailable("down".into())));
        }
        if has(&self.refused) {
            return Err(Stop::of(place, &TableError::Refused("too large".into())));
        }
        let mut taken = self.taken.lock().unwrap();
        for incoming in &group.events {
            let subject = group.subject.to_string();
            taken.insert((subject, incoming.event.streamversion));
        }
        Ok(())
    }

    fn taken(&self) -> usize {
        self.taken.lock().unwrap().len()
    }
}

struct Bench {
    tables: Arc<MemoryTables>,
    handler: Whole,
}

impl Bench {
    fn new(refused: &[u32], down: &[u32]) -> Self {
        let handler = Whole::default();
        handler.refused.lock().unwrap().extend(refused);
        handler.down.lock().unwrap().extend(down);
        Self {
            tables: Arc::default(),
            handler,
        }
    }

    fn parking(&self, faults: &Faults) -> Parking {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        Parking::new(tables, world(1).0.clock, &toy::catalogue())
    }

    fn consume(&self, faults: &Faults) -> Outcome {
        block_on(
            Consumer {
                name: "consumer",
                catalogue: &toy::catalogue(),
                parking: &self.parking(faults),
                handler: &self.handler,
            }
            .consume(&batch()),
        )
    }

    fn redrive(&self, parked: &Parked) -> Redriven {
        let consumer = Consumer {
            name: "consumer",
            catalogue: &toy::catalogue(),
            parking: &self.parking(&Faults::none()),
            handler: &self.handler,
        };
        block_on(consumer.redrive(parked)).unwrap()
    }

    fn parked(&self) -> Vec<Parked> {
        block_on(self.parking(&Faults::none()).list()).unwrap()
    }
}

/// Versions 1 to 4 of one loan, and between them version 1 of another loan.
fn batch() -> Vec<LogRecord> {
    let order = [(1, 1), (1, 2), (2, 1), (1, 3), (1, 4)];
    let records = order.iter().enumerate().map(|(place, (number, version))| {
        let subject = loan(*number);
        LogRecord {
            shard: "shardId-000000000000".into(),
            sequence: SequenceNumber(format!("{place:03}")),
            partition_key: subject.to_string(),
            data: toy::event(
                LoanCancelled {
                    loan: subject,
                    reason: "x".into(),
                },
                *version,
            )
            .encode()
            .unwrap()
            .into_bytes(),
            arrived: world(1).0.clock.now(),
        }
    });
    records.collect()
}

#[test]
fn what_is_refused_for_good_is_parked_alone_and_what_comes_after_it_is_handled() {
    let bench = Bench::new(&[2, 3], &[]);
    let outcome = bench.consume(&Faults::none());
    assert_eq!((outcome.parked, outcome.failed), (2, None));
    assert_eq!(bench.handler.taken(), 3, "two of it, and the other one");
    let parked = bench.parked();
    let reasons: Vec<_> = parked.iter().map(|thing| thing.reason).collect();
    assert_eq!(reasons, [Reason::Permanent; 2]);
    // Another delivery parks no further record.
    assert_eq!(bench.consume(&Faults::none()).failed, None);
    assert_eq!(bench.parked().len(), 2);
    let refused = bench.redrive(&parked[0]);
    assert!(matches!(refused, Redriven::StillParked(why) if why.contains("too large")));
    bench.handler.refused.lock().unwrap().clear();
    for thing in bench.parked() {
        assert_eq!(bench.redrive(&thing), Redriven::Done);
    }
    assert_eq!((bench.handler.taken(), bench.parked()), (5, vec![]));
}

#[test]
fn what_does_not_answer_is_delivered_again_and_parks_nothing() {
    let bench = Bench::new(&[], &[2]);
    let outcome = bench.consume(&Faults::none());
    assert_eq!(outcome.parked, 0);
    assert_eq!(outcome.failed.unwrap().0, batch()[0].sequence);
    assert_eq!(bench.parked(), []);
    // The handler refuses version 1 of both loans, and cannot handle version 4 of the first loan yet.
    let bench = Bench::new(&[1], &[4]);
    let outcome = bench.consume(&Faults::none());
    assert_eq!(outcome.failed.unwrap().0, batch()[0].sequence);
    bench.handler.down.lock().unwrap().clear();
    let outcome = bench.consume(&Faults::none());
    assert_eq!((outcome.parked, outcome.failed), (2, None));
    assert_eq!(bench.handler.taken(), 3);
}

#[test]
fn what_cannot_be_parked_is_delivered_again() {
    for (version, first) in [(1, 0), (4, 4)] {
        let bench = Bench::new(&[version], &[]);
        let outcome = bench.consume(&Faults::once(0, Fault::FailBefore));
        let failed = outcome.failed.unwrap().0;
        // Both loans have a version 1, and the consumer may handle either loan first.
        assert!(failed == batch()[first].sequence || failed == batch()[2].sequence);
        let outcome = bench.consume(&Faults::none());
        assert_eq!(outcome.failed, None);
        assert_eq!(outcome.parked, bench.parked().len());
    }
}

#[test]
fn only_what_a_table_refuses_is_parked() {
    let refused = Then::from(&TableError::Refused("too large".into()));
    assert_eq!(refused, Then::Park(Reason::Permanent));
    let down = Then::from(&TableError::Unavailable("throttled".into()));
    assert_eq!(down, Then::Again);
}
