//! Starts the function.

use std::sync::Arc;

use event_store::StreamReader;
use events::Catalogue;
use http_queries::App;
use lambda_kit::{Environment, http};
use ports::Executions;
use projections::Generations;
use saga_engine::Sagas;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda_kit::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let app = App {
        reader: StreamReader::new(tables.clone(), Catalogue::current()),
        generations: Generations::new(tables.clone(), world.clock.clone()),
        clock: world.clock.clone(),
        executions: environment
            .executions()
            .map(|executions| executions as Arc<dyn Executions>),
        sagas: Sagas::new(tables.clone(), reserva_saga::definitions(), world),
        tables,
    };
    http::serve(app, |app: Arc<App>, request| async move {
        app.handle(&request).await
    })
    .await
}
