//! Starts the function.

use std::sync::Arc;

use alpes_consumer::Parking;
use alpes_event_store::StreamReader;
use alpes_lambda::Environment;
use alpes_saga::{Coordinator, Sagas};
use lambda_runtime::{LambdaEvent, service_fn};
use orchestrator::App;
use reserva_saga::{FunctionParticipants, definitions, wire};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let catalogue = events::catalogue();
    let sagas = Sagas::new(tables.clone(), definitions(), world.clone());
    let participants = Arc::new(FunctionParticipants(environment.functions()));
    let mut coordinator = Coordinator::new(sagas, participants);
    if let Some(executions) = environment.executions() {
        coordinator = coordinator.with_machine(executions, wire());
    }
    let app = &App {
        coordinator,
        reader: StreamReader::new(tables.clone(), catalogue.clone()),
        parking: Parking::new(tables, world.clock.clone(), &catalogue),
        partial_batch: environment.partial_batch()?,
        world,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload, alpes_lambda::deadline(&event.context))
    }))
    .await
}
