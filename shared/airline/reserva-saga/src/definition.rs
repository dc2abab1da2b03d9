//! The definition of the saga: its steps as a table.

use std::time::Duration;

use alpes_saga::{Definition, Definitions, Expiry, Mapping, Step, Texts};

/// The `motivo` of the cancellation if the saga of a reservation began too late. A cancellation with this `motivo` does
/// not cancel an approved reservation.
pub const VENCIDA: &str = "plazo";

/// A reservation that waited longer than this for its saga is cancelled and not charged, because its client no longer
/// expects a result.
const EXPIRES_AFTER: Duration = Duration::from_hours(24);

/// Longest duration of a saga in which nothing fails; most take seconds. After this time, a saga that the coordinator
/// only watches is logged as late.
const PATIENCE: Duration = Duration::from_mins(1);

/// The Spanish texts in the saga's commands and log, for clients and operators.
const TEXTS: Texts = Texts {
    no_answer: "sin respuesta",
    rejected: "rechazado",
    unexpected_answer: "respuesta inesperada",
    unknown_field: "no se conoce",
    step: "paso",
    not_undone: "no se pudo deshacer",
    cut_short: "su ejecución no llegó al final",
    execution_gone: "su ejecución ya no existe",
    no_execution: "no tiene ejecución",
    no_machine: "aquí no hay una máquina de estados",
    other_version: "la saga es de otra versión de la definición",
};

/// Every version of the definition that a saga in flight may have.
#[must_use]
pub fn definitions() -> Definitions {
    Definitions::new(vec![current()])
}

/// The version with which new sagas begin.
#[must_use]
pub fn current() -> Definition {
    let nothing = Mapping::empty;
    let why = || nothing().field("motivo", "saga.reason");
    let pago = nothing()
        .field("monto", "ReservaCreada.pago.monto")
        .field("monto_vat", "ReservaCreada.pago.monto_vat")
        .field("moneda", "ReservaCreada.pago.moneda")
        .field("medio", "ReservaCreada.pago.medio");
    let viaje = nothing().field("itinerarios", "ReservaCreada.itinerarios");
    let cancelled =
        |step: Step| step.undone_by("vuelos", "CancelarReserva", why(), "ReservaCancelada");
    Definition {
        name: "reserva",
        version: 1,
        expiry: Expiry {
            after: EXPIRES_AFTER,
            reason: VENCIDA,
        },
        patience: PATIENCE,
        texts: TEXTS,
        steps: vec![
            cancelled(Step::opening("CrearReserva", "ReservaCreada")),
            Step::asking("pagos", "PagarReserva", pago, "ReservaPagada")
                .failing_with("PagoFallido")
                .undone_by("pagos", "RevertirPago", nothing(), "PagoRevertido"),
            Step::asking("gds", "ConfirmarReserva", viaje, "ReservaGDSConfirmada")
                .failing_with("ConfirmacionFallida")
                .undone_by(
                    "gds",
                    "RevertirConfirmacion",
                    nothing(),
                    "ConfirmacionGDSRevertida",
                ),
            cancelled(
                Step::asking("vuelos", "AprobarReserva", nothing(), "ReservaAprobada")
                    .failing_with("AprobacionReservaFallida"),
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use alpes_saga::Definition;

    use super::*;

    #[test]
    fn the_definition_can_be_run() {
        assert_eq!(current().faults(), Vec::<String>::new());
    }

    #[test]
    fn its_events_are_in_the_catalogue() {
        let Definition { steps, .. } = current();
        let known = events::catalogue();
        for step in steps {
            let undo = step
                .compensation
                .map(|undo| (undo.call.participant, undo.success));
            let owner = step.call.map_or("vuelos", |call| call.participant);
            let own = [Some(step.success), step.failure];
            let own = own.into_iter().flatten().map(|kind| (owner, kind));
            for (context, kind) in own.chain(undo) {
                assert!(known.find(context, kind).is_some(), "{context}:{kind}");
            }
        }
    }
}
