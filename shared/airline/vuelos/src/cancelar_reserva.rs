//! `CancelarReserva`: undoes `CrearReserva` and `AprobarReserva`. Clients and deadlines also send this command.

use alpes_event_store::{Case, Decision};
use alpes_messages::{Problem, Violation};
use events::{
    Payload, kinds,
    vuelos::{CancelarReserva, EstadoReserva, ReservaCancelada},
};
use parse::invalid;
use serde_json::Value;

use crate::Reserva;

/// The `motivo` of a cancellation because a deadline has passed. A cancellation with this `motivo` does not cancel an
/// approved reservation.
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
pub(crate) fn decide(case: &Case<'_, Payload>) -> Result<Decision, Problem> {
    let CancelarReserva { motivo } = parse(&case.command.data).map_err(invalid)?;
    let cancelled = |payload: &Payload| matches!(payload, Payload::ReservaCancelada(_));
    if let Some(already) = case.already(cancelled) {
        return Ok(already);
    }
    let aprobada = Reserva::fold(case.history).estado() == Some(EstadoReserva::Aprobada);
    if aprobada && motivo == PLAZO {
        return Err(Problem::of(kinds::STATE)
            .because("La reserva ya está aprobada; un plazo vencido no la cancela"));
    }
    Ok(Decision::commit(vec![
        ReservaCancelada {
            id_reserva: case.command.subject,
            fecha_actualizacion: case.now,
            motivo,
        }
        .into(),
    ]))
}
