//! The function over memory, and requests to it.

use std::{ops::Deref, sync::Arc};

use alpes_event_store::EventStore;
use alpes_ports::{Functions, Log, Tables};
use alpes_saga::Sagas;
use futures::executor::block_on;
use http_commands::App;
use http_testing::{Answer, System, post, with_header};
use lambda_http::{Body, Request};

/// The path of reservations.
pub(crate) const RESERVA: &str = "/vuelos/reserva";

/// The function, and what is behind it.
pub(crate) struct Fixture {
    system: System,
    pub(crate) app: App,
}

/// What happens to the system is said of the fixture.
impl Deref for Fixture {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let system = System::new();
        Self {
            app: app(&system, system.tables.clone(), system.log.clone()),
            system,
        }
    }

    pub(crate) fn with_log(log: Arc<dyn Log>) -> Self {
        let system = System::new();
        Self {
            app: app(&system, system.tables.clone(), log),
            system,
        }
    }

    pub(crate) fn with_functions(mut self, functions: Arc<dyn Functions>) -> Self {
        self.app.functions = functions;
        self
    }

    /// From now on the function has other tables than what is behind it.
    pub(crate) fn with_tables(mut self, tables: Arc<dyn Tables>) -> Self {
        self.app = app(&self.system, tables, self.log.clone());
        self
    }

    /// The same over sagas of which this build knows no definition.
    pub(crate) fn without_definitions(mut self) -> Self {
        let (tables, world) = (self.tables.clone(), self.world.clone());
        self.app.sagas = Sagas::new(tables, alpes_saga::Definitions::default(), world);
        self
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        Answer::of(block_on(self.app.handle(request)))
    }

    /// Asks for a reservation.
    pub(crate) fn post(&self, body: impl Into<Body>) -> Answer {
        self.post_to(RESERVA, body)
    }

    /// Asks for a reservation with an Idempotency-Key.
    pub(crate) fn post_with_key(&self, key: &str, body: impl Into<Body>) -> Answer {
        self.answer(&with_header(post(RESERVA, body), "Idempotency-Key", key))
    }

    pub(crate) fn post_to(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.answer(&post(path, body))
    }
}

fn app(system: &System, tables: Arc<dyn Tables>, log: Arc<dyn Log>) -> App {
    let world = system.world.clone();
    let definitions = reserva_saga::definitions();
    App {
        store: EventStore::new(tables.clone(), log, world.clone(), events::catalogue()),
        sagas: Sagas::new(tables, definitions, world.clone()),
        functions: system.functions.clone(),
        world,
        step_functions: true,
    }
}
