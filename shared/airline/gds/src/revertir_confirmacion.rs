//! `RevertirConfirmacion`: undoes `ConfirmarReserva`, whatever its outcome.

use alpes_event_store::{Decision, latest};
use alpes_messages::{Command, Event, Moment, Problem, Violation};
use events::{
    Payload,
    gds::{ConfirmacionGDSRevertida, RevertirConfirmacion, Sillas},
};
use parse::invalid;
use serde_json::Value;

use crate::inventory;

/// Reads the command's data: an empty object.
fn parse(data: &Value) -> Result<RevertirConfirmacion, Vec<Violation>> {
    parse::read(data, |data, violations| {
        data.object(&[], violations)?;
        Some(RevertirConfirmacion {})
    })
}

/// Decides a reversal. A reversal gives back the seats of the reservation once. A reservation without seats can get
/// none from then on.
///
/// The outcome is `ConfirmacionGDSRevertida`, with the writes that give the seats back.
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

/// The seats that the reservation holds, according to the events of its stream.
fn held(history: &[(Event, Payload)]) -> Vec<Sillas> {
    let confirmed = history.iter().rev().find_map(|(_, payload)| match payload {
        Payload::ReservaGDSConfirmada(confirmed) => Some(confirmed.sillas.clone()),
        _ => None,
    });
    confirmed.unwrap_or_default()
}
