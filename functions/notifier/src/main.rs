//! Starts the function.

use alpes_lambda::Environment;
use lambda_runtime::{LambdaEvent, service_fn};
use notices::Announcer;
use notifier::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let (tables, topic) = (environment.tables(), environment.topic()?);
    let clock = environment.world().clock;
    let app = &App {
        announcer: Announcer::new(tables, topic, clock, events::catalogue()),
        partial_batch: environment.partial_batch()?,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<_>| {
        app.handle(event.payload)
    }))
    .await
}
