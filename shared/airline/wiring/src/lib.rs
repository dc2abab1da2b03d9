//! Builds the airline's parts from the ports of a platform, for functions, tools, simulation and tests.
//!
//! A function is wired in two places: this crate builds its parts, and `App::new` in the function's own crate takes a
//! [`Wiring`] and puts the parts together. `main.rs` makes the wiring from the environment of the deployed function;
//! simulation and tests make it from twins (ports in memory).

#![deny(missing_docs)]

use std::sync::Arc;

use alpes_archive::Archive;
use alpes_consumer::Parking;
use alpes_event_store::{EventStore, Secret, StreamReader};
use alpes_lambda::{RemoteConsumer, metrics::Metrics, participant};
use alpes_messages::Context;
use alpes_participant::{Policy, Reactions, Rules};
use alpes_ports::{FunctionName, Platform, Tables, World};
use alpes_projections::{Generations, Projector, Rebuilder};
use alpes_saga::{Coordinator, Definitions, Sagas};
use events::{CONTEXTS, Catalogue, GDS, PAGOS, Payload, VUELOS};
use notices::{Announcer, NOTIFIER};
use reserva_saga::{FunctionParticipants, ORCHESTRATOR, function_of, wire};

/// The namespace of all metrics.
pub const METRICS: &str = "AeroAlpes";

/// A build of the system: the events that the build can decode, and the sagas that it can run.
#[derive(Clone)]
pub struct Build {
    /// The events that the build can decode.
    pub catalogue: Catalogue,
    /// The definitions of the sagas that the build can run.
    pub definitions: Definitions,
}

impl Build {
    /// The build of this source code.
    #[must_use]
    pub fn current() -> Self {
        Self {
            catalogue: events::catalogue(),
            definitions: reserva_saga::definitions(),
        }
    }
}

/// The parts of the system, built from the ports of a platform. Each method makes a new part.
#[derive(Clone)]
pub struct Wiring<P> {
    /// The ports that the parts use.
    pub platform: P,
    build: Build,
}

impl<P: Platform> Wiring<P> {
    /// The wiring of the build of this source code.
    pub fn new(platform: P) -> Self {
        Self::of(platform, Build::current())
    }

    /// The wiring of another build.
    pub fn of(platform: P, build: Build) -> Self {
        Self { platform, build }
    }

    /// Reads event streams.
    pub fn reader(&self) -> StreamReader<Payload> {
        StreamReader::new(self.platform.tables(), self.build.catalogue.clone())
    }

    /// Makes the event store, which commits events.
    ///
    /// # Errors
    ///
    /// The platform has no port for the log.
    pub fn store(&self) -> Result<EventStore<Payload>, P::Error> {
        Ok(EventStore::new(
            self.platform.tables(),
            self.platform.log()?,
            self.platform.world(),
            self.build.catalogue.clone(),
        ))
    }

    /// The secret from which ids and quotes follow.
    pub fn secret(&self) -> Secret {
        Secret::new(self.platform.tables(), self.platform.world())
    }

    /// Stores the logs of sagas.
    pub fn sagas(&self) -> Sagas {
        Sagas::new(
            self.platform.tables(),
            self.build.definitions.clone(),
            self.platform.world(),
        )
    }

    /// Advances sagas. On a platform with Step Functions, the coordinator also starts executions.
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

    /// Says which generation of a view answers queries.
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

    /// Archives the log in S3, beyond the retention of Kinesis.
    ///
    /// # Errors
    ///
    /// The platform has no archive.
    pub fn archive(&self) -> Result<Archive, P::Error> {
        Ok(Archive::new(self.platform.archive()?))
    }

    /// Announces approvals and cancellations.
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

    /// The parking lot: the records that a consumer could not process.
    pub fn parking(&self) -> Parking {
        Parking::new(
            self.platform.tables(),
            self.platform.world().clock,
            &self.build.catalogue,
        )
    }

    /// The pending reactions of the contexts.
    pub fn reactions(&self) -> Reactions {
        Reactions::new(self.platform.tables(), self.platform.world())
    }

    /// Clients of the functions that consume the log and park records under their own names.
    pub fn consumers(&self) -> Vec<RemoteConsumer<Payload>> {
        RemoteConsumer::of(
            consumers(),
            &self.platform.functions(),
            &self.parking(),
            &self.build.catalogue,
        )
    }

    /// The participant function of a context.
    ///
    /// # Errors
    ///
    /// The platform lacks a port that a participant needs.
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

/// The names of the functions that consume the log and park records under their own names.
fn consumers() -> impl Iterator<Item = FunctionName> {
    [ORCHESTRATOR, NOTIFIER]
        .into_iter()
        .chain(CONTEXTS.map(function_of))
}

/// The rules of a context. `pagos` keeps its ledger in `tables`.
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

/// The policies of each context, which say how it reacts to events in a choreography.
#[must_use]
pub fn policies() -> [(Context, Vec<Policy>); 3] {
    [
        (VUELOS, vuelos::policies()),
        (PAGOS, pagos::policies()),
        (GDS, gds::policies()),
    ]
}
