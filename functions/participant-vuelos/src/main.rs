//! Takes the commands of vuelos, and hears of the other contexts for it.

use events::VUELOS;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let app = &Wiring::new(alpes_lambda::start()).participant(VUELOS)?;
    alpes_lambda::serve(|payload, deadline| app.answer(payload, deadline)).await
}
