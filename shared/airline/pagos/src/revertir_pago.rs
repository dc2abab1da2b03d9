//! `RevertirPago`: undoes `PagarReserva`.

use alpes_event_store::{Case, Decision, Unavailable};
use events::{Payload, pagos::PagoRevertido};

use crate::{
    gateway::{Anulacion, Gateway},
    key,
};

/// Decides a reversal, which is possible in every state. The provider voids the charge before the commit, whatever the
/// stream says, because a `PagarReserva` may be in flight, or a test may have forced the reversal. A payment that was
/// never made is reverted too, and can then no longer be made.
///
/// The outcome is `PagoRevertido`.
pub(crate) async fn decide(
    gateway: &dyn Gateway,
    case: &Case<'_, Payload>,
) -> Result<Decision, Unavailable> {
    if let Err(problem) = parse::empty(&case.command.data) {
        return Ok(Decision::Reject(problem));
    }
    let anulacion = gateway.anular(&key(case.command.subject)).await?;
    let reverted = |payload: &_| matches!(payload, Payload::PagoRevertido(_));
    if let Some(already) = case.already(reverted) {
        return Ok(already);
    }
    Ok(Decision::commit(vec![
        PagoRevertido {
            id_reserva: case.command.subject,
            devuelto: anulacion == Anulacion::Devuelto,
            fecha_actualizacion: case.now,
        }
        .into(),
    ]))
}
