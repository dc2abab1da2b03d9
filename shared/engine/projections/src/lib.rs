//! Views: the events of the event log, folded into rows that answer queries.
//!
//! A domain supplies its views, each a [`View`]. The [`Projector`] orders and deduplicates the events, fills gaps,
//! parks events that cannot be folded, and writes the rows of every generation.
//!
//! A row covers one subject and the events of all its streams. Besides the view's own attributes, a row has
//!
//! | attribute | content |
//! | --- | --- |
//! | `pk`, `sk` | `{view}.{generation}#{subject}`; `row` |
//! | `rev` | the number of writes; every write is conditional on the `rev` that was read |
//! | `guard` | for each stream prefix, the last version folded |
//! | `blocked` | for each stream prefix, the version that could not be folded, while its event stream is parked |
//! | `gsi1pk`, `gsi1sk`, `gsi2pk`, `gsi2sk` | the row's places in the indexes; each index partition belongs to one generation |
//!
//! A view may also count its rows. The counters change in the transaction that writes the row, so each row is counted
//! once, however often its events are delivered.

#![deny(missing_docs)]

mod counters;
mod generations;
mod projector;
mod rebuild;
mod row;
mod view;

pub use counters::read as read_counters;
pub use generations::{Generation, Generations};
pub use projector::{CONSUMER, Projector};
pub use rebuild::{
    Phase, Progress, REBUILDER, RebuildError, Rebuilder, go_on as rebuild_on, left_alone,
};
pub use row::own_attributes;
pub use view::{Count, Place, Unfoldable, View, fold_as};

/// The table of views.
pub const TABLE: alpes_ports::TableName = alpes_ports::TableName("views");
