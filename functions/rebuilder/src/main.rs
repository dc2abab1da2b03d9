//! Starts the function `rebuilder`.

use rebuilder::App;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let app = &App::new(&Wiring::new(alpes_lambda::start()))?;
    alpes_lambda::serve(|payload, deadline| app.handle(payload, deadline)).await
}
