//! Starts the function.

use std::sync::Arc;

use event_store::StreamReader;
use events::Catalogue;
use http_queries::App;
use lambda_kit::{Environment, http};
use projections::Generations;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_kit::start_logging();
    let environment = Environment::of_function();
    let tables = environment.tables();
    let app = App {
        reader: StreamReader::new(tables.clone(), Catalogue::current()),
        generations: Generations::new(tables.clone(), environment.world().clock),
        tables,
    };
    http::serve(app, |app: Arc<App>, request| async move {
        app.handle(&request).await
    })
    .await
}
