//! Schedule expressions: `rate(…)`, `cron(…)` and `at(…)`.

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

use super::cron::Cron;

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Again and again, this long after the schedule was made or enabled.
    Rate(SignedDuration),
    Cron(Box<Cron>),
    /// Once.
    At(Timestamp),
}

impl Expression {
    /// Parses an expression. The error names the part and the rule.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let inner = |kind: &str| {
            let inner = text.strip_prefix(kind)?.strip_prefix('(')?;
            inner.strip_suffix(')')
        };
        if let Some(rate) = inner("rate") {
            return parse_rate(rate).map(Self::Rate);
        }
        if let Some(cron) = inner("cron") {
            return Cron::parse(cron).map(Box::new).map(Self::Cron);
        }
        if let Some(at) = inner("at") {
            return parse_at(at).map(Self::At);
        }
        Err(format!("{text:?} is none of rate(…), cron(…) and at(…)"))
    }

    /// The first time after `after` at which a schedule is due that was made or enabled at `made`; `None` if there is
    /// none.
    pub(super) fn next(&self, made: Timestamp, after: Timestamp) -> Option<Timestamp> {
        let after = after.max(made);
        match self {
            Self::Rate(every) => {
                let passed = after.duration_since(made).as_millis();
                let times = passed / every.as_millis() + 1;
                let until = every.checked_mul(i32::try_from(times).ok()?)?;
                made.checked_add(until).ok()
            }
            Self::Cron(cron) => cron.next(after),
            Self::At(at) => (*at > after).then_some(*at),
        }
    }
}

fn parse_rate(text: &str) -> Result<SignedDuration, String> {
    let fault = || format!("rate({text}) is not a whole number from 1 with minutes, hours or days");
    let (value, unit) = text.trim().split_once(' ').ok_or_else(fault)?;
    let value: i32 = value.parse().map_err(|_| fault())?;
    let singular = unit.trim().strip_suffix('s');
    let (unit, plural) = singular.map_or((unit.trim(), false), |unit| (unit, true));
    if value < 1 {
        return Err(fault());
    }
    if plural == (value == 1) {
        return Err(format!(
            "rate({text}) needs the singular of its unit exactly if it is 1"
        ));
    }
    let one = match unit {
        "minute" => SignedDuration::from_mins(1),
        "hour" => SignedDuration::from_hours(1),
        "day" => SignedDuration::from_hours(24),
        _ => return Err(fault()),
    };
    one.checked_mul(value).ok_or_else(fault)
}

fn parse_at(text: &str) -> Result<Timestamp, String> {
    let fault = |_| format!("at({text}) is no time such as 2026-01-31T10:00:00, in UTC");
    let time: DateTime = text.trim().parse().map_err(fault)?;
    TimeZone::UTC.to_timestamp(time).map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_counts_from_the_time_at_which_the_schedule_was_made() {
        let made = at("2026-01-31T10:00:07Z");
        let next = |text: &str, after: &str| {
            let expression = Expression::parse(text).unwrap();
            expression.next(made, at(after)).unwrap().to_string()
        };
        for (expression, after, expected) in [
            (
                "rate(1 minute)",
                "2026-01-31T09:00:00Z",
                "2026-01-31T10:01:07Z",
            ),
            (
                "rate(1 minute)",
                "2026-01-31T10:00:07Z",
                "2026-01-31T10:01:07Z",
            ),
            (
                "rate(1 minute)",
                "2026-01-31T10:01:07Z",
                "2026-01-31T10:02:07Z",
            ),
            (
                "rate(5 minutes)",
                "2026-01-31T12:00:08Z",
                "2026-01-31T12:05:07Z",
            ),
            (
                "rate(2 hours)",
                "2026-01-31T12:00:06Z",
                "2026-01-31T12:00:07Z",
            ),
            (
                "rate(1 day)",
                "2026-02-27T00:00:00Z",
                "2026-02-27T10:00:07Z",
            ),
        ] {
            assert_eq!(
                next(expression, after),
                expected,
                "{expression} after {after}"
            );
        }
    }

    #[test]
    fn a_time_is_due_once() {
        let once = Expression::parse("at(2026-02-01T00:00:00)").unwrap();
        let due = at("2026-02-01T00:00:00Z");
        let made = at("2026-01-01T00:00:00Z");
        assert_eq!(once.next(made, made), Some(due));
        assert_eq!(once.next(made, due), None);
    }

    #[test]
    fn expressions_that_are_not_understood_are_refused() {
        for bad in [
            "",
            "1 minute",
            "rate(1 minute",
            "rate()",
            "rate(0 minutes)",
            "rate(-1 minutes)",
            "rate(1 minutes)",
            "rate(2 minute)",
            "rate(2 seconds)",
            "rate(1.5 hours)",
            "rate(2147483647 days) ",
            "cron(* * *)",
            "at(tomorrow)",
            "at(2026-02-30T00:00:00)",
        ] {
            assert!(Expression::parse(bad).is_err(), "{bad}");
        }
    }
}
