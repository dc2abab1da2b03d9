//! The participants, each a function.

use std::sync::Arc;

use async_trait::async_trait;
use events::Reply;
use ports::{CallError, FunctionName, Functions};
use saga_engine::{Answer, Dispatch, NoAnswer, Participants};

use crate::{answer, command};

/// The function that takes the commands of vuelos.
pub const PARTICIPANT_VUELOS: FunctionName = FunctionName("participant-vuelos");
/// The function that takes the commands of pagos.
pub const PARTICIPANT_PAGOS: FunctionName = FunctionName("participant-pagos");
/// The function that takes the commands of gds.
pub const PARTICIPANT_GDS: FunctionName = FunctionName("participant-gds");

/// The function that takes the commands of a context; `None` for no context of ours.
#[must_use]
pub fn function_of(context: &str) -> Option<FunctionName> {
    match context {
        "vuelos" => Some(PARTICIPANT_VUELOS),
        "pagos" => Some(PARTICIPANT_PAGOS),
        "gds" => Some(PARTICIPANT_GDS),
        _ => None,
    }
}

/// Sends commands by calling functions.
pub struct FunctionParticipants(pub Arc<dyn Functions>);

#[async_trait]
impl Participants for FunctionParticipants {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let no_answer = |text: String| NoAnswer(text);
        let function = function_of(dispatch.participant)
            .ok_or_else(|| no_answer(format!("{} is no context", dispatch.participant)))?;
        let payload =
            serde_json::to_vec(&command(dispatch)).map_err(|error| no_answer(error.to_string()))?;
        let called = self.0.call(function, &payload).await;
        // Whatever it is, it is no answer: the command is sent again, and undone if that does not help.
        let text = called.map_err(|error: CallError| no_answer(error.to_string()))?;
        let reply: Reply =
            serde_json::from_slice(&text).map_err(|error| no_answer(error.to_string()))?;
        Ok(answer(&reply))
    }
}
