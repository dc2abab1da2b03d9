//! AWS's quotas on the partitions of tables and indexes.
//!
//! An operation is executed first and weighed then, because an update's size, and the partitions of an index that it
//! changes, are known only afterwards. If a partition is starved, the operation is rolled back and refused. So a
//! refused operation has changed nothing, and a request with a mistake gets the error of its mistake.
//!
//! Single operations, batches and transactions are limited. `PartiQL` statements and vector searches are not.

mod batches;
mod reads;
mod refusal;
mod scale;
mod writes;

use std::sync::{Arc, Mutex};

use quotas::{Access, Charge, Partitions};

pub(super) use self::{
    batches::add_keys,
    reads::{get_item, query, scan, transact_get},
    writes::OwnedItem,
};
use self::{refusal::Refusal, scale::Table};
use super::Answer;
use crate::{
    throttling::{Throttling, Work},
    waiting::lock,
};

/// A partition: a table, or an index of it, and the value of its partition key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PartitionId {
    table: String,
    index: Option<String>,
    value: String,
}

/// What an operation costs, in all partitions that it touches.
#[derive(Default)]
pub(super) struct Load {
    /// True if the table is on demand. Refusals of other tables have another code.
    on_demand: bool,
    charges: Vec<Charge<PartitionId>>,
}

/// The partitions of all tables and indexes.
///
/// Lock it after the storage, so that operations are charged in the order in which they are executed.
pub(super) struct Quota {
    throttling: Arc<Throttling>,
    partitions: Mutex<Partitions<PartitionId>>,
}

impl Quota {
    pub fn new(throttling: Arc<Throttling>) -> Self {
        Self {
            throttling,
            partitions: Mutex::default(),
        }
    }

    /// Charges an operation, or refuses it.
    fn spend(&self, load: &Load) -> Result<(), Refusal> {
        let mut partitions = lock(&self.partitions);
        let now = self.throttling.now();
        let starved = partitions.starved(now, &load.charges);
        if let Some(refusal) = Refusal::of(load.on_demand, &starved) {
            self.note(&refusal);
            return Err(refusal);
        }
        partitions.charge(now, &load.charges);
        Ok(())
    }

    /// Charges all operations, or none. The error has a place for each operation: its refusal, if its own partitions
    /// are starved.
    fn spend_all(&self, loads: &[Load]) -> Result<(), Vec<Option<Refusal>>> {
        let mut partitions = lock(&self.partitions);
        let now = self.throttling.now();
        let refusals = loads.iter().map(|load| {
            let starved = partitions.starved(now, &load.charges);
            Refusal::of(load.on_demand, &starved)
        });
        let refusals: Vec<_> = refusals.collect();
        if refusals.iter().all(Option::is_none) {
            for load in loads {
                partitions.charge(now, &load.charges);
            }
            return Ok(());
        }
        for refusal in refusals.iter().flatten() {
            self.note(refusal);
        }
        Err(refusals)
    }

    /// Gives back what was charged for an operation that failed.
    fn refund(&self, load: &Load) {
        let mut partitions = lock(&self.partitions);
        let now = self.throttling.now();
        partitions.refund(now, &load.charges);
    }

    fn note(&self, refusal: &Refusal) {
        for starved in refusal.starved() {
            let work = match starved.access {
                Access::Read => Work::Reads,
                Access::Write => Work::Writes,
            };
            self.throttling.note(starved.resource(), work);
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        refusal.answer()
    }
}
