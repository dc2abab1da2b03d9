//! What the events of a reservation amount to.

use alpes_messages::{CorrelationId, Event, Moment};
use events::{
    IdReserva, Payload,
    vuelos::{EstadoReserva, Itinerario, Pago, ReservaCreada},
};
use serde::Serialize;

/// A reservation: the fold of its stream.
///
/// It keeps what has happened, and derives its state from that, as the views do (cancelled over approved over pending). So every
/// history has a meaning, in whatever order and by whichever rules it came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reserva {
    creada: Option<(CorrelationId, ReservaCreada)>,
    aprobada: bool,
    cancelada: bool,
    fecha_actualizacion: Option<Moment>,
}

/// A reservation as readers see it: what the view will hold once it has these events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Detalle {
    /// Which.
    pub id_reserva: IdReserva,
    /// Whose.
    pub id_cliente: Option<String>,
    /// Its saga.
    pub id_correlacion: CorrelationId,
    /// Its state; never Pagada, which this context does not hear of.
    pub estado: EstadoReserva,
    /// When it was made.
    pub fecha_creacion: Moment,
    /// When something last happened to it.
    pub fecha_actualizacion: Moment,
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// The price and how it is paid; none where an old event did not tell it.
    pub pago: Option<Pago>,
}

impl Reserva {
    /// Everything that happened, in order.
    #[must_use]
    pub fn fold(history: &[(Event, Payload)]) -> Self {
        history
            .iter()
            .fold(Self::default(), |reserva, (event, payload)| {
                reserva.evolve(event, payload)
            })
    }

    /// One more event. Nothing is refused: it has happened. Events of other contexts pass by.
    #[must_use]
    pub fn evolve(mut self, event: &Event, payload: &Payload) -> Self {
        let moment = match payload {
            Payload::ReservaCreada(creada) => {
                self.creada = Some((event.correlationid, creada.clone()));
                creada.fecha_creacion
            }
            Payload::ReservaAprobada(aprobada) => {
                self.aprobada = true;
                aprobada.fecha_actualizacion
            }
            Payload::AprobacionReservaFallida(fallida) => fallida.fecha_actualizacion,
            Payload::ReservaCancelada(cancelada) => {
                self.cancelada = true;
                cancelada.fecha_actualizacion
            }
            // Other contexts' events pass by.
            Payload::ReservaPagada(_)
            | Payload::PagoFallido(_)
            | Payload::PagoRevertido(_)
            | Payload::ReservaGDSConfirmada(_)
            | Payload::ConfirmacionFallida(_)
            | Payload::ConfirmacionGDSRevertida(_) => return self,
        };
        self.fecha_actualizacion = Some(moment);
        self
    }

    /// Its state; `None` if it was neither made nor cancelled. One that was cancelled without having been made is Cancelada:
    /// its tombstone keeps a late CrearReserva out.
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

    /// True if it was ever made.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.creada.is_some()
    }

    /// What readers see of it; `None` if it was never made.
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
        })
    }
}
