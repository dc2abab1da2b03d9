//! Starts the function.

use alpes_lambda::Environment;
use lambda_runtime::{LambdaEvent, service_fn};
use orchestrator::App;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let app = &App::new(&Wiring::new(Environment::of_function()))?;
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload, alpes_lambda::deadline(&event.context))
    }))
    .await
}
