//! Takes the commands of gds, and hears of the other contexts for it.

use alpes_lambda::{Environment, participant};
use events::GDS;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    alpes_lambda::start_logging();
    let app = Wiring::new(Environment::of_function()).participant(GDS)?;
    participant::serve(&app).await
}
