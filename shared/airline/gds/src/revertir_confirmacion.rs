//! `RevertirConfirmacion`: undoes `ConfirmarReserva`, whatever became of it.

use alpes_event_store::{Decision, latest};
use alpes_messages::{Command, Event, Moment, Problem, Violation};
use events::{
    Payload,
    gds::{ConfirmacionGDSRevertida, RevertirConfirmacion, Sillas},
};
use parse::invalid;
use serde_json::Value;

use crate::inventory;

/// Its data: an empty object.
fn parse(data: &Value) -> Result<RevertirConfirmacion, Vec<Violation>> {
    parse::read(data, |data, violations| {
        data.object(&[], violations)?;
        Some(RevertirConfirmacion {})
    })
}

/// Its rules: what the confirmation took is given back, once. Where none was taken, from now on none can be.
///
/// Its event: `ConfirmacionGDSRevertida`, with the writes that give the seats back.
pub(crate) fn decide(
    history: &[(Event, Payload)],
    command: &Command,
    now: Moment,
) -> Result<Decision, Problem> {
    let RevertirConfirmacion {} = parse(&command.data).map_err(invalid)?;
    let reverted = |payload: &Payload| matches!(payload, Payload::ConfirmacionGDSRevertida(_));
    if let Some(event) = latest(history, reverted) {
        return Ok(Decision::Already(vec![event.clone()]));
    }
    let sillas = held(history);
    Ok(Decision::Commit {
        with: inventory::give_back(&sillas),
        events: vec![
            ConfirmacionGDSRevertida {
                id_reserva: command.subject,
                sillas,
                fecha_actualizacion: now,
            }
            .into(),
        ],
    })
}

/// What the stream says is held: an event of this stream took it.
fn held(history: &[(Event, Payload)]) -> Vec<Sillas> {
    let confirmed = history.iter().rev().find_map(|(_, payload)| match payload {
        Payload::ReservaGDSConfirmada(confirmed) => Some(confirmed.sillas.clone()),
        _ => None,
    });
    confirmed.unwrap_or_default()
}
