//! Starts the function.

use alpes_event_store::StreamReader;
use alpes_lambda::Environment;
use alpes_projections::{Projector, Rebuilder};
use lambda_runtime::{LambdaEvent, service_fn};
use rebuilder::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let reader = StreamReader::new(tables.clone(), events::catalogue());
    let app = &App {
        rebuilder: Rebuilder {
            projector: Projector::new(tables, reader, world.clone(), views::registry()),
            archive: alpes_archive::Archive::new(environment.archive()?),
            log: environment.log_reader()?,
        },
        world,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload, alpes_lambda::deadline(&event.context))
    }))
    .await
}
