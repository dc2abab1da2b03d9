//! Random settings, filters and record contents.

use std::time::Duration;

use serde_json::{Map, Value, json, value::RawValue};
use simulation::Dice;
use source_mapping::{Destination, Reads, Settings, StartingPosition};

fn one<T: Copy>(dice: &Dice, of: &[T], other: T) -> T {
    dice.pick(of).copied().unwrap_or(other)
}

/// Random settings without filters.
pub fn settings(dice: &Dice, start: StartingPosition) -> Settings {
    let mut settings = Settings::new(start);
    settings.batch_size = one(dice, &[1, 2, 5, 20, 100], 100);
    settings.batching_window = Duration::from_secs(one(dice, &[0, 0, 1, 5], 0));
    settings.parallelization_factor = one(dice, &[1, 1, 2, 4], 1);
    settings.maximum_retry_attempts = one(dice, &[None, Some(0), Some(1), Some(3)], None);
    settings.maximum_record_age = dice.one_in(4).then(|| Duration::from_mins(1));
    settings.bisect_batch_on_function_error = dice.one_in(2);
    settings.report_batch_item_failures = !dice.one_in(4);
    let destinations = [
        None,
        Some(Destination::S3),
        Some(Destination::Sqs),
        Some(Destination::Sns),
    ];
    settings.on_failure = one(dice, &destinations, None);
    settings.reads = one(
        dice,
        &[Reads::Shared, Reads::Shared, Reads::FanOut],
        Reads::Shared,
    );
    settings
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Note {
    Absent,
    Null,
    Text,
}

/// The content of a record.
#[derive(Clone, Debug)]
pub struct Data {
    /// The partition key of the record.
    pub key: String,
    json: bool,
    kind: &'static str,
    amount: &'static str,
    note: Note,
    tags: &'static [&'static str],
}

impl Data {
    pub fn by_chance(dice: &Dice) -> Self {
        Self {
            key: format!("key-{}", dice.below(5)),
            json: !dice.one_in(10),
            kind: one(dice, &["a", "ab", "b"], "a"),
            amount: one(dice, &["50", "300", "300.0", "3.0e2", "900"], "50"),
            note: one(dice, &[Note::Absent, Note::Null, Note::Text], Note::Null),
            tags: one(dice, &[&[], &["x"], &["y", "x"], &["y"]], &[]),
        }
    }

    /// The content as bytes, with padding.
    pub fn written(&self, padding: usize) -> Vec<u8> {
        if !self.json {
            return b"no JSON".to_vec();
        }
        // Keep the digits of the amount as they are written.
        let amount = RawValue::from_string(self.amount.to_owned());
        let amount = amount.as_deref().map_or("0", RawValue::get);
        let mut others = Map::new();
        others.insert("kind".into(), self.kind.into());
        others.insert("tags".into(), json!(self.tags));
        match self.note {
            Note::Absent => {}
            Note::Null => drop(others.insert("note".into(), Value::Null)),
            Note::Text => drop(others.insert("note".into(), "a word".into())),
        }
        others.insert("padding".into(), "p".repeat(padding).into());
        let others = Value::Object(others).to_string();
        let rest = others.strip_prefix('{').unwrap_or_default();
        format!("{{\"amount\":{amount},{rest}").into_bytes()
    }
}

type Known = (&'static [&'static str], fn(&Data) -> bool);

/// The filters, each with a test for the records that the filter lets through.
const PATTERNS: &[Known] = &[
    (&[], |_| true),
    (&[r#"{"data":{"kind":["a"]}}"#], |data| {
        data.json && data.kind == "a"
    }),
    (
        &[r#"{"data":{"kind":["a","ab"],"amount":[300]}}"#],
        |data| data.json && data.kind != "b" && data.amount == "300",
    ),
    (&[r#"{"data":{"note":[null]}}"#], |data| {
        data.json && data.note == Note::Null
    }),
    (&[r#"{"data":{"note":[{"exists":false}]}}"#], |data| {
        data.json && data.note == Note::Absent
    }),
    (&[r#"{"data":{"kind":[{"prefix":"a"}]}}"#], |data| {
        data.json && data.kind.starts_with('a')
    }),
    (&[r#"{"data":{"kind":[{"suffix":"b"}]}}"#], |data| {
        data.json && data.kind.ends_with('b')
    }),
    (
        &[r#"{"data":{"kind":[{"equals-ignore-case":"AB"}]}}"#],
        |data| data.json && data.kind == "ab",
    ),
    (&[r#"{"partitionKey":["key-1","key-2"]}"#], |data| {
        ["key-1", "key-2"].contains(&data.key.as_str())
    }),
    (&[r#"{"data":{"kind":[{"anything-but":["a"]}]}}"#], |data| {
        data.json && data.kind != "a"
    }),
    (
        &[r#"{"data":{"amount":[{"numeric":[">",100,"<=",300]}]}}"#],
        |data| data.json && !["50", "900"].contains(&data.amount),
    ),
    (&[r#"{"data":{"tags":["x"]}}"#], |data| {
        data.json && data.tags.contains(&"x")
    }),
    (
        &[r#"{"data":{"$or":[{"kind":["a"]},{"tags":["x"]}]}}"#],
        |data| data.json && (data.kind == "a" || data.tags.contains(&"x")),
    ),
    (
        &[r#"{"data":{"kind":["b"]}}"#, r#"{"data":{"tags":["x"]}}"#],
        |data| data.json && (data.kind == "b" || data.tags.contains(&"x")),
    ),
];

/// A random choice of filters.
#[derive(Clone, Copy)]
pub struct Pattern(Known);

impl Pattern {
    pub fn by_chance(dice: &Dice) -> Self {
        let pattern: Known = (&[], |_| true);
        // Half of the choices have no filter.
        Self(if dice.one_in(2) {
            one(dice, PATTERNS, pattern)
        } else {
            pattern
        })
    }

    pub fn texts(&self) -> impl Iterator<Item = &'static str> {
        self.0.0.iter().copied()
    }

    pub fn matches(&self, data: &Data) -> bool {
        (self.0.1)(data)
    }
}
