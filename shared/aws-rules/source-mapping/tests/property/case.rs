//! What a run is made of: settings, and what happens.

use std::time::Duration;

use proptest::{
    collection, option, prelude::any, prop_oneof, sample::Index, strategy::Just, strategy::Strategy,
};
use source_mapping::{Destination, Reads, Settings, StartingPosition};

use crate::model::BEGIN;

/// A run.
#[derive(Clone, Debug)]
pub struct Case {
    pub settings: Settings,
    /// How many of the events happen before the mapping begins to read.
    pub early: usize,
    pub events: Vec<Event>,
    /// All that is chosen comes of this.
    pub seed: u64,
}

/// What may happen.
#[derive(Clone, Debug)]
pub enum Event {
    /// Records arrive in an open shard; each is a key, and whether the filter takes it.
    Put(Index, Vec<(u8, bool)>),
    Wait(Duration),
    /// An invocation that is out ends.
    End(Index, How),
    Lose(Index, bool),
    Split(Index),
    Merge(Index, Index),
    Others(Index, u64),
    /// What was asked for takes effect; or the mapping is disabled, or enabled.
    Pause,
    /// As [`Event::Pause`], or it is given other settings.
    Update(Box<Settings>),
}

/// How an invocation ends.
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
    /// These records of the batch are named.
    Report(Vec<Index>),
    /// A record is named that is not of the batch.
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
