//! Starts the function.

use lambda_kit::Environment;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda_kit::start_logging();
    let environment = Environment::of_function();
    let participant = participant_vuelos::participant(
        environment.tables(),
        environment.log()?,
        environment.world(),
        environment.allows_tests(),
    );
    lambda_kit::participant::serve(participant).await
}
