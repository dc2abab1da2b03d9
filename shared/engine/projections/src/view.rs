//! The trait of a view, and its types.

use alpes_messages::{DomainEvent, Event};
use alpes_ports::Item;
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// A valid event that a view can never fold: the event's stream is parked for this view.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct Unfoldable(pub String);

/// The place of a row in an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition of the index, within the generation.
    pub partition: String,
    /// The sort key within the partition.
    pub order: String,
}

/// A count that a row adds to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// The group of counts that are read together, such as a day. The keys of the counters begin with the group, so the
    /// counters sort by group.
    pub group: String,
    /// The name of the count within the group.
    pub name: String,
}

/// A view: plain functions of data, without I/O.
pub trait View<P: DomainEvent>: Send + Sync {
    /// The name of the view. All keys of its items begin with this name.
    fn name(&self) -> &'static str;

    /// Folds an event into the row of its subject.
    ///
    /// `row` has only the view's own attributes, and none at first. Events of one event stream arrive in order, each
    /// once. Events of different streams of a subject arrive in **any** order, and the row must not depend on that
    /// order. An event that the view does not need leaves the row unchanged.
    ///
    /// # Errors
    ///
    /// [`Unfoldable`] if the event contradicts the row. The changes to the row are then dropped.
    fn fold(&self, row: &mut Item, event: &Event, payload: &P) -> Result<(), Unfoldable>;

    /// The row's places in the first and the second index; `None` for an index that should not list the row.
    fn places(&self, _row: &Item) -> [Option<Place>; 2] {
        [None, None]
    }

    /// The counts that the row adds to; empty for a row that should not be counted. `None` if the view has no
    /// counters. Each transaction writes many rows of the view and their counters.
    fn counts(&self, _row: &Item) -> Option<Vec<Count>> {
        None
    }
}

/// Folds into a row through a type of the view: reads the row's attributes as a value of that type, changes the value,
/// and writes it back.
///
/// # Errors
///
/// [`Unfoldable`] if the row's attributes do not fit the type, or the type is no JSON object.
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
