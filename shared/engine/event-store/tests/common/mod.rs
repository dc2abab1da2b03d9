//! A test bench with the lending desk, whose rules are those of the toy domain's loans.

use std::ops::Deref;

use alpes_event_store::{HandleError, Handled, Stream};
use alpes_messages::{Command, StreamId, SubjectId};
use domain_kit::{StoreBench, insist};
use serde_json::{Value, json};
use simulation::Faults;
use toy::{Fact, LOANS, loan, loans::Desk};

/// The loan that most tests use.
pub fn seventh() -> SubjectId {
    loan(7)
}

pub fn command(id: u128, kind: &str, data: Value) -> Command {
    toy::command(id, kind, seventh(), data)
}

pub fn open(id: u128) -> Command {
    command(id, "OpenLoan", json!({}))
}

pub fn add(id: u128, count: u32) -> Command {
    command(id, "Remind", json!({ "count": count }))
}

pub fn undo(id: u128) -> Command {
    command(id, "CancelLoan", json!({}))
}

#[derive(Clone)]
pub struct Bench(StoreBench<Fact>);

impl Deref for Bench {
    type Target = StoreBench<Fact>;

    fn deref(&self) -> &StoreBench<Fact> {
        &self.0
    }
}

impl Bench {
    pub fn new() -> Self {
        Self(StoreBench::new(toy::catalogue()))
    }

    /// Sends a command to a process under `faults`; `None` if a fault killed the process.
    pub fn send(&self, faults: &Faults, command: &Command) -> Option<Result<Handled, HandleError>> {
        self.0.send(faults, &Desk, command)
    }

    /// Sends a command until it gets an answer.
    pub fn insist(&self, faults: &Faults, command: &Command) -> Handled {
        insist(faults, |faults| self.send(faults, command))
    }

    pub fn stream(&self) -> Stream {
        self.0.stream(StreamId::new(LOANS, seventh()))
    }

    /// True if the stream is in the sweeper's index.
    pub fn listed(&self) -> bool {
        self.tables
            .all(alpes_event_store::TABLE)
            .iter()
            .any(|(_, item)| item.contains_key("gsi1pk"))
    }

    /// Checks a bench on which no process runs: no event is lost, duplicated or unpublished.
    pub fn check(&self, committed: usize, context: &str) {
        let found = self.verify();
        assert_eq!(found.differences, [], "{context}");
        assert_eq!(
            (found.committed, found.in_log, found.pending),
            (committed, committed, 0),
            "{context}"
        );
        assert!(
            !self.listed(),
            "{context}: published, but still on the sweeper's list"
        );
        let stream = self.stream();
        let versions = stream.decode(&toy::catalogue(), 1, u32::MAX).unwrap();
        let versions: Vec<_> = versions
            .iter()
            .map(|stored| stored.event.streamversion)
            .collect();
        assert_eq!(
            versions,
            (1..=stream.version()).collect::<Vec<_>>(),
            "{context}"
        );
        assert_eq!(stream.published, stream.version(), "{context}");
    }
}
