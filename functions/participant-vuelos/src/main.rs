//! Starts the participant of `vuelos`: it executes commands, and reacts to events in a choreography.

use alpes_lambda::{Environment, participant};
use events::VUELOS;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let app = Wiring::new(Environment::of_function()).participant(VUELOS)?;
    participant::serve(&app).await
}
