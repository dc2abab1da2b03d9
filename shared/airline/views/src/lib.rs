//! The airline's views. Each view has its own file.

#![deny(missing_docs)]

use std::sync::Arc;

use alpes_projections::View;
use events::Payload;

pub mod analitica;
mod hechos;
pub mod reservas;

/// Every view.
#[must_use]
pub fn registry() -> Vec<Arc<dyn View<Payload>>> {
    vec![Arc::new(reservas::Reservas), Arc::new(analitica::Analitica)]
}
