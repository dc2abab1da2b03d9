//! Starts the function.

use std::sync::Arc;

use http_commands::App;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    let app = App::new(&Wiring::new(alpes_lambda::start()))?;
    api::serve(app, |app: Arc<App>, request| async move {
        app.handle(&request).await
    })
    .await
}
