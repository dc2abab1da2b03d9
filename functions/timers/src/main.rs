//! Starts the function.

use std::sync::Arc;

use alpes_event_store::{EventStore, StreamReader};
use alpes_lambda::{Environment, RemoteConsumer, metrics::Metrics};
use alpes_participant::Reactions;
use alpes_ports::Functions;
use alpes_projections::Projector;
use alpes_saga::Sagas;
use lambda_runtime::{LambdaEvent, service_fn};
use reserva_saga::definitions;
use timers::{App, Limits};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let (log, catalogue) = (environment.log()?, events::catalogue());
    let reader = StreamReader::new(tables.clone(), catalogue.clone());
    let projector = Projector::new(tables.clone(), reader, world.clone(), views::registry());
    let functions: Arc<dyn Functions> = environment.functions();
    let app = &App {
        remote: RemoteConsumer::of(
            wiring::consumers(),
            &functions,
            projector.parking(),
            &catalogue,
        ),
        functions,
        projector,
        reactions: Reactions::new(tables.clone(), world.clone()),
        sagas: Sagas::new(tables.clone(), definitions(), world.clone()),
        store: EventStore::new(tables.clone(), log, world.clone(), catalogue),
        metrics: Metrics::in_the_log(wiring::METRICS, environment.stack()?),
        stack: environment.stack()?,
        undelivered: environment.undelivered()?,
        limits: Limits::default(),
        world,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload, alpes_lambda::deadline(&event.context))
    }))
    .await
}
