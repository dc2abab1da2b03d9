//! Starts the participant of `gds`: it executes commands, and reacts to events in a choreography.

use events::GDS;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let app = &Wiring::new(alpes_lambda::start()).participant(GDS)?;
    alpes_lambda::serve(|payload, deadline| app.answer(payload, deadline)).await
}
