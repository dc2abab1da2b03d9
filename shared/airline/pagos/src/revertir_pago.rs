//! `RevertirPago`: undoes `PagarReserva`.

use alpes_event_store::{Decision, Unavailable, latest};
use alpes_messages::{Command, Event, Moment, Violation};
use events::{
    Payload,
    pagos::{PagoRevertido, RevertirPago},
};
use parse::invalid;
use serde_json::Value;

use crate::{
    gateway::{Anulacion, Gateway},
    key,
};

/// Reads the command's data: an empty object.
fn parse(data: &Value) -> Result<RevertirPago, Vec<Violation>> {
    parse::read(data, |data, violations| {
        data.object(&[], violations)?;
        Some(RevertirPago {})
    })
}

/// Decides a reversal, which is possible in every state. The provider voids the charge before the commit, whatever the
/// stream says: a `PagarReserva` may be in flight, or a test may have forced the reversal. A payment that was never
/// made is reverted too, and can then no longer be made.
///
/// The outcome is `PagoRevertido`.
pub(crate) async fn decide(
    gateway: &dyn Gateway,
    history: &[(Event, Payload)],
    command: &Command,
    now: Moment,
) -> Result<Decision, Unavailable> {
    if let Err(violations) = parse(&command.data) {
        return Ok(Decision::Reject(invalid(violations)));
    }
    let anulacion = gateway.anular(&key(command.subject)).await?;
    let reverted = |payload: &_| matches!(payload, Payload::PagoRevertido(_));
    if let Some(event) = latest(history, reverted) {
        return Ok(Decision::Already(vec![event.clone()]));
    }
    Ok(Decision::commit(vec![
        PagoRevertido {
            id_reserva: command.subject,
            devuelto: anulacion == Anulacion::Devuelto,
            fecha_actualizacion: now,
        }
        .into(),
    ]))
}
