//! Views: what the log says, folded into rows that answer questions.
//!
//! A domain gives its views, each a [`View`]. The [`Projector`] does the rest: order, duplicates, gaps,
//! parking, generations, and the writes.
//!
//! A row holds what one subject did, from all of its streams. Besides the view's own attributes it has
//!
//! | attribute | what |
//! | --- | --- |
//! | `pk`, `sk` | `{view}.{generation}#{subject}`; `row` |
//! | `rev` | counts the writes; every write is conditional on the one it read |
//! | `guard` | stream prefix -> the last version folded |
//! | `blocked` | stream prefix -> the version that could not be folded, while it is parked |
//! | `gsi1pk`, `gsi1sk`, `gsi2pk`, `gsi2sk` | its places in the indexes, each partition within the generation |
//!
//! A view may count its rows too. Its counters move in the transaction that writes the row, so they count each row once, however
//! often its events come.

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
