//! The view `reservas`: one row for each reservation, as its clients see it.
//!
//! `estado` follows from the events received so far, in any order. A row without its `ReservaCreada` is kept, and not
//! listed.

use alpes_messages::{CorrelationId, Event, Moment};
use alpes_ports::{Consistency, Direction, Index, IndexQuery, Item, TableError, Tables};
use alpes_projections::{Generation, Place, TABLE, Unfoldable, View, fold_as, own_attributes};
use events::{
    IdReserva, Payload,
    vuelos::{EstadoReserva, Itinerario, Pago, Pasajero},
};
use serde::{Deserialize, Serialize};

use crate::hechos::Hechos;

/// The view's name.
pub const NAME: &str = "reservas";

/// Longest client id that can be queried, in bytes. An old event, or an event of a test, may have a longer client id,
/// and DynamoDB refuses rows with keys of more than 2,048 bytes.
const MAX_CLIENT: usize = 64;

/// The view `reservas`.
pub struct Reservas;

/// A row of the view, for one reservation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fila {
    /// The reservation; `None` until `ReservaCreada` arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_reserva: Option<IdReserva>,
    /// The client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_cliente: Option<String>,
    /// The correlation id, which is the id of the reservation's saga.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_correlacion: Option<CorrelationId>,
    hechos: Hechos,
    /// The state that follows from the facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estado: Option<EstadoReserva>,
    /// Time at which the reservation was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fecha_creacion: Option<Moment>,
    /// Time of the reservation's last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fecha_actualizacion: Option<Moment>,
    /// The journey.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub itinerarios: Vec<Itinerario>,
    /// The price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pago: Option<Pago>,
    /// The passengers; empty if the row was folded before reservations had passengers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pasajeros: Vec<Pasajero>,
}

impl Fila {
    fn fold(&mut self, event: &Event, payload: &Payload) {
        if let Payload::ReservaCreada(made) = payload {
            self.id_reserva = Some(made.id_reserva);
            self.id_cliente.clone_from(&made.id_cliente);
            self.id_correlacion = Some(event.correlationid);
            self.fecha_creacion = Some(made.fecha_creacion);
            self.itinerarios.clone_from(&made.itinerarios);
            self.pago.clone_from(&made.pago);
            self.pasajeros.clone_from(&made.pasajeros);
        }
        self.hechos.hear(payload);
        self.estado = self.hechos.estado();
        self.fecha_actualizacion = self.fecha_actualizacion.max(Some(event.time));
    }

    /// The row's position in lists, by time of creation; `None` if the row is not listed. The next page of a list
    /// begins after the position of the last row.
    #[must_use]
    pub fn order(&self) -> Option<String> {
        Some(format!("{}#{}", self.fecha_creacion?, self.id_reserva?))
    }
}

impl View<Payload> for Reservas {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, row: &mut Item, event: &Event, payload: &Payload) -> Result<(), Unfoldable> {
        fold_as(row, |fila: &mut Fila| fila.fold(event, payload))
    }

    /// The row's places in two indexes. The first index is by state, the second by client and state. A query without a
    /// state merges the lists of all states.
    fn places(&self, row: &Item) -> [Option<Place>; 2] {
        let Ok(fila) = Fila::deserialize(row) else {
            return [None, None];
        };
        let (Some(estado), Some(order)) = (fila.estado, fila.order()) else {
            return [None, None];
        };
        let client = fila.id_cliente.filter(|client| client.len() <= MAX_CLIENT);
        let by_client = client.map(|client| by_client(&client, estado));
        [Some(by_state(estado)), by_client].map(|partition| {
            Some(Place {
                partition: partition?,
                order: order.clone(),
            })
        })
    }
}

fn by_state(estado: EstadoReserva) -> String {
    format!("estado:{estado}")
}

fn by_client(id_cliente: &str, estado: EstadoReserva) -> String {
    format!("cliente:{id_cliente}:{estado}")
}

/// The states in the order in which a reservation goes through them. A reservation may skip states, and never goes
/// back: see [`Hechos::estado`].
const IN_ORDER: [EstadoReserva; 4] = EstadoReserva::ALL;

/// A choice of reservations to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only the reservations in this state.
    pub estado: Option<EstadoReserva>,
    /// Only the reservations of this client.
    pub id_cliente: Option<String>,
}

/// Reads one reservation; `None` if its `ReservaCreada` has not arrived. The read is strongly consistent, so a later
/// read never shows an older state.
///
/// # Errors
///
/// See [`TableError`].
pub async fn one(
    tables: &dyn Tables,
    generation: &Generation,
    id: IdReserva,
) -> Result<Option<Fila>, TableError> {
    let item = tables
        .get_one(&generation.row_key(id), Consistency::Strong)
        .await?;
    let fila = item.map(read).transpose()?;
    Ok(fila.filter(|fila| fila.id_reserva.is_some()))
}

/// Lists at most `limit` reservations, newest first. The second result is the position after which the next page
/// begins; pass it as `after`. The position does not depend on the view's generation, so it stays valid across
/// rebuilds.
///
/// The partitions of the states are read one after the other, in the order in which reservations go through the states.
/// A reservation that changes during the reading moves to a partition that is read later. So the list finds the
/// reservation before its move, after its move, or twice. With concurrent reads, or in another order, the list could
/// miss the reservation in both partitions.
///
/// A DynamoDB index is updated some milliseconds after its table, in each partition separately. A page can therefore
/// miss a reservation that changes within these milliseconds. A repeated query finds the reservation.
///
/// # Errors
///
/// See [`TableError`].
pub async fn list(
    tables: &dyn Tables,
    generation: &Generation,
    filter: &Filter,
    limit: usize,
    after: Option<&str>,
) -> Result<(Vec<Fila>, Option<String>), TableError> {
    let mut found: Vec<Fila> = vec![];
    for estado in IN_ORDER {
        if filter.estado.is_some_and(|wanted| wanted != estado) {
            continue;
        }
        let (index, partition) = match &filter.id_cliente {
            None => (Index::Gsi1, by_state(estado)),
            Some(client) => (Index::Gsi2, by_client(client, estado)),
        };
        let query = IndexQuery {
            table: TABLE,
            index,
            partition: generation.partition(&partition),
            from: None,
            below: after.map(str::to_owned),
            direction: Direction::Descending,
            limit: limit + 1,
        };
        for item in tables.query(&query).await?.items {
            found.push(read(item)?);
        }
    }
    // A row found in two partitions is listed with the later state.
    found.sort_by_key(|fila| std::cmp::Reverse((fila.order(), fila.estado)));
    found.dedup_by_key(|fila| fila.id_reserva);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).and_then(Fila::order);
    Ok((found, next))
}

/// Counts the unpaid reservations of a client, up to `most`. The index of the view is updated after the events, so the
/// newest reservations and payments may be missing in the count.
///
/// # Errors
///
/// See [`TableError`].
pub async fn unpaid(
    tables: &dyn Tables,
    generation: &Generation,
    id_cliente: &str,
    most: usize,
) -> Result<usize, TableError> {
    let query = IndexQuery {
        table: TABLE,
        index: Index::Gsi2,
        partition: generation.partition(&by_client(id_cliente, EstadoReserva::Pendiente)),
        from: None,
        below: None,
        direction: Direction::Descending,
        limit: most,
    };
    Ok(tables.query(&query).await?.items.len())
}

fn read(item: Item) -> Result<Fila, TableError> {
    let own = serde_json::Value::Object(own_attributes(item));
    serde_json::from_value(own)
        .map_err(|error| TableError::Refused(format!("a row of {NAME} is malformed: {error}")))
}
