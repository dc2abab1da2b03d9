//! Starts the function.

use std::sync::Arc;

use event_store::{EventStore, StreamReader};
use events::Catalogue;
use lambda_kit::{Environment, RemoteConsumer, metrics::Metrics};
use lambda_runtime::{LambdaEvent, service_fn};
use participant::Reactions;
use ports::Functions;
use projections::Projector;
use reserva_saga::definitions;
use saga_engine::Sagas;
use timers::{App, Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_kit::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let (log, catalogue) = (environment.log()?, Catalogue::current());
    let reader = StreamReader::new(tables.clone(), catalogue.clone());
    let projector = Projector::new(
        tables.clone(),
        reader,
        world.clone(),
        projections::registry(),
    );
    let functions: Arc<dyn Functions> = environment.functions();
    let app = &App {
        remote: RemoteConsumer::all(&functions, projector.parking(), &catalogue),
        functions,
        projector,
        reactions: Reactions::new(tables.clone(), world.clone()),
        sagas: Sagas::new(tables.clone(), definitions(), world.clone()),
        store: EventStore::new(tables.clone(), log, world.clone(), catalogue),
        metrics: Metrics::in_the_log(environment.stack()?),
        stack: environment.stack()?,
        undelivered: environment.undelivered()?,
        limits: Limits::default(),
        world,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload, lambda_kit::deadline(&event.context))
    }))
    .await
}
