//! Starts the function `projector`.

use std::convert::Infallible;

use projector::App;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let app = &App::new(&Wiring::new(alpes_lambda::start()));
    alpes_lambda::serve(|batch, _| async move { Ok::<_, Infallible>(app.handle(batch).await) })
        .await
}
