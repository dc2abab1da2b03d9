//! The function over ports in memory, and requests to it.

use std::{ops::Deref, sync::Arc};

use alpes_ports::Tables;
use alpes_saga::Definitions;
use events::{IdReserva, vuelos::EstadoReserva};
use futures::executor::block_on;
use http_queries::App;
use http_testing::{Answer, System, ask};
use lambda_http::Request;
use twins::Ports;
use wiring::{Build, Wiring};

/// The function under test, with the system behind it.
pub(crate) struct Fixture {
    system: System,
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
        Self {
            app: App::new(&Wiring::new(system.ports())),
            system,
        }
    }

    /// The function over these tables.
    pub(crate) fn over(&self, tables: Arc<dyn Tables>) -> App {
        App::new(&Wiring::new(Ports {
            tables,
            ..self.ports()
        }))
    }

    /// The same fixture in a build that has no definition of the sagas.
    pub(crate) fn without_definitions(mut self) -> Self {
        let build = Build {
            definitions: Definitions::default(),
            ..Build::current()
        };
        self.app = App::new(&Wiring::of(self.ports(), build));
        self
    }

    /// Makes a reservation of this client and brings it into this state.
    pub(crate) fn create_as(&self, cliente: Option<&str>, estado: EstadoReserva) -> IdReserva {
        let id = self.create(cliente);
        match estado {
            EstadoReserva::Pendiente => {}
            EstadoReserva::Pagada => self.pay(id),
            EstadoReserva::Aprobada => {
                self.pay(id);
                self.approve(id);
            }
            EstadoReserva::Cancelada => self.cancel(id),
        }
        id
    }

    pub(crate) fn answer(&self, request: &Request) -> Answer {
        Answer::of(block_on(self.app.handle(request)))
    }

    /// Sends a GET for a path with its query.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.answer(&ask("GET", path))
    }
}
