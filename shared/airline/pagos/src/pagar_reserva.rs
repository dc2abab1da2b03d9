//! `PagarReserva`: charges the reservation.

use alpes_event_store::{Case, Decision, Unavailable};
use alpes_messages::{NewEvent, Problem, Violation};
use events::{
    Payload, kinds,
    pagos::{PagarReserva, PagoFallido, ReservaPagada},
    vuelos::{Monto, Pago},
};
use parse::invalid;
use serde_json::Value;

use crate::{
    gateway::{Cobro, Gateway},
    key,
};

/// Longest payment token, in characters.
pub const MAX_MEDIO: usize = 64;

/// Reads the command's data.
///
/// This context does not check that the currency is in use. The context `vuelos`, which sets the price, checks the
/// currency, and so does the provider.
fn parse(data: &Value) -> Result<PagarReserva, Vec<Violation>> {
    parse::read(data, |data, violations| {
        let data = data.object(&["monto", "monto_vat", "moneda", "medio"], violations)?;
        let monto = data.required("monto", violations, |node, violations| {
            node.positive_amount(violations)
        });
        let monto_vat = data.required("monto_vat", violations, |node, violations| {
            node.amount(violations)
        });
        let moneda = data.required("moneda", violations, |node, violations| {
            node.code(violations).map(str::to_owned)
        });
        let medio = data.required("medio", violations, |node, violations| {
            node.words(MAX_MEDIO, violations).map(str::to_owned)
        });
        let pago = Pago {
            monto: Monto(monto?),
            monto_vat: Monto(monto_vat?),
            moneda: moneda?,
            medio: medio?,
        };
        Some(PagarReserva { pago })
    })
}

/// Decides a payment. A repeated payment of a reservation returns the first outcome. A reverted payment is not charged
/// any more.
///
/// The outcome is `ReservaPagada` or `PagoFallido`, as the provider answers.
pub(crate) async fn decide(
    gateway: &dyn Gateway,
    case: &Case<'_, Payload>,
) -> Result<Decision, Unavailable> {
    let pago = match parse(&case.command.data) {
        Ok(PagarReserva { pago }) => pago,
        Err(violations) => return Ok(Decision::Reject(invalid(violations))),
    };
    let reverted = |payload: &_| matches!(payload, Payload::PagoRevertido(_));
    if case.latest(reverted).is_some() {
        return Ok(Decision::Reject(
            Problem::of(kinds::STATE).because("El pago se revirtió; ya no se puede pagar"),
        ));
    }
    let paid = |payload: &_| matches!(payload, Payload::ReservaPagada(_));
    if let Some(already) = case.already(paid) {
        return Ok(already);
    }
    let failed = |payload: &_| matches!(payload, Payload::PagoFallido(_));
    if let Some(already) = case.already(failed) {
        // A reservation with a `PagoFallido` must have no charge. A charge can exist nevertheless, if the answer of the
        // charge was lost and a test then forced the payment to fail.
        gateway.anular(&key(case.command.subject)).await?;
        return Ok(already);
    }
    let event = match gateway.cobrar(&key(case.command.subject), &pago).await? {
        Cobro::Cobrado(pago) => ReservaPagada {
            id_reserva: case.command.subject,
            pago,
            fecha_actualizacion: case.now,
        }
        .into(),
        Cobro::Rechazado { motivo } => pago_fallido(case, motivo),
    };
    Ok(Decision::commit(vec![event]))
}

/// The event of a failure that a test asked for; `None` if the reservation's stream in `pagos` already has an event.
pub(crate) fn failure(case: &Case<'_, Payload>) -> Option<NewEvent> {
    let failed = || pago_fallido(case, parse::FALLA_INDUCIDA.into());
    case.history.is_empty().then(failed)
}

fn pago_fallido(case: &Case<'_, Payload>, motivo: String) -> NewEvent {
    PagoFallido {
        id_reserva: case.command.subject,
        motivo,
        fecha_actualizacion: case.now,
    }
    .into()
}
