//! The views, a file each.

use std::sync::Arc;

use alpes_ports::Item;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Unfoldable, View};

pub mod analitica;
mod hechos;
pub mod reservas;

/// Every view.
#[must_use]
pub fn registry() -> Vec<Arc<dyn View>> {
    vec![Arc::new(reservas::Reservas), Arc::new(analitica::Analitica)]
}

/// Folds into a row as the type that the view sees in it.
fn fold_as<F: Serialize + DeserializeOwned>(
    row: &mut Item,
    fold: impl FnOnce(&mut F),
) -> Result<(), Unfoldable> {
    let unfoldable = |error: serde_json::Error| Unfoldable(error.to_string());
    let mut fila = F::deserialize(&*row).map_err(unfoldable)?;
    fold(&mut fila);
    let serde_json::Value::Object(item) = serde_json::to_value(fila).map_err(unfoldable)? else {
        return Err(Unfoldable("a row is an object".into()));
    };
    *row = item;
    Ok(())
}
