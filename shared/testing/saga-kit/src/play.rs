//! The trait that a system implements to be tested by the kit.

use std::sync::Arc;

use alpes_ports::World;
use alpes_saga::{Definition, Fact, Participants, Rules, Saga, SagaId, StepNumber};
use async_trait::async_trait;
use simulation::Faults;
use twins::{ManualClock, MemoryLog, MemoryTables};

/// A fresh world for one run.
#[derive(Clone)]
pub struct Setting {
    /// The tables of the sagas and of the participants.
    pub tables: Arc<MemoryTables>,
    /// The log.
    pub log: Arc<MemoryLog>,
    /// Time, ids, randomness and waiting.
    pub world: World,
    /// The clock of `world`. Tests advance it.
    pub clock: Arc<ManualClock>,
    /// The planned faults. A participant's own effects go through these faults, so that they can fail too.
    pub faults: Faults,
}

/// A system with one kind of saga.
#[async_trait]
pub trait Play: Send + Sync {
    /// The definition of the saga under test.
    fn definition(&self) -> Definition;

    /// The participants that do the steps. The command of the step `fails_at` must end with that step's failure event.
    fn participants(
        &self,
        setting: &Setting,
        fails_at: Option<StepNumber>,
    ) -> Arc<dyn Participants>;

    /// Does the first step: its event opens the saga. No fault happens here.
    async fn open(&self, setting: &Setting, fails_at: Option<StepNumber>) -> (SagaId, Fact);

    /// All events that the log has so far, in its order, with or without duplicates.
    async fn facts(&self, setting: &Setting) -> Vec<Fact>;

    /// Does work beside the saga, as a sweeper does. No fault happens here.
    async fn tick(&self, _setting: &Setting) {}

    /// The violations of the system's own rules, in words. The kit calls this method when the saga has ended, and again
    /// after it has delivered late and repeated messages.
    async fn check(&self, setting: &Setting, saga: &Saga) -> Vec<String>;

    /// The rules of the engine. Override this method only to plant a mistake.
    fn rules(&self) -> Arc<Rules> {
        Arc::new(alpes_saga::transition)
    }

    /// The connection between engine and participants, and the engine's tables. Override this method only to plant a
    /// mistake.
    fn tamper(
        &self,
        tables: Arc<dyn alpes_ports::Tables>,
        line: Arc<dyn Participants>,
    ) -> (Arc<dyn alpes_ports::Tables>, Arc<dyn Participants>) {
        (tables, line)
    }
}
