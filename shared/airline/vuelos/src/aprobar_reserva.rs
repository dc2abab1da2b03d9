//! `AprobarReserva`: approves a reservation that is paid and has its seats.

use alpes_event_store::{Case, Decision};
use alpes_messages::{NewEvent, Problem};
use events::{
    Payload, kinds,
    vuelos::{AprobacionReservaFallida, EstadoReserva, ReservaAprobada},
};

use crate::Reserva;

/// The reason for which a cancelled reservation is not approved.
const CANCELADA: &str = "La reserva está cancelada";

/// Decides an approval. Only a pending reservation is approved. For a cancelled reservation the outcome is an event and
/// not a refusal, because the saga needs an event to continue.
///
/// The outcome is `ReservaAprobada` or `AprobacionReservaFallida`.
pub(crate) fn decide(case: &Case<'_, Payload>) -> Result<Decision, Problem> {
    parse::empty(&case.command.data)?;
    let reserva = Reserva::fold(case.history);
    if !reserva.exists() {
        return Err(Problem::of(kinds::NOT_FOUND).because("No existe la reserva que se aprueba"));
    }
    if reserva.estado() == Some(EstadoReserva::Cancelada) {
        return Ok(Decision::commit(vec![fallida(case, CANCELADA)]));
    }
    let approved = |payload: &Payload| matches!(payload, Payload::ReservaAprobada(_));
    if let Some(already) = case.already(approved) {
        return Ok(already);
    }
    Ok(Decision::commit(vec![
        ReservaAprobada {
            id_reserva: case.command.subject,
            fecha_actualizacion: case.now,
        }
        .into(),
    ]))
}

/// The event of a failure that a test asked for; `None` if the reservation is not pending.
pub(crate) fn failure(case: &Case<'_, Payload>) -> Option<NewEvent> {
    let pending = Reserva::fold(case.history).estado() == Some(EstadoReserva::Pendiente);
    pending.then(|| fallida(case, parse::FALLA_INDUCIDA))
}

fn fallida(case: &Case<'_, Payload>, motivo: &str) -> NewEvent {
    AprobacionReservaFallida {
        id_reserva: case.command.subject,
        fecha_actualizacion: case.now,
        motivo: motivo.into(),
    }
    .into()
}
