//! Waking sagas from elsewhere.

use alpes_ports::{CallError, FunctionName, Functions};
use alpes_saga::SagaId;
use serde_json::json;

/// The function that drives the sagas.
pub const ORCHESTRATOR: FunctionName = FunctionName("orchestrator");

/// What [`ORCHESTRATOR`] is invoked with to look at these sagas.
#[must_use]
pub fn wake_up(sagas: &[SagaId]) -> Vec<u8> {
    json!({ "wake": sagas }).to_string().into_bytes()
}

/// Has a saga looked at soon, without waiting for it. One that is not is woken by the timers.
///
/// # Errors
///
/// See [`CallError`].
pub async fn nudge(functions: &dyn Functions, saga: SagaId) -> Result<(), CallError> {
    functions.start(ORCHESTRATOR, &wake_up(&[saga])).await
}
