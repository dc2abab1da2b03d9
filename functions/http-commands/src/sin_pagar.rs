//! The limit of a client's unpaid reservations.
//!
//! The limit is against abuse and is no invariant. It counts the reservations in the view, which is updated after the
//! events. So a client that sends many requests at once can exceed the limit, and a reservation that was just paid may
//! still count. A reservation without an `id_cliente` has no limit.

use alpes_messages::{Problem, StreamId, Violation};
use api::Refusal;
use events::{IdReserva, VUELOS, kinds};
use parse::Regla;
use views::reservas;

use crate::App;

/// Largest number of unpaid reservations of a client.
pub const MAX_SIN_PAGAR: usize = 20;

impl App {
    /// Refuses a new reservation of a client that has too many unpaid reservations. `repeatable` is the reservation that
    /// the request makes, if the request has an idempotency key: a repetition of an accepted request gets the answer to
    /// that request, however many reservations the client has now.
    pub(crate) async fn limit_unpaid(
        &self,
        id_cliente: &str,
        repeatable: Option<IdReserva>,
    ) -> Result<(), Refusal> {
        if self.unpaid(id_cliente).await < MAX_SIN_PAGAR {
            return Ok(());
        }
        if let Some(id) = repeatable {
            let stream = StreamId::new(VUELOS, id);
            if !self.store.reader().history(stream).await?.is_empty() {
                return Ok(());
            }
        }
        let detalle = format!("Tiene {MAX_SIN_PAGAR} reservas sin pagar, y no puede tener más");
        let errores = vec![Violation::new(
            "id_cliente",
            Regla::SinPagar.name(),
            detalle,
        )];
        Err(Problem::of(kinds::UNPAID).at(errores).into())
    }

    /// The number of unpaid reservations, up to [`MAX_SIN_PAGAR`]. If the view does not answer, the number counts as 0,
    /// because reservations must not depend on the view.
    async fn unpaid(&self, id_cliente: &str) -> usize {
        let counted = async {
            let generation = self.generations.live(reservas::NAME).await?;
            reservas::unpaid(&*self.tables, &generation, id_cliente, MAX_SIN_PAGAR).await
        };
        counted.await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the unpaid reservations of the client were not counted");
            0
        })
    }
}
