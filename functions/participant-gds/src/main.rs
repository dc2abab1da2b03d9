//! Starts the function.

use lambda_kit::{Environment, participant};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_kit::start_logging();
    let rules = |_, _| participant_gds::rules();
    participant::serve(&Environment::of_function(), rules).await
}
