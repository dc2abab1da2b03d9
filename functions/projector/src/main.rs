//! Starts the function.

use alpes_event_store::StreamReader;
use alpes_lambda::Environment;
use alpes_projections::Projector;
use lambda_runtime::{LambdaEvent, service_fn};
use projector::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let tables = environment.tables();
    let reader = StreamReader::new(tables.clone(), events::catalogue());
    let app = &App {
        projector: Projector::new(tables, reader, environment.world(), views::registry()),
        partial_batch: environment.partial_batch()?,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload)
    }))
    .await
}
