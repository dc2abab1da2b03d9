//! The table of steps.

use std::time::Duration;

use alpes_saga::{
    Call, Compensation, Definition, Definitions, Expiry, Mapping, Retry, Step, Texts,
};

/// The motivo of a reservation that nobody acted on in time. As that of every deadline, it does not cancel what is approved.
pub const VENCIDA: &str = "plazo";

/// A reservation that waited this long for its saga is cancelled instead of charged: its client has given it up.
const EXPIRES_AFTER: Duration = Duration::from_hours(24);

/// When all is well a reservation takes seconds, and no more than this.
const PATIENCE: Duration = Duration::from_mins(1);

/// For doing. Soon given up: what is in doubt is undone, and the client knows where it stands.
const DOING: Retry = Retry {
    attempts: 4,
    patience: Duration::from_secs(5),
    pause: Duration::from_millis(200),
    longest_pause: Duration::from_secs(10),
};

/// For undoing. Patient: what is given up here needs a person.
const UNDOING: Retry = Retry {
    attempts: 8,
    patience: Duration::from_secs(5),
    pause: Duration::from_millis(200),
    longest_pause: Duration::from_mins(1),
};

/// The reasons that its commands carry and the problems in its log: clients and operators read them.
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

/// Every version that sagas in flight may have.
#[must_use]
pub fn definitions() -> Definitions {
    Definitions::new(vec![current()])
}

/// The version that new sagas begin with.
#[must_use]
pub fn current() -> Definition {
    let doing = |participant, data| {
        Some(Call {
            participant,
            data,
            retry: DOING,
        })
    };
    let undoing = |participant, command, data, success| {
        let retry = UNDOING;
        Some(Compensation {
            command,
            call: Call {
                participant,
                data,
                retry,
            },
            success,
        })
    };
    let cancelling = || {
        let why = Mapping::empty().field("motivo", "saga.reason");
        undoing("vuelos", "CancelarReserva", why, "ReservaCancelada")
    };
    let pago = Mapping::empty()
        .field("monto", "ReservaCreada.pago.monto")
        .field("monto_vat", "ReservaCreada.pago.monto_vat")
        .field("moneda", "ReservaCreada.pago.moneda")
        .field("medio", "ReservaCreada.pago.medio");
    let viaje = Mapping::empty().field("itinerarios", "ReservaCreada.itinerarios");
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
            Step {
                command: "CrearReserva",
                call: None,
                success: "ReservaCreada",
                failure: None,
                compensation: cancelling(),
            },
            Step {
                command: "PagarReserva",
                call: doing("pagos", pago),
                success: "ReservaPagada",
                failure: Some("PagoFallido"),
                compensation: undoing("pagos", "RevertirPago", Mapping::empty(), "PagoRevertido"),
            },
            Step {
                command: "ConfirmarReserva",
                call: doing("gds", viaje),
                success: "ReservaGDSConfirmada",
                failure: Some("ConfirmacionFallida"),
                compensation: undoing(
                    "gds",
                    "RevertirConfirmacion",
                    Mapping::empty(),
                    "ConfirmacionGDSRevertida",
                ),
            },
            Step {
                command: "AprobarReserva",
                call: doing("vuelos", Mapping::empty()),
                success: "ReservaAprobada",
                failure: Some("AprobacionReservaFallida"),
                compensation: cancelling(),
            },
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
