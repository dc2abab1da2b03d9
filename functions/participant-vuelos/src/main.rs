//! Takes the commands of vuelos, and hears of the other contexts for it.

use alpes_lambda::{Environment, participant};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    participant::serve(&environment, events::catalogue(), |_, _| vuelos::rules()).await
}
