//! What a view is.

use alpes_ports::Item;
use events::{Event, Payload};
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
    fn places(&self, _row: &Item) -> [Option<Place>; 2] {
        [None, None]
    }

    /// What the row is counted as; nothing, if it is not to be counted. `None` from a view that counts no rows at all. Of one that
    /// does, rows and counters are written in transactions, many rows in each.
    fn counts(&self, _row: &Item) -> Option<Vec<Count>> {
        None
    }
}
