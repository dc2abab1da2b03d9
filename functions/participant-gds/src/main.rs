//! Starts the function.

use alpes_lambda::{Environment, participant};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let rules = |_, _| participant_gds::rules();
    participant::serve(&Environment::of_function(), rules).await
}
