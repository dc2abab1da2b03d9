//! Puts the airline's parts together over a platform, for its functions, its tools, the simulation and the tests alike.
//!
//! A function is wired in two places that lie side by side: its parts here, and its `App::new` in its own crate, which takes a
//! [`Wiring`]. `main.rs` gives it the environment of the deployed function, simulation and tests give it twins.

#![deny(missing_docs)]

use std::sync::Arc;

use alpes_archive::Archive;
use alpes_consumer::Parking;
use alpes_event_store::{EventStore, StreamReader};
use alpes_lambda::{RemoteConsumer, metrics::Metrics, participant};
use alpes_messages::Context;
use alpes_participant::{Policy, Reactions, Rules};
use alpes_ports::{FunctionName, Platform, Tables, World};
use alpes_projections::{Generations, Projector, Rebuilder};
use alpes_saga::{Coordinator, Definitions, Sagas};
use events::{CONTEXTS, Catalogue, GDS, PAGOS, Payload, VUELOS};
use notices::{Announcer, NOTIFIER};
use reserva_saga::{FunctionParticipants, ORCHESTRATOR, function_of, wire};

/// What all metrics are under.
const METRICS: &str = "AeroAlpes";

/// The knowledge of a build: what it can decode, and the sagas that it can run.
#[derive(Clone)]
pub struct Build {
    /// The events.
    pub catalogue: Catalogue,
    /// The definitions of sagas.
    pub definitions: Definitions,
}

impl Build {
    /// That of this source code.
    #[must_use]
    pub fn current() -> Self {
        Self {
            catalogue: events::catalogue(),
            definitions: reserva_saga::definitions(),
        }
    }
}

/// The parts of the system over a platform. Each is made when it is asked for.
#[derive(Clone)]
pub struct Wiring<P> {
    /// What the parts stand on.
    pub platform: P,
    build: Build,
}

impl<P: Platform> Wiring<P> {
    /// The system of this source code.
    pub fn new(platform: P) -> Self {
        Self::of(platform, Build::current())
    }

    /// The system as another build has it.
    pub fn of(platform: P, build: Build) -> Self {
        Self { platform, build }
    }

    /// Reads streams.
    pub fn reader(&self) -> StreamReader<Payload> {
        StreamReader::new(self.platform.tables(), self.build.catalogue.clone())
    }

    /// Commits events.
    ///
    /// # Errors
    ///
    /// The platform has no log.
    pub fn store(&self) -> Result<EventStore<Payload>, P::Error> {
        Ok(EventStore::new(
            self.platform.tables(),
            self.platform.log()?,
            self.platform.world(),
            self.build.catalogue.clone(),
        ))
    }

    /// The log of sagas.
    pub fn sagas(&self) -> Sagas {
        Sagas::new(
            self.platform.tables(),
            self.build.definitions.clone(),
            self.platform.world(),
        )
    }

    /// Moves sagas on, and has Step Functions run them where it does.
    pub fn coordinator(&self) -> Coordinator {
        let participants = Arc::new(FunctionParticipants(self.platform.functions()));
        let coordinator = Coordinator::new(self.sagas(), participants);
        match self.platform.executions() {
            Some(executions) => coordinator.with_machine(executions, wire()),
            None => coordinator,
        }
    }

    /// Folds events into the views.
    pub fn projector(&self) -> Projector<Payload> {
        Projector::new(
            self.platform.tables(),
            self.reader(),
            self.platform.world(),
            views::registry(),
        )
    }

    /// Tells which generation of a view answers.
    pub fn generations(&self) -> Generations {
        Generations::new(self.platform.tables(), self.platform.world().clock)
    }

    /// Rebuilds views.
    ///
    /// # Errors
    ///
    /// The platform has no archive, or no log to read.
    pub fn rebuilder(&self) -> Result<Rebuilder<Payload>, P::Error> {
        Ok(Rebuilder {
            projector: self.projector(),
            archive: self.archive()?,
            log: self.platform.log_reader()?,
        })
    }

    /// Keeps what the log will forget.
    ///
    /// # Errors
    ///
    /// The platform has no archive.
    pub fn archive(&self) -> Result<Archive, P::Error> {
        Ok(Archive::new(self.platform.archive()?))
    }

    /// Announces what was approved and what was cancelled.
    ///
    /// # Errors
    ///
    /// The platform has no topic.
    pub fn announcer(&self) -> Result<Announcer, P::Error> {
        Ok(Announcer::new(
            self.platform.tables(),
            self.platform.topic()?,
            self.platform.world().clock,
            self.build.catalogue.clone(),
        ))
    }

    /// Where records lie that a consumer could not take.
    pub fn parking(&self) -> Parking {
        Parking::new(
            self.platform.tables(),
            self.platform.world().clock,
            &self.build.catalogue,
        )
    }

    /// The reactions that contexts put off.
    pub fn reactions(&self) -> Reactions {
        Reactions::new(self.platform.tables(), self.platform.world())
    }

    /// The functions that consume the log and park records under their own names.
    pub fn consumers(&self) -> Vec<RemoteConsumer<Payload>> {
        RemoteConsumer::of(
            consumers(),
            &self.platform.functions(),
            &self.parking(),
            &self.build.catalogue,
        )
    }

    /// The function of a context.
    ///
    /// # Errors
    ///
    /// The platform lacks what a participant needs.
    pub fn participant(&self, context: Context) -> Result<participant::App<Payload>, P::Error> {
        let (tables, world) = (self.platform.tables(), self.platform.world());
        let rules = rules(context, &tables, &world);
        participant::App::new(&self.platform, self.build.catalogue.clone(), rules)
    }

    /// The metrics of the stack.
    ///
    /// # Errors
    ///
    /// The platform does not know the name of its stack.
    pub fn metrics(&self) -> Result<Metrics, P::Error> {
        Metrics::of(&self.platform, METRICS)
    }
}

/// The functions that consume the log and park records under their own names.
fn consumers() -> impl Iterator<Item = FunctionName> {
    [ORCHESTRATOR, NOTIFIER]
        .into_iter()
        .chain(CONTEXTS.map(function_of))
}

/// The rules of a context. Payments have their ledger in `tables`.
#[must_use]
pub fn rules(context: Context, tables: &Arc<dyn Tables>, world: &World) -> Rules<Payload> {
    if context == PAGOS {
        pagos::rules(tables.clone(), world.clone())
    } else if context == GDS {
        gds::rules()
    } else {
        vuelos::rules()
    }
}

/// What each context does about what it hears of the others.
#[must_use]
pub fn policies() -> [(Context, Vec<Policy>); 3] {
    [
        (VUELOS, vuelos::policies()),
        (PAGOS, pagos::policies()),
        (GDS, gds::policies()),
    ]
}
