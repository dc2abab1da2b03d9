//! `AprobarReserva`: the reservation is paid and confirmed.

use alpes_event_store::{Decision, latest};
use alpes_messages::{Command, Event, Moment, NewEvent, Problem, Violation};
use events::{
    Payload, kinds,
    vuelos::{AprobacionReservaFallida, AprobarReserva, EstadoReserva, ReservaAprobada},
};
use parse::invalid;
use serde_json::Value;

use crate::Reserva;

/// Why the approval of a cancelled reservation fails.
const CANCELADA: &str = "La reserva está cancelada";

/// Its data: an empty object.
fn parse(data: &Value) -> Result<AprobarReserva, Vec<Violation>> {
    parse::read(data, |data, violations| {
        data.object(&[], violations)?;
        Some(AprobarReserva {})
    })
}

/// Its rules: only what is pending is approved. That a cancelled one is not is an outcome the saga goes on from, so it is an event.
///
/// Its events: `ReservaAprobada` or `AprobacionReservaFallida`.
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

/// The failure that a test asks for: of what is pending, which else would be approved.
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
