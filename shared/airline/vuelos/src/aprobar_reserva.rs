//! `AprobarReserva`: approves a reservation that is paid and has its seats.

use alpes_event_store::{Decision, latest};
use alpes_messages::{Command, Event, Moment, NewEvent, Problem, Violation};
use events::{
    Payload, kinds,
    vuelos::{AprobacionReservaFallida, AprobarReserva, EstadoReserva, ReservaAprobada},
};
use parse::invalid;
use serde_json::Value;

use crate::Reserva;

/// The reason for which a cancelled reservation is not approved.
const CANCELADA: &str = "La reserva está cancelada";

/// Reads the command's data: an empty object.
fn parse(data: &Value) -> Result<AprobarReserva, Vec<Violation>> {
    parse::read(data, |data, violations| {
        data.object(&[], violations)?;
        Some(AprobarReserva {})
    })
}

/// Decides an approval. Only a pending reservation is approved. For a cancelled reservation the outcome is an event and
/// not a refusal, because the saga continues from it.
///
/// The outcome is `ReservaAprobada` or `AprobacionReservaFallida`.
pub(crate) fn decide(
    history: &[(Event, Payload)],
    command: &Command,
    now: Moment,
) -> Result<Decision, Problem> {
    let AprobarReserva {} = parse(&command.data).map_err(invalid)?;
    let reserva = Reserva::fold(history);
    if !reserva.exists() {
        return Err(Problem::of(kinds::NOT_FOUND).because("No existe la reserva que se aprueba"));
    }
    if reserva.estado() == Some(EstadoReserva::Cancelada) {
        return Ok(Decision::commit(vec![fallida(command, CANCELADA, now)]));
    }
    let earlier = latest(history, |payload| {
        matches!(payload, Payload::ReservaAprobada(_))
    });
    Ok(match earlier {
        Some(event) => Decision::Already(vec![event.clone()]),
        None => Decision::commit(vec![
            ReservaAprobada {
                id_reserva: command.subject,
                fecha_actualizacion: now,
            }
            .into(),
        ]),
    })
}

/// The failure that a test asked for; `None` if the reservation is not pending.
pub(crate) fn failure(
    history: &[(Event, Payload)],
    command: &Command,
    now: Moment,
) -> Option<NewEvent> {
    let pending = Reserva::fold(history).estado() == Some(EstadoReserva::Pendiente);
    pending.then(|| fallida(command, parse::FALLA_INDUCIDA, now))
}

fn fallida(command: &Command, motivo: &str, now: Moment) -> NewEvent {
    AprobacionReservaFallida {
        id_reserva: command.subject,
        fecha_actualizacion: now,
        motivo: motivo.into(),
    }
    .into()
}
