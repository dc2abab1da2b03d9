//! Starts the function `orchestrator`.

use std::convert::Infallible;

use orchestrator::App;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let app = &App::new(&Wiring::new(alpes_lambda::start()));
    alpes_lambda::serve(|payload, deadline| async move {
        Ok::<_, Infallible>(app.handle(payload, deadline).await)
    })
    .await
}
