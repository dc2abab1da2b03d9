//! Takes the commands of gds, and hears of the other contexts for it.

use events::GDS;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let app = &Wiring::new(alpes_lambda::start()).participant(GDS)?;
    alpes_lambda::serve(|payload, deadline| app.answer(payload, deadline)).await
}
