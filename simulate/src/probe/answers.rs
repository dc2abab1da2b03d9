//! The ways in which a function can answer a batch.

use serde_json::json;
use simulation::Dice;

/// An answer and its meaning.
pub struct Said {
    /// The answer's bytes.
    pub answer: Vec<u8>,
    /// How many records, from the first on, the answer reports as done.
    pub done: usize,
}

/// An answer that reports all records as done, in a random one of several forms.
pub fn done(dice: &Dice, count: usize) -> Said {
    let ways = [
        "",
        "{}",
        "null",
        r#"{"batchItemFailures":[]}"#,
        r#"{"batchItemFailures":null}"#,
        r#"{"failures":[{"itemIdentifier":"1"}]}"#,
    ];
    let answer = dice.pick(&ways).copied().unwrap_or_default();
    Said {
        answer: answer.into(),
        done: count,
    }
}

/// An answer that reports the record at `place`, and some after it, as failed.
pub fn failed_at(dice: &Dice, place: usize, numbers: &[&str]) -> Said {
    let failed = numbers.iter().skip(place).enumerate();
    let failed = failed.filter(|(after, _)| *after == 0 || dice.one_in(3));
    let mut failed: Vec<_> = failed
        .map(|(_, number)| json!({"itemIdentifier": number}))
        .collect();
    dice.shuffle(&mut failed);
    let answer = json!({"batchItemFailures": failed});
    Said {
        answer: answer.to_string().into_bytes(),
        done: place,
    }
}

/// An answer that cannot be parsed, so that no record counts as done.
pub fn nonsense(dice: &Dice) -> Said {
    let ways = [
        "[1,2]",
        "no JSON",
        r#"{"batchItemFailures":"all"}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
        r#"{"batchItemFailures":[{"item":"1"}]}"#,
        r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#,
    ];
    let answer = dice.pick(&ways).copied().unwrap_or_default();
    Said {
        answer: answer.into(),
        done: 0,
    }
}
