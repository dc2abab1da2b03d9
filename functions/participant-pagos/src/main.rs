//! Starts the participant of `pagos`, with the simulated provider: it executes commands, and reacts to events in a
//! choreography.

use events::PAGOS;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let app = &Wiring::new(alpes_lambda::start()).participant(PAGOS)?;
    alpes_lambda::serve(|payload, deadline| app.answer(payload, deadline)).await
}
