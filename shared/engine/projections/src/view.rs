//! What a view is.

use alpes_messages::{DomainEvent, Event};
use alpes_ports::Item;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// A good event that a view cannot fold, and will not by trying again: its stream is parked for this view.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Unfoldable(pub String);

/// Where a row stands in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition, within the generation.
    pub partition: String,
    /// The order within it.
    pub order: String,
}

/// What a row is counted as.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// What is counted together, such as a day. Begins the keys of its counters, so their order is that of the groups.
    pub group: String,
    /// Which number of the group.
    pub name: String,
}

/// A view: plain functions of data.
pub trait View<P: DomainEvent>: Send + Sync {
    /// Its name; begins its keys.
    fn name(&self) -> &'static str;

    /// Folds an event into the row of its subject.
    ///
    /// `row` has the view's own attributes alone, none at first. Events of one stream come in their order, each once; those of
    /// different streams of a subject come in **any** order, and the row must not depend on it. An event that the view
    /// has no use for leaves the row as it is.
    ///
    /// # Errors
    ///
    /// [`Unfoldable`] if the event makes no sense here. The row is then dropped.
    fn fold(&self, row: &mut Item, event: &Event, payload: &P) -> Result<(), Unfoldable>;

    /// Where the row stands in the first and the second index; in neither if it is not to be listed.
    fn places(&self, _row: &Item) -> [Option<Place>; 2] {
        [None, None]
    }

    /// What the row is counted as; nothing, if it is not to be counted. `None` from a view that counts no rows at all. Of one that
    /// does, rows and counters are written in transactions, many rows in each.
    fn counts(&self, _row: &Item) -> Option<Vec<Count>> {
        None
    }
}

/// Folds into a row as the type that the view sees in it: reads the row's attributes as that type, has it changed, and writes it back.
///
/// # Errors
///
/// [`Unfoldable`] if the row is no such type, or the type no object.
pub fn fold_as<F: Serialize + DeserializeOwned>(
    row: &mut Item,
    fold: impl FnOnce(&mut F),
) -> Result<(), Unfoldable> {
    let unfoldable = |error: serde_json::Error| Unfoldable(error.to_string());
    let mut typed = F::deserialize(&*row).map_err(unfoldable)?;
    fold(&mut typed);
    let serde_json::Value::Object(item) = serde_json::to_value(typed).map_err(unfoldable)? else {
        return Err(Unfoldable("a row is an object".into()));
    };
    *row = item;
    Ok(())
}
