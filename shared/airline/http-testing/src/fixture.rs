//! The HTTP function under test, with all other functions behind it.

use std::{ops::Deref, sync::Arc};

use alpes_ports::{Functions, Log, Tables};
use alpes_saga::Definitions;
use api::HttpApp;
use futures::executor::block_on;
use lambda_http::{Body, Request};
use twins::Ports;
use wiring::{Build, Wiring};

use crate::{Answer, System, ask, post, with_header};

/// The function under test, with the [`System`] behind it. A fixture also has the methods of its system.
pub struct Fixture<A> {
    system: System,
    /// The ports of the function under test.
    pub ports: Ports,
    make: fn(&Wiring<Ports>) -> A,
    app: A,
}

impl<A> Deref for Fixture<A> {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl<A: HttpApp> Fixture<A> {
    /// A fixture with a new system. `make` makes the function under test from the system's wiring.
    pub fn new(make: fn(&Wiring<Ports>) -> A) -> Self {
        let system = System::new();
        let ports = system.ports();
        Self {
            app: make(&Wiring::new(ports.clone())),
            system,
            ports,
            make,
        }
    }

    /// Gives the function other ports than the system has.
    #[must_use]
    pub fn over(mut self, change: impl FnOnce(&mut Ports)) -> Self {
        change(&mut self.ports);
        self.app = (self.make)(&Wiring::new(self.ports.clone()));
        self
    }

    /// Gives the function another log than the system has.
    #[must_use]
    pub fn with_log(self, log: Arc<dyn Log>) -> Self {
        self.over(|ports| ports.log = log)
    }

    /// Gives the function other tables than the system has.
    #[must_use]
    pub fn with_tables(self, tables: Arc<dyn Tables>) -> Self {
        self.over(|ports| ports.tables = tables)
    }

    /// Gives the function other functions to call than the system has.
    #[must_use]
    pub fn with_functions(self, functions: Arc<dyn Functions>) -> Self {
        self.over(|ports| ports.functions = functions)
    }

    /// The same fixture, with the function of a build that has no saga definitions.
    #[must_use]
    pub fn without_definitions(mut self) -> Self {
        let build = Build {
            definitions: Definitions::default(),
            ..Build::current()
        };
        self.app = (self.make)(&Wiring::of(self.ports.clone(), build));
        self
    }

    /// The function's answer to a request.
    pub fn answer(&self, request: &Request) -> Answer {
        Answer::of(block_on(self.app.handle(request)))
    }

    /// Sends a GET for a path with its query.
    pub fn get(&self, path: &str) -> Answer {
        self.answer(&ask("GET", path))
    }

    /// Sends a POST with this body to a path.
    pub fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.answer(&post(path, body))
    }

    /// Sends a POST with this body and this `Idempotency-Key` to a path.
    pub fn post_with_key(&self, path: &str, key: &str, body: impl Into<Body>) -> Answer {
        self.answer(&with_header(post(path, body), "Idempotency-Key", key))
    }
}
