//! `GET /vuelos/reserva/{id}`.

use alpes_messages::StreamId;
use api::{Caller, Refusal};
use events::{IdReserva, Payload, VUELOS, vuelos::Pasajero};
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
    #[serde(flatten)]
    pub detalle: Detalle,
    /// The source of this answer.
    pub origen: Origen,
}

impl ReservaDto {
    /// Converts a row of the view; `None` if the view does not have its `ReservaCreada` yet.
    #[must_use]
    pub fn from_view(fila: Fila) -> Option<Self> {
        let fecha_creacion = fila.fecha_creacion?;
        let detalle = Detalle {
            id_reserva: fila.id_reserva?,
            id_cliente: fila.id_cliente,
            id_correlacion: fila.id_correlacion?,
            estado: fila.estado?,
            fecha_creacion,
            fecha_actualizacion: fila.fecha_actualizacion.unwrap_or(fecha_creacion),
            itinerarios: fila.itinerarios,
            pago: fila.pago,
            pasajeros: if fila.pasajeros.is_empty() {
                Pasajero::one()
            } else {
                fila.pasajeros
            },
        };
        let origen = Origen::Vista;
        Some(Self { detalle, origen })
    }
}

impl App {
    pub(crate) async fn reserva(
        &self,
        id: &str,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let id = api::id(id)?;
        let generation = self.generations.live(reservas::NAME).await?;
        let fila = reservas::one(&*self.tables, &generation, id).await?;
        let dto = match fila.and_then(ReservaDto::from_view) {
            Some(dto) => Some(dto),
            None => self.reserva_of_stream(id).await?,
        };
        let seen = dto.filter(|dto| caller.sees(dto.detalle.id_cliente.as_deref()));
        let dto = seen.ok_or_else(|| no_such_reservation(id))?;
        Ok(api::json(StatusCode::OK, &dto))
    }

    async fn reserva_of_stream(&self, id: IdReserva) -> Result<Option<ReservaDto>, Refusal> {
        let id = StreamId::new(VUELOS, id);
        let history = self.reader.history(id).await?;
        // The answer shows the reservation as it was made, even if the stream has later events. The view shows the
        // reservation once it has folded the creation, and may fold the later events only afterwards. If this answer
        // included later events, the next answer, from the view, could show an older state.
        let made = history
            .iter()
            .position(|(_, payload)| matches!(payload, Payload::ReservaCreada(_)));
        let told = made.and_then(|made| history.get(..=made));
        let detalle = told.and_then(|told| Reserva::fold(told).detalle());
        let origen = Origen::Comando;
        Ok(detalle.map(|detalle| ReservaDto { detalle, origen }))
    }
}
