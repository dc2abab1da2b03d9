//! `CancelarReserva`: undoes `CrearReserva` and `AprobarReserva`. Clients and deadlines also send this command.

use alpes_event_store::{Decision, latest};
use alpes_messages::{Command, Event, Moment, Problem, Violation};
use events::{
    Payload, kinds,
    vuelos::{CancelarReserva, EstadoReserva, ReservaCancelada},
};
use parse::invalid;
use serde_json::Value;

use crate::Reserva;

/// The `motivo` of a deadline that has passed. A cancellation with this `motivo` does not cancel an approved
/// reservation.
pub const PLAZO: &str = "plazo";

/// Longest `motivo`, in characters.
pub const MAX_MOTIVO: usize = 200;

/// Reads the command's data.
///
/// # Errors
///
/// Every [`Violation`].
pub fn parse(data: &Value) -> Result<CancelarReserva, Vec<Violation>> {
    parse::read(data, |data, violations| {
        let data = data.object(&["motivo"], violations)?;
        Some(CancelarReserva {
            motivo: data.required("motivo", violations, |node, violations| {
                node.words(MAX_MOTIVO, violations).map(str::to_owned)
            })?,
        })
    })
}

/// Decides a cancellation. Every state allows a cancellation, with one exception: a deadline does not cancel an
/// approved reservation. A reservation that was never made is cancelled too, and can then no longer be made.
///
/// The outcome is `ReservaCancelada`.
pub(crate) fn decide(
    history: &[(Event, Payload)],
    command: &Command,
    now: Moment,
) -> Result<Decision, Problem> {
    let CancelarReserva { motivo } = parse(&command.data).map_err(invalid)?;
    let earlier = latest(history, |payload| {
        matches!(payload, Payload::ReservaCancelada(_))
    });
    if let Some(event) = earlier {
        return Ok(Decision::Already(vec![event.clone()]));
    }
    let aprobada = Reserva::fold(history).estado() == Some(EstadoReserva::Aprobada);
    if aprobada && motivo == PLAZO {
        return Err(Problem::of(kinds::STATE)
            .because("La reserva ya está aprobada; un plazo vencido no la cancela"));
    }
    Ok(Decision::commit(vec![
        ReservaCancelada {
            id_reserva: command.subject,
            fecha_actualizacion: now,
            motivo,
        }
        .into(),
    ]))
}
