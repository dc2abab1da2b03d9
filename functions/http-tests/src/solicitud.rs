//! The request body for a command or an event: a reservation, a saga, and data.

use std::str::FromStr;

use alpes_messages::{CorrelationId, SagaMode, StreamId, Violation};
use api::Refusal;
use events::{IdReserva, VUELOS};
use parse::{Node, Object, Violations};
use serde_json::{Map, Value};

use crate::App;

/// The body of a request, without the reservation's id.
pub(crate) struct Solicitud {
    id_correlacion: Option<CorrelationId>,
    pub(crate) data: Map<String, Value>,
}

impl Solicitud {
    /// Reads a body. `which` reads the reservation's id: [`named`] if the id is required, [`perhaps_named`] if it is
    /// optional. The caller checks `data`.
    ///
    /// # Errors
    ///
    /// Every [`Violation`].
    pub(crate) fn read<R>(
        body: &Value,
        which: impl FnOnce(&Object<'_>, &mut Violations) -> Option<R>,
    ) -> Result<(R, Self), Vec<Violation>> {
        parse::read(body, |body, violations| {
            let body = body.object(&["id_reserva", "id_correlacion", "data"], violations)?;
            let which = which(&body, violations);
            let id_correlacion = body.optional("id_correlacion", violations, id);
            let data = body.optional("data", violations, |node, violations| {
                node.any_object(violations).cloned()
            });
            let read = Self {
                id_correlacion,
                data: data.unwrap_or_default(),
            };
            Some((which?, read))
        })
    }
}

/// Reads the required id of a reservation.
pub(crate) fn named(body: &Object<'_>, violations: &mut Violations) -> Option<IdReserva> {
    body.required("id_reserva", violations, id)
}

/// Reads the optional id of a reservation.
#[expect(
    clippy::option_option,
    clippy::unnecessary_wraps,
    reason = "a reader returns `None` for an invalid value"
)]
pub(crate) fn perhaps_named(
    body: &Object<'_>,
    violations: &mut Violations,
) -> Option<Option<IdReserva>> {
    Some(body.optional("id_reserva", violations, id))
}

/// Reads an id of any type.
pub(crate) fn id<T: FromStr>(node: Node<'_>, violations: &mut Violations) -> Option<T> {
    node.id(violations)
}

impl App {
    /// The saga of a reservation, and the saga's mode, as the first event of the reservation's stream says. If the
    /// stream is empty, the saga's id is the `id_correlacion` of the request. If the request has no `id_correlacion`,
    /// the saga's id is the reservation's id, as in the API.
    pub(crate) async fn saga(
        &self,
        id: IdReserva,
        asked: &Solicitud,
    ) -> Result<(CorrelationId, SagaMode), Refusal> {
        let stream = StreamId::new(VUELOS, id);
        let history = self.store.reader().history(stream).await?;
        let known = history
            .first()
            .map(|(event, _)| (event.correlationid, event.sagamode));
        Ok(known.unwrap_or_else(|| {
            let saga = asked.id_correlacion.unwrap_or(CorrelationId(id.0));
            (saga, SagaMode::default())
        }))
    }
}
