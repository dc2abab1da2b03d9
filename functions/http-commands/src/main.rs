//! Starts the function.

use std::sync::Arc;

use event_store::EventStore;
use events::Catalogue;
use http_commands::App;
use lambda_kit::{Environment, http};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_kit::start_logging();
    let environment = Environment::of_function();
    let world = environment.world();
    let store = EventStore::new(
        environment.tables(),
        environment.log()?,
        world.clone(),
        Catalogue::current(),
    );
    http::serve(App { store, world }, |app: Arc<App>, request| async move {
        app.handle(&request).await
    })
    .await
}
