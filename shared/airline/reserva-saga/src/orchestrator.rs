//! Lets other functions ask the orchestrator to wake sagas.

use alpes_ports::{CallError, FunctionName, Functions};
use alpes_saga::SagaId;
use serde_json::json;

/// The function that runs the sagas.
pub const ORCHESTRATOR: FunctionName = FunctionName("orchestrator");

/// The payload with which [`ORCHESTRATOR`] is invoked to process these sagas.
#[must_use]
pub fn wake_up(sagas: &[SagaId]) -> Vec<u8> {
    json!({ "wake": sagas }).to_string().into_bytes()
}

/// Asks the orchestrator to process a saga soon, and does not wait for the result. If the call is lost, the timers wake
/// the saga later.
///
/// # Errors
///
/// See [`CallError`].
pub async fn nudge(functions: &dyn Functions, saga: SagaId) -> Result<(), CallError> {
    functions.start(ORCHESTRATOR, &wake_up(&[saga])).await
}
