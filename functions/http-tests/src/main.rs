//! Starts the function.

use std::sync::Arc;

use alpes_event_store::EventStore;
use alpes_lambda::Environment;
use http_tests::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let app = App {
        store: EventStore::new(
            tables.clone(),
            environment.log()?,
            world.clone(),
            events::catalogue(),
        ),
        tables,
        functions: environment.functions(),
        world,
    };
    api::serve(app, |app: Arc<App>, request| async move {
        app.handle(&request).await
    })
    .await
}
