//! Starts the function.

use lambda_kit::{Environment, participant};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_kit::start_logging();
    participant::serve(&Environment::of_function(), participant_pagos::rules).await
}
