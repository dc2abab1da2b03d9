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

/// A reservation, as the API shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReservaDto {
    /// The reservation.
    pub id_reserva: IdReserva,
    /// The client.
    pub id_cliente: Option<String>,
    /// The correlation id, which is the id of the reservation's saga.
    pub id_correlacion: CorrelationId,
    /// Its state.
    pub estado: EstadoReserva,
    /// Time at which the reservation was made.
    pub fecha_creacion: Moment,
    /// Time of the reservation's last event.
    pub fecha_actualizacion: Moment,
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// The price and its payment token; null if an old event did not have them.
    pub pago: Option<Pago>,
    /// The source of this answer.
    pub origen: Origen,
}

impl ReservaDto {
    /// Converts a row of the view; `None` if the view does not have its `ReservaCreada` yet.
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
        Self {
            id_reserva: detalle.id_reserva,
            id_cliente: detalle.id_cliente,
            id_correlacion: detalle.id_correlacion,
            estado: detalle.estado,
            fecha_creacion: detalle.fecha_creacion,
            fecha_actualizacion: detalle.fecha_actualizacion,
            itinerarios: detalle.itinerarios,
            pago: detalle.pago,
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
        // The answer shows the reservation as it was made, even if the stream has later events. The view folds the
        // creation before any later event. If this answer included later events, the next answer, from the view, could
        // show an older state.
        let made = history
            .iter()
            .position(|(_, payload)| matches!(payload, Payload::ReservaCreada(_)));
        let told = made.and_then(|made| history.get(..=made));
        let detalle = told.and_then(|told| Reserva::fold(told).detalle());
        Ok(detalle.map(ReservaDto::from_stream))
    }
}
