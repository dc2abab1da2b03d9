//! The commands of the measurements, in the form in which http-commands makes them from a request.

use alpes_messages::{Command, CommandId, CorrelationId, SagaMode};
use anyhow::{Result, anyhow};
use events::IdReserva;
use serde_json::Value;
use uuid::Uuid;
use vuelos::{CREAR_RESERVA, crear_reserva};

/// A command that makes a new reservation from a request's body.
pub fn create(body: &Value) -> Result<Command> {
    let data = crear_reserva::parse(body)
        .map_err(|errors| anyhow!("the sample reservation is refused: {errors:?}"))?;
    let subject = IdReserva(Uuid::now_v7());
    Ok(command(CREAR_RESERVA, subject, serde_json::to_value(data)?))
}

pub fn command(kind: &str, subject: IdReserva, data: Value) -> Command {
    Command {
        id: CommandId(Uuid::now_v7()),
        kind: kind.to_owned(),
        subject,
        correlationid: CorrelationId(Uuid::now_v7()),
        causationid: None,
        actor: None,
        prueba: false,
        sagamode: SagaMode::Orchestration,
        traceparent: None,
        data,
    }
}
