//! Starts the participant of `pagos`, with the simulated provider: it executes commands, and reacts to events in a
//! choreography.

use alpes_lambda::{Environment, participant};
use events::PAGOS;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let app = Wiring::new(Environment::of_function()).participant(PAGOS)?;
    participant::serve(&app).await
}
