//! Checks that every part of the stack has the same reservations: sagas, money, seats, views, log and archive.

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
    time::Instant,
};

use alpes_event_store::{Beyond, Readings, Verification, verify};
use alpes_saga::Status;
use gds::inventory::Vuelo;
use serde_json::json;

use crate::{Booked, Order, Outcome, PATIENCE, Stack, eventually, flights, pause_after};

impl Stack {
    /// Resumes, as an operator does, the sagas that wait for a person because a compensation's participant died at
    /// every attempt. Returns the outcomes, and how many sagas were resumed.
    pub fn settled(&self, booked: &[Booked]) -> (Vec<Outcome>, usize) {
        let mut resumed = 0;
        let outcomes = eventually("nothing waits for an operator", || {
            let outcomes = self.outcomes(booked);
            let found = booked.iter().zip(&outcomes);
            let waiting: Vec<_> = found
                .filter(|(_, outcome)| outcome.saga == Status::NeedsIntervention)
                .map(|(booked, _)| booked)
                .collect();
            for booked in &waiting {
                let path = format!("/sagas/{}/reanudacion", booked.saga);
                self.api.send(&path, &json!({})).accepted();
            }
            resumed += waiting.len();
            waiting.is_empty().then_some(outcomes)
        });
        (outcomes, resumed)
    }

    /// Checks that every flight has as many seats taken as its approved reservations hold.
    pub fn seats_agree(&self, orders: &[Order], outcomes: &[Outcome]) {
        let mut held: BTreeMap<Vuelo, i64> = BTreeMap::new();
        for (order, outcome) in orders.iter().zip(outcomes) {
            for vuelo in flights(&order.body) {
                *held.entry(vuelo).or_default() += i64::from(*outcome == Outcome::APPROVED);
            }
        }
        for (vuelo, held) in held {
            assert_eq!(self.seats(&vuelo).held, held, "{vuelo}");
        }
    }

    /// Waits until the view has each reservation in its state.
    pub fn view_agrees(&self, booked: &[Booked], outcomes: &[Outcome]) {
        let start = Instant::now();
        for (booked, outcome) in booked.iter().zip(outcomes) {
            // Rows arrive in the order of shards and retries, so the time limit is for all of them together.
            loop {
                let look = Instant::now();
                let row = self.row(booked.id);
                if row.is_some_and(|row| row.get("estado") == Some(&outcome.reserva.into())) {
                    break;
                }
                assert!(
                    start.elapsed() < 4 * PATIENCE,
                    "the view does not have {} as {}",
                    booked.id,
                    outcome.reserva
                );
                thread::sleep(pause_after(look));
            }
        }
    }

    /// Checks that the log has every committed event, of these reservations and of all others on the stack.
    pub fn log_agrees(&self, booked: &[Booked]) {
        self.sweep();
        let mut logged: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
        for record in self.log() {
            let of = logged.entry(record.partition_key).or_default();
            of.insert(record.data);
        }
        for Booked { id, .. } in booked {
            assert_eq!(logged.get(&id.to_string()), Some(&self.committed(*id)));
        }
        let streams = self.streams();
        let verified = verify(&*self.tables, &*self.reader, &streams, None);
        let verified = self.wait(verified).unwrap();
        assert_eq!((verified.differences, verified.pending), (vec![], 0));
    }

    /// Waits until the archive has every event of these reservations too.
    pub fn archive_agrees(&self, booked: &[Booked]) {
        let ids: Vec<_> = booked.iter().map(|booked| booked.id).collect();
        let committed: BTreeMap<_, _> = ids
            .iter()
            .map(|id| (id.to_string(), self.committed(*id)))
            .collect();
        eventually("the archive has every committed event", || {
            let mut archived: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
            for record in self.archived(&ids) {
                let of = archived.entry(record.partition_key).or_default();
                of.insert(record.data);
            }
            (archived == committed).then_some(())
        });
    }

    /// Compares all event streams of the stack with the log and the archive, as `cargo xtask verify` does. The log must
    /// still keep every event.
    pub fn verified(&self) -> Verification {
        let mut archive = Readings::default();
        archive.add(&self.whole_archive(), &events::catalogue());
        let beyond = Beyond {
            kept_since: jiff::Timestamp::UNIX_EPOCH.into(),
            archive,
        };
        let streams = self.streams();
        let verified = verify(&*self.tables, &*self.reader, &streams, Some(beyond));
        self.wait(verified).unwrap()
    }
}
