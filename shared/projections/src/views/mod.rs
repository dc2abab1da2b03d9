//! The views, a file each.

use std::sync::Arc;

use crate::View;

pub mod reservas;

/// Every view.
#[must_use]
pub fn registry() -> Vec<Arc<dyn View>> {
    vec![Arc::new(reservas::Reservas)]
}
