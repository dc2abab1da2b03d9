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

/// Its data: an empty object.
fn parse(data: &Value) -> Result<RevertirPago, Vec<Violation>> {
    parse::read(data, |data, violations| {
        data.object(&[], violations)?;
        Some(RevertirPago {})
    })
}

/// Its rules: from any state. The charge is voided before the commit whatever the stream says, for a `PagarReserva` may be on its
/// way whose outcome is not there yet, or a test may have said that it is reverted. What was never paid is reverted too, and can then no longer be paid.
///
/// Its event: `PagoRevertido`.
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
