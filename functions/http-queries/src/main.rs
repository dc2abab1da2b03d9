//! Starts the function.

use std::sync::Arc;

use alpes_event_store::StreamReader;
use alpes_lambda::Environment;
use alpes_ports::Executions;
use alpes_projections::Generations;
use alpes_saga::Sagas;
use http_queries::App;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    alpes_lambda::start_logging();
    let environment = Environment::of_function();
    let (tables, world) = (environment.tables(), environment.world());
    let app = App {
        reader: StreamReader::new(tables.clone(), events::catalogue()),
        generations: Generations::new(tables.clone(), world.clock.clone()),
        clock: world.clock.clone(),
        executions: environment
            .executions()
            .map(|executions| executions as Arc<dyn Executions>),
        sagas: Sagas::new(tables.clone(), reserva_saga::definitions(), world),
        tables,
    };
    api::serve(app, |app: Arc<App>, request| async move {
        app.handle(&request).await
    })
    .await
}
