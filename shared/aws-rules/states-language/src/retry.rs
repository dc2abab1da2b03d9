//! Retriers and catchers: the handling of a failed task.

use std::time::Duration;

use serde_json::Value;

use crate::{
    failure::{DATA_LIMIT_EXCEEDED, REFERENCE_PATH_CONFLICT, RUNTIME, TIMEOUT},
    fields::{DefinitionError, Fields, text, whole},
    path::{Path, Place},
};

const ALL: &str = "States.ALL";
const TASK_FAILED: &str = "States.TaskFailed";

/// The reserved names of errors that a task can have, or that stand for several errors.
const RESERVED: [&str; 6] = [
    ALL,
    TASK_FAILED,
    TIMEOUT,
    "States.Permissions",
    DATA_LIMIT_EXCEEDED,
    REFERENCE_PATH_CONFLICT,
];

/// Names of errors, as a retrier or catcher lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Errors(Vec<String>);

impl Errors {
    fn parse(value: &Value) -> Result<Self, String> {
        let names = value.as_array().filter(|names| !names.is_empty());
        let names = names.ok_or("is not a non-empty list")?;
        let names: Vec<_> = names.iter().map(text).collect::<Result<_, _>>()?;
        if names.contains(&ALL) && names.len() > 1 {
            return Err(format!("has {ALL}, which must be the only name"));
        }
        let unknown = |name: &&&str| name.starts_with("States.") && !RESERVED.contains(name);
        if let Some(name) = names.iter().find(unknown) {
            return Err(format!("has {name}, which cannot be handled"));
        }
        Ok(Self(names.into_iter().map(str::to_owned).collect()))
    }

    pub(crate) fn is_all(&self) -> bool {
        self.0.iter().any(|name| name == ALL)
    }

    pub(crate) fn matches(&self, error: &str) -> bool {
        let by = |name: &String| match name.as_str() {
            ALL => error != DATA_LIMIT_EXCEEDED,
            TASK_FAILED => error != DATA_LIMIT_EXCEEDED && error != TIMEOUT,
            name => name == error,
        };
        error != RUNTIME && self.0.iter().any(by)
    }
}

/// A retrier: the pauses and the number of its retries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Retrier {
    pub(crate) errors: Errors,
    /// The number of attempts after the first.
    pub(crate) attempts: u32,
    interval: f64,
    backoff: f64,
    longest: Option<f64>,
    jitter: bool,
}

impl Retrier {
    pub(crate) fn parse(mut fields: Fields) -> Result<Self, DefinitionError> {
        let errors = fields.required("ErrorEquals", Errors::parse)?;
        let interval = fields.read("IntervalSeconds", whole(1))?.unwrap_or(1);
        let longest = fields.read("MaxDelaySeconds", |value| {
            const YEAR: u32 = 31_622_400;
            let longest = whole(1)(value)?;
            if longest <= interval || longest >= YEAR {
                return Err(format!(
                    "is not greater than IntervalSeconds, {interval}, and less than {YEAR}"
                ));
            }
            Ok(f64::from(longest))
        })?;
        let backoff = fields.read("BackoffRate", |value| {
            let rate = value.as_f64().filter(|rate| *rate >= 1.0);
            rate.ok_or_else(|| "is not a number of at least 1".to_owned())
        })?;
        let jitter = fields.read("JitterStrategy", |value| match value.as_str() {
            Some("FULL") => Ok(true),
            Some("NONE") => Ok(false),
            _ => Err("is neither FULL nor NONE".to_owned()),
        })?;
        let retrier = Self {
            errors,
            attempts: fields.read("MaxAttempts", whole(0))?.unwrap_or(3),
            interval: f64::from(interval),
            backoff: backoff.unwrap_or(2.0),
            longest,
            jitter: jitter.unwrap_or(false),
        };
        fields.finish()?;
        Ok(retrier)
    }

    /// The pause before this retrier's next retry, after `made` retries. `chance`, a random number from 0 to 1, is for
    /// jitter.
    pub(crate) fn pause(&self, made: u32, chance: f64) -> Duration {
        let made = i32::try_from(made).unwrap_or(i32::MAX);
        let mut seconds = self.interval * self.backoff.powi(made);
        if let Some(longest) = self.longest {
            seconds = seconds.min(longest);
        }
        if self.jitter {
            seconds *= chance.clamp(0.0, 1.0);
        }
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

/// A catcher: the state that follows an error.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Catcher {
    pub(crate) errors: Errors,
    pub(crate) place: Place,
    pub(crate) next: String,
}

impl Catcher {
    pub(crate) fn parse(mut fields: Fields) -> Result<Self, DefinitionError> {
        let place = fields.read("ResultPath", Place::parse)?;
        let catcher = Self {
            errors: fields.required("ErrorEquals", Errors::parse)?,
            place: place.unwrap_or_else(|| Place::At(Path::whole())),
            next: fields.required("Next", text)?.to_owned(),
        };
        fields.finish()?;
        Ok(catcher)
    }
}

/// Fails if an entry follows the one that matches every error.
pub(crate) fn all_comes_last<'a>(errors: impl Iterator<Item = &'a Errors>) -> Result<(), String> {
    let mut before = errors.skip_while(|errors| !errors.is_all());
    before.next();
    match before.next() {
        Some(_) => Err(format!("has entries after {ALL}")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn retrier(value: &Value) -> Result<Retrier, DefinitionError> {
        Retrier::parse(Fields::of(value, Some("Do"), "Retry[0]")?)
    }

    fn errors(names: &Value) -> Errors {
        Errors::parse(names).unwrap()
    }

    #[test]
    fn errors_match_by_name_or_by_wildcard() {
        for (names, error, expected) in [
            (json!(["A", "B"]), "B", true),
            (json!(["A", "B"]), "C", false),
            (json!(["A"]), "a", false),
            (json!(["States.ALL"]), "A", true),
            (json!(["States.ALL"]), "States.Timeout", true),
            (json!(["States.ALL"]), "States.Permissions", true),
            (json!(["States.ALL"]), "States.Runtime", false),
            (json!(["States.ALL"]), "States.DataLimitExceeded", false),
            (
                json!(["States.DataLimitExceeded"]),
                "States.DataLimitExceeded",
                true,
            ),
            (json!(["States.TaskFailed"]), "A", true),
            (json!(["States.TaskFailed"]), "Lambda.Unknown", true),
            (json!(["States.TaskFailed"]), "States.Timeout", false),
            (json!(["States.TaskFailed"]), "States.Runtime", false),
            (
                json!(["States.TaskFailed"]),
                "States.DataLimitExceeded",
                false,
            ),
            (json!(["States.Timeout"]), "States.Timeout", true),
            (json!(["States.Timeout", "A"]), "A", true),
        ] {
            assert_eq!(errors(&names).matches(error), expected, "{names} {error}");
        }
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let seconds = |value: Value, made, chance| {
            let retrier = retrier(&value).unwrap();
            retrier.pause(made, chance).as_secs_f64()
        };
        let plain = json!({"ErrorEquals": ["A"]});
        let set = json!({
            "ErrorEquals": ["A"], "IntervalSeconds": 3, "BackoffRate": 1.5, "MaxDelaySeconds": 10,
        });
        let jitter = json!({"ErrorEquals": ["A"], "IntervalSeconds": 4, "JitterStrategy": "FULL"});
        let none = json!({"ErrorEquals": ["A"], "IntervalSeconds": 4, "JitterStrategy": "NONE"});
        for (value, made, chance, expected) in [
            (&plain, 0, 0.0, 1.0),
            (&plain, 1, 0.0, 2.0),
            (&plain, 2, 0.0, 4.0),
            (&set, 0, 0.0, 3.0),
            (&set, 1, 0.0, 4.5),
            (&set, 3, 0.0, 10.0),
            (&jitter, 0, 0.5, 2.0),
            (&jitter, 1, 0.5, 4.0),
            (&jitter, 1, 0.0, 0.0),
            (&none, 1, 0.0, 8.0),
        ] {
            let pause = seconds(value.clone(), made, chance);
            assert!((pause - expected).abs() < 1e-9, "{value} {made}: {pause}");
        }
        let longest = retrier(&plain).unwrap().pause(u32::MAX, 1.0);
        assert_eq!(longest, Duration::MAX, "no overflow");
    }

    #[test]
    fn a_retrier_tries_three_times_unless_it_says_otherwise() {
        let attempts = |value: Value| retrier(&value).unwrap().attempts;
        assert_eq!(attempts(json!({"ErrorEquals": ["A"]})), 3);
        assert_eq!(attempts(json!({"ErrorEquals": ["A"], "MaxAttempts": 0})), 0);
        assert_eq!(attempts(json!({"ErrorEquals": ["A"], "MaxAttempts": 7})), 7);
    }

    #[test]
    fn retriers_that_are_not_understood_are_refused() {
        for (more, field) in [
            (json!({"ErrorEquals": []}), "ErrorEquals"),
            (json!({"ErrorEquals": [1]}), "ErrorEquals"),
            (json!({"ErrorEquals": ["States.ALL", "A"]}), "ErrorEquals"),
            (json!({"ErrorEquals": ["States.Tiemout"]}), "ErrorEquals"),
            (json!({"ErrorEquals": ["States.Runtime"]}), "ErrorEquals"),
            (json!({"IntervalSeconds": 0}), "IntervalSeconds"),
            (json!({"IntervalSeconds": 1.5}), "IntervalSeconds"),
            (json!({"MaxAttempts": -1}), "MaxAttempts"),
            (json!({"MaxAttempts": 100_000_000}), "MaxAttempts"),
            (json!({"BackoffRate": 0.9}), "BackoffRate"),
            (
                json!({"IntervalSeconds": 5, "MaxDelaySeconds": 5}),
                "MaxDelaySeconds",
            ),
            (json!({"MaxDelaySeconds": 31_622_400}), "MaxDelaySeconds"),
            (json!({"JitterStrategy": "HALF"}), "JitterStrategy"),
            (json!({"MaxAttempt": 1}), "MaxAttempt"),
        ] {
            let mut value = json!({"ErrorEquals": ["A"]});
            for (name, more) in more.as_object().unwrap() {
                value[name] = more.clone();
            }
            let error = retrier(&value).unwrap_err();
            assert_eq!(error.field, format!("Retry[0].{field}"), "{value}");
        }
        assert_eq!(
            retrier(&json!({})).unwrap_err().field,
            "Retry[0].ErrorEquals"
        );
    }

    #[test]
    fn what_matches_everything_comes_last() {
        let (all, a) = (errors(&json!(["States.ALL"])), errors(&json!(["A"])));
        assert!(all_comes_last([&a, &all].into_iter()).is_ok());
        assert!(all_comes_last([&a].into_iter()).is_ok());
        assert!(all_comes_last([].into_iter()).is_ok());
        assert!(all_comes_last([&all, &a].into_iter()).is_err());
        assert!(all_comes_last([&all, &all].into_iter()).is_err());
    }
}
