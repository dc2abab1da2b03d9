//! The fold of a reservation's events.

use alpes_messages::{CorrelationId, Event, Moment};
use events::{
    EventoVuelos, IdReserva, Payload,
    vuelos::{EstadoReserva, Itinerario, Pago, Pasajero, ReservaCreada},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A reservation: the fold of its stream.
///
/// A `Reserva` keeps the facts and derives the state from the facts, as the views do: cancelled has precedence over
/// approved, and approved over pending. So every history can be folded, whatever the order of its events and the rules
/// of its time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reserva {
    creada: Option<(CorrelationId, ReservaCreada)>,
    aprobada: bool,
    cancelada: bool,
    fecha_actualizacion: Option<Moment>,
}

/// A reservation as readers see it. The view has the same content once it has folded these events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Detalle {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The client.
    pub id_cliente: Option<String>,
    /// The correlation id, which is the id of the reservation's saga.
    pub id_correlacion: CorrelationId,
    /// The state. The fold of this context's events is never `Pagada`, because the context receives no payment events.
    pub estado: EstadoReserva,
    /// Time at which the reservation was made.
    pub fecha_creacion: Moment,
    /// Time of the reservation's last event.
    pub fecha_actualizacion: Moment,
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// The price and its payment token; null if an old event did not have them.
    pub pago: Option<Pago>,
    /// The passengers.
    pub pasajeros: Vec<Pasajero>,
}

impl Reserva {
    /// Folds all events of a stream, in order.
    #[must_use]
    pub fn fold(history: &[(Event, Payload)]) -> Self {
        history
            .iter()
            .fold(Self::default(), |reserva, (event, payload)| {
                reserva.evolve(event, payload)
            })
    }

    /// Folds one more event. No event is refused, because events have already happened. Events of other contexts are
    /// ignored.
    #[must_use]
    pub fn evolve(mut self, event: &Event, payload: &Payload) -> Self {
        let Some(own) = payload.vuelos() else {
            return self;
        };
        let moment = match own {
            EventoVuelos::ReservaCreada(creada) => {
                self.creada = Some((event.correlationid, creada.clone()));
                creada.fecha_creacion
            }
            EventoVuelos::ReservaAprobada(aprobada) => {
                self.aprobada = true;
                aprobada.fecha_actualizacion
            }
            EventoVuelos::AprobacionReservaFallida(fallida) => fallida.fecha_actualizacion,
            EventoVuelos::ReservaCancelada(cancelada) => {
                self.cancelada = true;
                cancelada.fecha_actualizacion
            }
        };
        self.fecha_actualizacion = Some(moment);
        self
    }

    /// The state; `None` if the reservation was neither made nor cancelled. A reservation that was cancelled before it
    /// was made is `Cancelada`. This state is a tombstone, because a late `CrearReserva` is then refused.
    #[must_use]
    pub fn estado(&self) -> Option<EstadoReserva> {
        if self.cancelada {
            Some(EstadoReserva::Cancelada)
        } else if self.aprobada {
            Some(EstadoReserva::Aprobada)
        } else {
            self.creada.as_ref().map(|_| EstadoReserva::Pendiente)
        }
    }

    /// True if the reservation was made.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.creada.is_some()
    }

    /// The form that readers get; `None` if the reservation was never made.
    #[must_use]
    pub fn detalle(&self) -> Option<Detalle> {
        let (id_correlacion, creada) = self.creada.as_ref()?;
        Some(Detalle {
            id_reserva: creada.id_reserva,
            id_cliente: creada.id_cliente.clone(),
            id_correlacion: *id_correlacion,
            estado: self.estado()?,
            fecha_creacion: creada.fecha_creacion,
            fecha_actualizacion: self.fecha_actualizacion.unwrap_or(creada.fecha_creacion),
            itinerarios: creada.itinerarios.clone(),
            pago: creada.pago.clone(),
            pasajeros: creada.pasajeros.clone(),
        })
    }
}
