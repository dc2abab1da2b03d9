//! A test kit for the rules and the views of any domain. The kit runs the real engine over twins in memory, under
//! faults.
//!
//! - [`StoreBench`] runs the rules of a context on the event store, under faults.
//! - [`scenario`] states the rules of a context as events, a command, and the decision.
//! - [`ViewBench`] commits events and hands them to a projector, under faults.
//! - [`delivery`] delivers the records of a log in any order and as often as a runtime may deliver them: each view must
//!   equal the fold of the streams.
//! - [`rebuilding`] rebuilds a view while it is written and read: no row that a reader saw may vanish, and the rebuilt
//!   view must equal the fold.
//!
//! The last two modules are searches by seed. Each search also plants mistakes between the engine and its ports, and
//! must find every one, which shows that the search can fail. A domain implements [`Domain`] to tell the kit its events
//! and views:
//!
//! ```text
//! impl Domain for Library { … }
//! delivery::views_equal_the_fold::<Library>();
//! delivery::each_planted_bug_is_found::<Library>();
//! ```

#![deny(missing_docs)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "a test fails by panicking, and prints what it found"
)]

pub mod delivery;
mod planted;
pub mod rebuilding;
mod rows;
pub mod scenario;
mod store_bench;
mod view_bench;

use std::{collections::BTreeMap, fmt::Debug, ops::Range, sync::Arc};

use alpes_messages::{
    Catalogue, Context, DomainEvent, Moment, NewEvent, StreamId, SubjectId, Version,
};
use alpes_ports::{Index, Item};
use alpes_projections::{Generation, View, own_attributes, read_counters};
use futures::executor::block_on;
use jiff::Timestamp;
use uuid::Uuid;

pub use rows::rows;
pub use store_bench::{FaultCase, Processes, StoreBench, event_of, events_of, every_fault, insist};
pub use view_bench::{ViewBench, record};

/// The kinds of events that the kit makes for a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happens {
    /// The subject begins. The event is in the subject's own stream.
    Opened,
    /// The other context does its part. The event is in the stream of the other context.
    Helped,
    /// The subject ends well. The event is in the subject's own stream.
    Done,
    /// The subject ends badly, possibly after it had ended well. The event is in the subject's own stream.
    Undone,
    /// Something happens that changes no view. The event is in the subject's own stream.
    Noted,
}

/// A domain with two contexts. It gives the kit its events, its views, and the event for each [`Happens`].
pub trait Domain: Send + Sync + 'static {
    /// The domain's events: an enum of every type in its newest version.
    type Payload: DomainEvent;
    /// The context that commits the events of [`Happens::Opened`], [`Happens::Done`], [`Happens::Undone`] and
    /// [`Happens::Noted`].
    const OWN: Context;
    /// The context that commits the events of [`Happens::Helped`].
    const OTHER: Context;

    /// The catalogue of every event type.
    fn catalogue() -> Catalogue<Self::Payload>;

    /// The domain's views. The first must have no counters.
    fn views() -> Vec<Arc<dyn View<Self::Payload>>>;

    /// The event for `happens`, about `subject`, at the time `at`.
    fn event(happens: Happens, subject: SubjectId, at: Moment) -> NewEvent;

    /// The subject's progress, according to its row in the first view. The number never decreases for a subject, and is
    /// 0 if the view does not list the row.
    fn progress(row: &Item) -> usize;
}

/// The id of the subject with this number.
pub fn id(number: u128) -> SubjectId {
    SubjectId(Uuid::from_u128(number))
}

/// The time `seconds` after the start of the twins' world.
pub fn moment(seconds: i64) -> Moment {
    Timestamp::from_second(START + seconds).unwrap().into()
}

const START: i64 = 1_769_853_600;

type Counters = BTreeMap<String, BTreeMap<String, i64>>;

/// Panics unless a seed shows that the planted mistake breaks a promise. `broken` runs a seed, and returns the promise
/// that the run broke, if any.
fn insist_on_finding(
    bug: impl Debug,
    mut seeds: Range<u64>,
    broken: impl Fn(u64) -> Option<String>,
) {
    let found = seeds.find_map(|seed| Some((seed, broken(seed)?)));
    let (seed, broken) = found.unwrap_or_else(|| panic!("{bug:?} was not found"));
    let broken: String = broken.chars().take(160).collect();
    println!("{bug:?}: seed {seed}: {broken}");
}

/// Compares a generation of a view with the fold of the streams: rows, index entries and counters.
fn compare<D: Domain>(
    bench: &ViewBench<D>,
    view: &dyn View<D::Payload>,
    number: u32,
) -> Result<(), String> {
    let generation = Generation {
        view: view.name(),
        number,
    };
    let expected = folded(bench, view);
    let found = bench.rows(&generation.to_string());
    let found: BTreeMap<_, _> = found.into_iter().collect();
    if let Some(subject) = found
        .keys()
        .find(|subject| !expected.contains_key(*subject))
    {
        return Err(format!("{generation}: {subject} has a row and no stream"));
    }
    let mut counted = Counters::new();
    for (subject, row) in &expected {
        let Some(item) = found.get(subject) else {
            return Err(format!("{generation}: {subject} has no row"));
        };
        let own = own_attributes(item.clone());
        if own != *row {
            return Err(format!(
                "{generation}: the row of {subject} is {own:?}, and the fold is {row:?}"
            ));
        }
        for (index, place) in [Index::Gsi1, Index::Gsi2].iter().zip(view.places(row)) {
            let attributes: [&str; 2] = index.attributes().into();
            let listed = attributes.map(|name| item.get(name).and_then(|text| text.as_str()));
            let expected = place.map(|place| (generation.partition(&place.partition), place.order));
            let expected = expected
                .as_ref()
                .map(|(partition, order)| [&**partition, &**order]);
            if listed != expected.map_or([None, None], |place| place.map(Some)) {
                return Err(format!(
                    "{generation}: {subject} is listed in {listed:?}, not in {expected:?}"
                ));
            }
        }
        for count in view.counts(row).into_iter().flatten() {
            *counted
                .entry(count.group)
                .or_default()
                .entry(count.name)
                .or_default() += 1;
        }
    }
    let counters = counters(bench, &generation);
    if counters != counted {
        return Err(format!(
            "{generation}: the counters are {counters:?}, and the fold is {counted:?}"
        ));
    }
    Ok(())
}

/// The expected row of each subject: the fold of its streams, one stream after the other.
fn folded<D: Domain>(bench: &ViewBench<D>, view: &dyn View<D::Payload>) -> BTreeMap<String, Item> {
    let mut rows: BTreeMap<String, Item> = BTreeMap::new();
    for (key, item) in bench.tables.all(alpes_event_store::TABLE) {
        let id: StreamId = key.pk.parse().unwrap();
        let stream = alpes_event_store::Stream::from_item(id, &item).unwrap();
        let row = rows.entry(id.id.to_string()).or_default();
        for stored in stream.decode(&D::catalogue(), 1, Version::MAX).unwrap() {
            view.fold(row, &stored.event, &stored.payload).unwrap();
        }
    }
    rows
}

/// The counters of a generation that are not 0.
fn counters<D: Domain>(bench: &ViewBench<D>, generation: &Generation) -> Counters {
    let read = read_counters(&*bench.tables, generation, "", "~");
    let mut groups = block_on(read).unwrap();
    for numbers in groups.values_mut() {
        numbers.retain(|_, number| *number != 0);
    }
    groups.retain(|_, numbers| !numbers.is_empty());
    groups
}

/// Generates the tests that the views of a [`Domain`] equal the fold of the domain's streams, however the log
/// is delivered and during a rebuild.
#[macro_export]
macro_rules! views_equal_the_fold {
    ($domain:ty) => {
        #[test]
        fn however_the_log_is_delivered_the_view_equals_the_fold() {
            $crate::delivery::views_equal_the_fold::<$domain>();
        }

        #[test]
        fn each_planted_bug_of_delivery_is_found() {
            $crate::delivery::each_planted_bug_is_found::<$domain>();
        }

        #[test]
        fn a_rebuild_amid_writes_and_reads_ends_as_the_fold() {
            $crate::rebuilding::it_ends_as_the_fold::<$domain>();
        }

        #[test]
        fn each_planted_bug_of_rebuilding_is_found() {
            $crate::rebuilding::each_planted_bug_is_found::<$domain>();
        }

        #[test]
        fn a_rebuild_ends_under_lost_answers_and_deaths() {
            $crate::rebuilding::it_ends_under_lost_answers_and_deaths::<$domain>();
        }
    };
}
