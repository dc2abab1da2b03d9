//! The participants of the saga. Each participant is a function that executes the commands of one context.

use std::sync::Arc;

use alpes_messages::{Context, Reply};
use alpes_ports::{CallError, FunctionName, Functions};
use alpes_saga::{Answer, Dispatch, NoAnswer, Participants};
use async_trait::async_trait;
use events::{CONTEXTS, GDS, PAGOS, VUELOS};

use crate::{answer, command};

/// The participant function of `vuelos`.
pub const PARTICIPANT_VUELOS: FunctionName = function_of(VUELOS);
/// The participant function of `pagos`.
pub const PARTICIPANT_PAGOS: FunctionName = function_of(PAGOS);
/// The participant function of `gds`.
pub const PARTICIPANT_GDS: FunctionName = function_of(GDS);

/// The participant function of a context. This function executes the context's commands, and reacts to events in a
/// choreography.
#[must_use]
pub const fn function_of(context: Context) -> FunctionName {
    FunctionName(context.participant)
}

/// Sends the commands of sagas by calling the participants' functions.
pub struct FunctionParticipants(pub Arc<dyn Functions>);

#[async_trait]
impl Participants for FunctionParticipants {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let no_answer = |text: String| NoAnswer(text);
        let mut contexts = CONTEXTS.into_iter();
        let context = contexts
            .find(|context| context.name == dispatch.participant)
            .ok_or_else(|| no_answer(format!("{} is not a context", dispatch.participant)))?;
        let payload =
            serde_json::to_vec(&command(dispatch)).map_err(|error| no_answer(error.to_string()))?;
        let called = self.0.call(function_of(context), &payload).await;
        // Any error of the call counts as no answer. The saga then sends the command again, and compensates the
        // command's step after the last attempt.
        let text = called.map_err(|error: CallError| no_answer(error.to_string()))?;
        let reply: Reply =
            serde_json::from_slice(&text).map_err(|error| no_answer(error.to_string()))?;
        Ok(answer(&reply))
    }
}
