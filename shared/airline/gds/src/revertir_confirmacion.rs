//! `RevertirConfirmacion`: undoes `ConfirmarReserva`, whatever the outcome of `ConfirmarReserva`.

use alpes_event_store::{Case, Decision};
use alpes_messages::{Event, Problem};
use events::{
    Payload,
    gds::{ConfirmacionGDSRevertida, Sillas},
};

use crate::inventory;

/// Decides a reversal. The first reversal gives back the seats of the reservation, if it holds seats. After a reversal
/// the reservation can get no seats.
///
/// The outcome is `ConfirmacionGDSRevertida`, with the writes that give the seats back.
pub(crate) fn decide(case: &Case<'_, Payload>) -> Result<Decision, Problem> {
    parse::empty(&case.command.data)?;
    let reverted = |payload: &Payload| matches!(payload, Payload::ConfirmacionGDSRevertida(_));
    if let Some(already) = case.already(reverted) {
        return Ok(already);
    }
    let sillas = held(case.history);
    Ok(Decision::Commit {
        with: inventory::give_back(&sillas),
        events: vec![
            ConfirmacionGDSRevertida {
                id_reserva: case.command.subject,
                sillas,
                fecha_actualizacion: case.now,
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
