//! The function over ports in memory, and requests to it.

use std::{ops::Deref, sync::Arc};

use alpes_ports::{Functions, Log, Tables};
use futures::executor::block_on;
use http_commands::App;
use http_testing::{Answer, System, post, with_header};
use lambda_http::{Body, Request};
use twins::Ports;
use wiring::{Build, Wiring};

/// The path of reservations.
pub(crate) const RESERVA: &str = "/vuelos/reserva";

/// The function under test, with the system behind it.
pub(crate) struct Fixture {
    system: System,
    pub(crate) ports: Ports,
    app: App,
}

/// A fixture has the methods of its system.
impl Deref for Fixture {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let system = System::new();
        let ports = system.ports();
        Self {
            app: over(ports.clone(), Build::current()),
            system,
            ports,
        }
    }

    pub(crate) fn with_log(log: Arc<dyn Log>) -> Self {
        Self::new().over(|ports| ports.log = log)
    }

    pub(crate) fn with_functions(self, functions: Arc<dyn Functions>) -> Self {
        self.over(|ports| ports.functions = functions)
    }

    /// Gives the function other tables than the system has.
    pub(crate) fn with_tables(self, tables: Arc<dyn Tables>) -> Self {
        self.over(|ports| ports.tables = tables)
    }

    /// Gives the function other ports than the system has.
    pub(crate) fn over(mut self, change: impl FnOnce(&mut Ports)) -> Self {
        change(&mut self.ports);
        self.app = over(self.ports.clone(), Build::current());
        self
    }

    /// The same fixture in a build that has no definition of the sagas.
    pub(crate) fn without_definitions(mut self) -> Self {
        let build = Build {
            definitions: alpes_saga::Definitions::default(),
            ..Build::current()
        };
        self.app = over(self.ports.clone(), build);
        self
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        Answer::of(block_on(self.app.handle(request)))
    }

    /// Sends a request for a reservation.
    pub(crate) fn post(&self, body: impl Into<Body>) -> Answer {
        self.post_to(RESERVA, body)
    }

    /// Sends a request for a reservation with an Idempotency-Key.
    pub(crate) fn post_with_key(&self, key: &str, body: impl Into<Body>) -> Answer {
        self.answer(&with_header(post(RESERVA, body), "Idempotency-Key", key))
    }

    pub(crate) fn post_to(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.answer(&post(path, body))
    }
}

fn over(ports: Ports, build: Build) -> App {
    let Ok(app) = App::new(&Wiring::of(ports, build));
    app
}
