//! How a function can answer for a batch.

use serde_json::json;
use simulation::Dice;

/// What a function says of a batch.
pub struct Said {
    /// Its answer.
    pub answer: Vec<u8>,
    /// So many records, from the first on, are done by it.
    pub done: usize,
}

/// All of it is done, in any of the ways in which that can be said.
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

/// The record at this place, and some of those after it, are not done.
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

/// Something that cannot be understood, so that none of it is done.
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
