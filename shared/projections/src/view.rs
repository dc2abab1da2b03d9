//! What a view is.

use events::{Event, Payload};
use ports::Item;
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

/// A view: plain functions of data.
pub trait View: Send + Sync {
    /// Its name; begins its keys.
    fn name(&self) -> &'static str;

    /// Folds an event into the row of its reservation.
    ///
    /// `row` has the view's own attributes alone, none at first. Events of one stream come in their order, each once; those of
    /// different streams of a reservation come in **any** order, and the row must not depend on it. An event that the view
    /// has no use for leaves the row as it is.
    ///
    /// # Errors
    ///
    /// [`Unfoldable`] if the event makes no sense here. The row is then dropped.
    fn fold(&self, row: &mut Item, event: &Event, payload: &Payload) -> Result<(), Unfoldable>;

    /// Where the row stands in the first and the second index; in neither if it is not to be listed.
    fn places(&self, row: &Item) -> [Option<Place>; 2];
}
