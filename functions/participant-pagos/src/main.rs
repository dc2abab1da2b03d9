//! Starts the function.

use alpes_lambda::{Environment, participant};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    participant::serve(&Environment::of_function(), participant_pagos::rules).await
}
