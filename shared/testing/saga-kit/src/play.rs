//! What the kit asks of a system.

use std::sync::Arc;

use alpes_ports::World;
use alpes_saga::{Definition, Fact, Participants, Rules, Saga, SagaId, StepNumber};
use async_trait::async_trait;
use simulation::Faults;
use twins::{ManualClock, MemoryLog, MemoryTables};

/// A fresh world for one run.
#[derive(Clone)]
pub struct Setting {
    /// The tables, of the sagas and of the participants.
    pub tables: Arc<MemoryTables>,
    /// The log.
    pub log: Arc<MemoryLog>,
    /// Time, chance and waiting.
    pub world: World,
    /// The clock of it.
    pub clock: Arc<ManualClock>,
    /// What fails. A participant's own effects go through it, so that they can fail too.
    pub faults: Faults,
}

/// A system with one kind of saga.
#[async_trait]
pub trait Play: Send + Sync {
    /// What is played.
    fn definition(&self) -> Definition;

    /// Those who do the steps. `fails_at` is the step whose command is to come out as its failure.
    fn participants(
        &self,
        setting: &Setting,
        fails_at: Option<StepNumber>,
    ) -> Arc<dyn Participants>;

    /// Does the first step: its event opens the saga. Nothing fails here.
    async fn open(&self, setting: &Setting, fails_at: Option<StepNumber>) -> (SagaId, Fact);

    /// All that has come out of the log so far, in its order; duplicates are welcome.
    async fn facts(&self, setting: &Setting) -> Vec<Fact>;

    /// What goes on by itself beside the saga, as a sweeper does. Nothing fails here.
    async fn tick(&self, _setting: &Setting) {}

    /// What does not hold of the world though it must, in words, now that the saga has come to rest. Called with the saga ended.
    async fn check(&self, setting: &Setting, saga: &Saga) -> Vec<String>;

    /// The rules of the engine; others than its own only for planting a mistake.
    fn rules(&self) -> Arc<Rules> {
        Arc::new(alpes_saga::transition)
    }

    /// The line between engine and participants, and the engine's tables; changed only for planting a mistake.
    fn tamper(
        &self,
        tables: Arc<dyn alpes_ports::Tables>,
        line: Arc<dyn Participants>,
    ) -> (Arc<dyn alpes_ports::Tables>, Arc<dyn Participants>) {
        (tables, line)
    }
}
