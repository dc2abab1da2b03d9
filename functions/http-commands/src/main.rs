//! Starts the function `http-commands`.

use http_commands::App;
use wiring::Wiring;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    api::serve(App::new(&Wiring::new(alpes_lambda::start()))?).await
}
