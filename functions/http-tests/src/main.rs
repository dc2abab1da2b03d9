//! Starts the function.

use std::sync::Arc;

use alpes_lambda::Environment;
use http_tests::App;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    alpes_lambda::start_logging();
    let app = App::new(&Wiring::new(Environment::of_function()))?;
    api::serve(app, |app: Arc<App>, request| async move {
        app.handle(&request).await
    })
    .await
}
