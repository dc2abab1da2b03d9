//! Starts the function `authorizer`.

use authorizer::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let platform = alpes_lambda::start();
    let app = &App::new(&platform, platform.documents())?;
    alpes_lambda::serve(|request, _| app.authorize(request)).await
}
