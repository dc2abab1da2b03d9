//! Scenarios for decisions: given the events of a history, when a command is decided, then the decision is events or a
//! refusal, and the gateway got certain calls.

use std::sync::{Arc, Mutex};

use alpes_event_store::{Case, Decider, Decision, Unavailable};
use alpes_messages::{Command, Event, Moment, NewEvent, Problem, StreamId};
use async_trait::async_trait;
use domain_kit::scenario::{self, Decided};
use events::{
    IdReserva, PAGOS, Payload,
    pagos::{PagoFallido, PagoRevertido, ReservaPagada},
    vuelos::{Monto, Pago},
};
use futures::executor::block_on;
use pagos::{
    Gateway, PAGAR_RESERVA, Pagos, REVERTIR_PAGO,
    gateway::{Anulacion, Cobro, NoAnswer},
};
use serde_json::json;
use uuid::Uuid;

pub use domain_kit::scenario::command;

pub const RESERVA: IdReserva = IdReserva(Uuid::from_u128(1));

/// The time at which the command is handled.
pub fn now() -> Moment {
    "2026-01-31T13:00:00.000Z".parse().unwrap()
}

/// The time of every event of a history.
pub fn before() -> Moment {
    "2026-01-31T12:00:00.000Z".parse().unwrap()
}

pub fn pago(monto: &str, medio: &str) -> Pago {
    Pago {
        monto: Monto(monto.parse().unwrap()),
        monto_vat: Monto("19.00".parse().unwrap()),
        moneda: "USD".into(),
        medio: medio.into(),
    }
}

/// A command to pay 100.00 and tax.
pub fn pagar(id: u128, medio: &str) -> Command {
    command(id, RESERVA, PAGAR_RESERVA, json!(pago("100.00", medio)))
}

pub fn revertir(id: u128) -> Command {
    command(id, RESERVA, REVERTIR_PAGO, json!({}))
}

pub fn pagada(pago: Pago, fecha_actualizacion: Moment) -> NewEvent {
    ReservaPagada {
        id_reserva: RESERVA,
        pago,
        fecha_actualizacion,
    }
    .into()
}

pub fn fallido(motivo: &str, fecha_actualizacion: Moment) -> NewEvent {
    PagoFallido {
        id_reserva: RESERVA,
        motivo: motivo.into(),
        fecha_actualizacion,
    }
    .into()
}

pub fn revertido(devuelto: bool, fecha_actualizacion: Moment) -> NewEvent {
    PagoRevertido {
        id_reserva: RESERVA,
        devuelto,
        fecha_actualizacion,
    }
    .into()
}

/// The history in the form of the event store.
pub fn history(events: impl IntoIterator<Item = NewEvent>) -> Vec<(Event, Payload)> {
    let stream = StreamId::new(PAGOS, RESERVA);
    scenario::history(&events::catalogue(), stream, before(), events)
}

/// A gateway that gives the same answer to every charge and the same answer to every void, and records the calls.
struct Noting {
    cobro: Result<Cobro, NoAnswer>,
    anulacion: Result<Anulacion, NoAnswer>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Gateway for Noting {
    async fn cobrar(&self, key: &str, pago: &Pago) -> Result<Cobro, NoAnswer> {
        let asked = format!("cobrar {key} {} {}", pago.monto.0, pago.medio);
        self.asked.lock().unwrap().push(asked);
        self.cobro.clone()
    }

    async fn anular(&self, key: &str) -> Result<Anulacion, NoAnswer> {
        self.asked.lock().unwrap().push(format!("anular {key}"));
        self.anulacion.clone()
    }
}

pub struct Escenario {
    history: Vec<(Event, Payload)>,
    cobro: Result<Cobro, NoAnswer>,
    anulacion: Result<Anulacion, NoAnswer>,
}

/// A scenario with these events as its history, and a gateway that charges 100.00 with `tok_visa` and refunds every
/// void.
pub fn given(events: impl IntoIterator<Item = NewEvent>) -> Escenario {
    Escenario {
        history: history(events),
        cobro: Ok(Cobro::Cobrado(pago("100.00", "tok_visa"))),
        anulacion: Ok(Anulacion::Devuelto),
    }
}

impl Escenario {
    pub fn whose_charge(mut self, cobro: Result<Cobro, NoAnswer>) -> Self {
        self.cobro = cobro;
        self
    }

    pub fn whose_void(mut self, anulacion: Result<Anulacion, NoAnswer>) -> Self {
        self.anulacion = anulacion;
        self
    }

    pub fn when(self, command: &Command) -> Outcome {
        let gateway = Arc::new(Noting {
            cobro: self.cobro,
            anulacion: self.anulacion,
            asked: Mutex::default(),
        });
        let pagos = Pagos {
            gateway: gateway.clone(),
        };
        let case = Case::first(&self.history, command, now());
        Outcome {
            decision: block_on(pagos.decide(&case)),
            asked: gateway.asked.lock().unwrap().clone(),
            history: self.history,
        }
    }
}

pub struct Outcome {
    history: Vec<(Event, Payload)>,
    decision: Result<Decision, Unavailable>,
    asked: Vec<String>,
}

impl Outcome {
    /// Asserts that the gateway got only this call, and that the decision commits these events.
    pub fn then(self, asked: &str, events: impl IntoIterator<Item = NewEvent>) {
        let events = events.into_iter().collect();
        assert_eq!(self.decision, Ok(Decision::commit(events)));
        assert_eq!(self.asked, [asked]);
    }

    /// Asserts that the command is done already, by the event with this version, and that the gateway got no call.
    pub fn then_already(self, version: usize) {
        assert_eq!(self.asked, [""; 0]);
        self.assert_already(version);
    }

    /// Asserts that the command is done already, by the event with this version, and that the charge was voided
    /// nevertheless.
    pub fn then_voided_and_already(self, version: usize) {
        let subject = self.history[0].0.subject;
        assert_eq!(self.asked, [format!("anular {}", pagos::key(subject))]);
        self.assert_already(version);
    }

    fn assert_already(self, version: usize) {
        self.decided().then_already(version);
    }

    fn decided(self) -> Decided<Payload> {
        Decided {
            history: self.history,
            decision: self.decision.unwrap(),
        }
    }

    /// Asserts that the command is refused, and that the gateway got no call.
    pub fn then_refused(self, is: impl Fn(&Problem) -> bool) -> Problem {
        assert_eq!(self.asked, [""; 0]);
        self.decided().then_refused(is)
    }

    pub fn then_unavailable(self, because: &str) {
        let error = self.decision.unwrap_err();
        assert!(error.0.contains(because), "{error}");
    }
}
