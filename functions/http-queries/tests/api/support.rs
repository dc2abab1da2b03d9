//! The function over memory, and requests to it.

use std::{ops::Deref, sync::Arc};

use alpes_event_store::StreamReader;
use alpes_ports::{Tables, World};
use alpes_projections::Generations;
use alpes_saga::{Definitions, Sagas};
use events::{IdReserva, vuelos::EstadoReserva};
use futures::executor::block_on;
use http_queries::App;
use http_testing::{Answer, System, ask};
use lambda_http::Request;

/// The function, and what is behind it.
pub(crate) struct Fixture {
    system: System,
    app: App,
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
            app: App {
                executions: Some(Arc::new(system.executions.clone())),
                ..Self::app(system.tables.clone(), &system.world)
            },
            system,
        }
    }

    /// The function over these tables.
    pub(crate) fn app(tables: Arc<dyn Tables>, world: &World) -> App {
        let definitions = reserva_saga::definitions();
        App {
            reader: StreamReader::new(tables.clone(), events::catalogue()),
            generations: Generations::new(tables.clone(), world.clock.clone()),
            sagas: Sagas::new(tables.clone(), definitions, world.clone()),
            clock: world.clock.clone(),
            executions: None,
            tables,
        }
    }

    /// The same over sagas of which this build knows no definition.
    pub(crate) fn without_definitions(mut self) -> Self {
        let (tables, world) = (self.tables.clone(), self.world.clone());
        self.app.sagas = Sagas::new(tables, Definitions::default(), world);
        self
    }

    /// Makes a reservation of this client that is in this state.
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

    /// Asks for a path with its query.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.answer(&ask("GET", path))
    }
}
