//! Starts the function.

use alpes_archive::Archive;
use alpes_lambda::Environment;
use archiver::App;
use lambda_runtime::{LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let app = &App {
        archive: Archive::new(environment.archive()?),
        partial_batch: environment.partial_batch()?,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload)
    }))
    .await
}
