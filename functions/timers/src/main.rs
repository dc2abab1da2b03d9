//! Starts the function.

use event_store::EventStore;
use events::Catalogue;
use lambda_kit::Environment;
use lambda_runtime::{LambdaEvent, service_fn};
use timers::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_kit::start_logging();
    let environment = Environment::load().await;
    let (tables, world) = (environment.tables(), environment.world());
    let store = EventStore::new(
        tables.clone(),
        environment.log()?,
        world.clone(),
        Catalogue::current(),
    );
    let app = &App {
        store,
        tables,
        world,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload)
    }))
    .await
}
