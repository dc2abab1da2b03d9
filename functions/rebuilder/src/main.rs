//! Starts the function.

use event_store::StreamReader;
use events::Catalogue;
use lambda_kit::Environment;
use lambda_runtime::{LambdaEvent, service_fn};
use projections::{Projector, Rebuilder};
use rebuilder::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_kit::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let reader = StreamReader::new(tables.clone(), Catalogue::current());
    let app = &App {
        rebuilder: Rebuilder {
            projector: Projector::new(tables, reader, world.clone(), projections::registry()),
            archive: archive::Archive::new(environment.archive()?),
            log: environment.log_reader()?,
        },
        world,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload, lambda_kit::deadline(&event.context))
    }))
    .await
}
