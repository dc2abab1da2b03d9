//! `GET /vuelos/reserva/{id}`.

use alpes_messages::{CorrelationId, Moment, StreamId};
use api::Refusal;
use events::{
    IdReserva, Payload, VUELOS,
    vuelos::{EstadoReserva, Itinerario, Pago},
};
use lambda_http::{Body, Response, http::StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use views::reservas::{self, Fila};
use vuelos::{Detalle, Reserva};

use crate::{App, Origen, no_such_reservation};

/// A reservation, as the API tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaDto {
    /// Which.
    pub id_reserva: IdReserva,
    /// Whose.
    pub id_cliente: Option<String>,
    /// Its saga.
    pub id_correlacion: CorrelationId,
    /// Its state.
    pub estado: EstadoReserva,
    /// When it was made.
    pub fecha_creacion: Moment,
    /// When something last happened to it.
    pub fecha_actualizacion: Moment,
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// The price and how it is paid; null where an old event did not tell it.
    pub pago: Option<Pago>,
    /// Where this answer comes from.
    pub origen: Origen,
}

impl ReservaDto {
    /// A row of the view; `None` if the view has not heard of its making.
    #[must_use]
    pub fn from_view(fila: Fila) -> Option<Self> {
        let fecha_creacion = fila.fecha_creacion?;
        Some(Self {
            id_reserva: fila.id_reserva?,
            id_cliente: fila.id_cliente,
            id_correlacion: fila.id_correlacion?,
            estado: fila.estado?,
            fecha_creacion,
            fecha_actualizacion: fila.fecha_actualizacion.unwrap_or(fecha_creacion),
            itinerarios: fila.itinerarios,
            pago: fila.pago,
            origen: Origen::Vista,
        })
    }

    fn from_stream(detalle: Detalle) -> Self {
        let Detalle {
            id_reserva,
            id_cliente,
            id_correlacion,
            estado,
            fecha_creacion,
            fecha_actualizacion,
            itinerarios,
            pago,
        } = detalle;
        Self {
            id_reserva,
            id_cliente,
            id_correlacion,
            estado,
            fecha_creacion,
            fecha_actualizacion,
            itinerarios,
            pago,
            origen: Origen::Comando,
        }
    }
}

impl App {
    pub(crate) async fn reserva(&self, id: &str) -> Result<Response<Body>, Refusal> {
        let id = api::id(id)?;
        let generation = self.generations.live(reservas::NAME).await?;
        let fila = reservas::one(&*self.tables, &generation, id).await?;
        let dto = match fila.and_then(ReservaDto::from_view) {
            Some(dto) => dto,
            None => self
                .reserva_of_stream(id)
                .await?
                .ok_or_else(|| no_such_reservation(id))?,
        };
        Ok(api::json(StatusCode::OK, &dto))
    }

    async fn reserva_of_stream(&self, id: IdReserva) -> Result<Option<ReservaDto>, Refusal> {
        let id = StreamId::new(VUELOS, id);
        let history = self.reader.history(id).await?;
        // As it was made, whatever the stream has beyond that: the view hears of its making first, and who was told more would
        // see it go back.
        let made = history
            .iter()
            .position(|(_, payload)| matches!(payload, Payload::ReservaCreada(_)));
        let told = made.and_then(|made| history.get(..=made));
        let detalle = told.and_then(|told| Reserva::fold(told).detalle());
        Ok(detalle.map(ReservaDto::from_stream))
    }
}
