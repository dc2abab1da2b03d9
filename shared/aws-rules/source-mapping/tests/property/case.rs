//! A case of the property test: settings, and a list of events.

use std::time::Duration;

use proptest::{
    collection, option, prelude::any, prop_oneof, sample::Index, strategy::Just, strategy::Strategy,
};
use source_mapping::{Destination, Reads, Settings, StartingPosition};

use crate::model::BEGIN;

/// A random case.
#[derive(Clone, Debug)]
pub struct Case {
    pub settings: Settings,
    /// The number of events before the mapping begins to read.
    pub early: usize,
    pub events: Vec<Event>,
    /// The seed of all choices.
    pub seed: u64,
}

/// An event of a case.
#[derive(Clone, Debug)]
pub enum Event {
    /// Records arrive in an open shard. Each has a key, and a flag that says whether it passes the filter.
    Put(Index, Vec<(u8, bool)>),
    Wait(Duration),
    /// An invocation in flight ends.
    End(Index, How),
    Lose(Index, bool),
    Split(Index),
    Merge(Index, Index),
    Others(Index, u64),
    /// The requested change takes effect. If no change is requested, the mapping is disabled or enabled.
    Pause,
    /// The requested change takes effect. If no change is requested, the mapping gets new settings.
    Update(Box<Settings>),
}

/// The way in which an invocation ends.
#[derive(Clone, Debug)]
pub enum How {
    Done,
    Empty,
    NullList,
    EmptyList,
    Null,
    Error,
    TimedOut,
    Killed,
    Throttled,
    /// The response names these records of the batch.
    Report(Vec<Index>),
    /// The response names a record that is not in the batch.
    Unknown,
}

pub fn cases() -> impl Strategy<Value = Case> {
    let start = prop_oneof![
        3 => Just(StartingPosition::TrimHorizon),
        1 => Just(StartingPosition::Latest),
        1 => Just(StartingPosition::AtTimestamp(BEGIN.plus(Duration::from_secs(5)))),
    ];
    let events = collection::vec(event(), 1..80);
    (start, settings(), 0_usize..6, events, any::<u64>()).prop_map(
        |(starting_position, settings, early, events, seed)| Case {
            settings: Settings {
                starting_position,
                ..settings
            },
            early,
            events,
            seed,
        },
    )
}

fn settings() -> impl Strategy<Value = Settings> {
    let destination = prop_oneof![
        Just(Destination::S3),
        Just(Destination::Sqs),
        Just(Destination::Sns)
    ];
    let counts = (
        1_usize..6,
        1_usize..4,
        prop_oneof![3 => Just(0_u64), 1 => Just(1), 1 => Just(5)],
        option::weighted(0.7, 0_u32..4),
        option::weighted(0.3, 60_u64..90),
    );
    let kinds = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        option::of(destination),
        prop_oneof![3 => Just(Reads::Shared), 1 => Just(Reads::FanOut)],
    );
    (counts, kinds).prop_map(|(counts, kinds)| {
        let (batch_size, parallelization_factor, window, retries, age) = counts;
        let (bisect, report, filters, on_failure, reads) = kinds;
        let settings = Settings {
            batch_size,
            parallelization_factor,
            batching_window: Duration::from_secs(window),
            maximum_retry_attempts: retries,
            maximum_record_age: age.map(Duration::from_secs),
            bisect_batch_on_function_error: bisect,
            report_batch_item_failures: report,
            on_failure,
            reads,
            ..Settings::new(StartingPosition::TrimHorizon)
        };
        if filters {
            settings.filter(r#"{"data":{"a":[1]}}"#).unwrap()
        } else {
            settings
        }
    })
}

fn event() -> impl Strategy<Value = Event> {
    let record = (0_u8..4, proptest::bool::weighted(0.8));
    let wait = prop_oneof![
        4 => (1_u64..1500).prop_map(Duration::from_millis),
        4 => (1_u64..10).prop_map(Duration::from_secs),
        2 => (30_u64..70).prop_map(Duration::from_secs),
        1 => (20_u64..30).prop_map(Duration::from_hours),
    ];
    prop_oneof![
        12 => (any::<Index>(), collection::vec(record, 1..8)).prop_map(|(at, records)| Event::Put(at, records)),
        8 => wait.prop_map(Event::Wait),
        30 => (any::<Index>(), how()).prop_map(|(at, how)| Event::End(at, how)),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(at, too)| Event::Lose(at, too)),
        1 => any::<Index>().prop_map(Event::Split),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Event::Merge(one, other)),
        2 => (any::<Index>(), 0_u64..3_000_000).prop_map(|(at, bytes)| Event::Others(at, bytes)),
        1 => Just(Event::Pause),
        1 => settings().prop_map(|settings| Event::Update(Box::new(settings))),
    ]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        3 => Just(How::Done),
        1 => Just(How::Empty),
        1 => Just(How::NullList),
        1 => Just(How::EmptyList),
        1 => Just(How::Null),
        8 => Just(How::Error),
        1 => Just(How::TimedOut),
        1 => Just(How::Killed),
        3 => Just(How::Throttled),
        6 => collection::vec(any::<Index>(), 1..3).prop_map(How::Report),
        1 => Just(How::Unknown),
    ]
}
