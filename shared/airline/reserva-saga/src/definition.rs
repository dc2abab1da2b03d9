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
    Definitions::new(vec![before_passengers(), current()])
}

/// Version 1, in which every reservation has one passenger. A saga of this version has not kept the passengers.
fn before_passengers() -> Definition {
    let viaje = Mapping::empty().field("itinerarios", "ReservaCreada.itinerarios");
    of_version(1, viaje)
}

/// The version with which new sagas begin.
#[must_use]
pub fn current() -> Definition {
    let viaje = Mapping::empty()
        .field("itinerarios", "ReservaCreada.itinerarios")
        .field("pasajeros", "ReservaCreada.pasajeros");
    of_version(2, viaje)
}

/// The definition in a version. The versions differ only in `viaje`, the data of `ConfirmarReserva`.
fn of_version(version: u32, viaje: Mapping) -> Definition {
    let nothing = Mapping::empty;
    let why = || nothing().field("motivo", "saga.reason");
    let pago = nothing()
        .field("monto", "ReservaCreada.pago.monto")
        .field("monto_vat", "ReservaCreada.pago.monto_vat")
        .field("moneda", "ReservaCreada.pago.moneda")
        .field("medio", "ReservaCreada.pago.medio");
    let cancelled =
        |step: Step| step.undone_by("vuelos", "CancelarReserva", why(), "ReservaCancelada");
    Definition {
        name: "reserva",
        version,
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
    use serde_json::{Map, Value, json};

    use super::*;

    /// The data of `ConfirmarReserva`, built in a version from these fields of `ReservaCreada`.
    fn viaje(version: u32, creada: Value) -> Option<Value> {
        let definitions = definitions();
        let definition = definitions.find("reserva", version).unwrap();
        let mut steps = definition.steps.iter();
        let step = steps.find(|step| step.command == "ConfirmarReserva");
        let context = Map::from_iter([("ReservaCreada".to_owned(), creada)]);
        step?.call.as_ref()?.data.build(&context).ok()
    }

    /// A saga keeps only the fields that its version needs. So a saga that began before reservations had passengers has
    /// none, and its `ConfirmarReserva` takes the seats of one.
    #[test]
    fn a_saga_from_before_passengers_goes_on_without_them() {
        let (before, now) = (
            json!({"itinerarios": [1]}),
            json!({"itinerarios": [1], "pasajeros": [{}, {}]}),
        );
        assert_eq!(viaje(1, before.clone()), Some(before.clone()));
        assert_eq!(viaje(1, now.clone()), Some(before.clone()));
        assert_eq!(viaje(2, now.clone()), Some(now));
        assert_eq!(viaje(2, before), None);
    }

    #[test]
    fn the_definition_can_be_run() {
        for definition in [before_passengers(), current()] {
            assert_eq!(definition.faults(), Vec::<String>::new());
        }
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
