//! Cron expressions with AWS's six fields, in UTC.

use std::collections::BTreeSet;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Weekday},
    tz::TimeZone,
};

use super::field::{DAYS_OF_WEEK, Field, HOURS, MINUTES, MONTHS, YEARS, number, values};

/// The year after the last one that an expression can name.
const END: i16 = 2200;

/// A cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: BTreeSet<u16>,
    hours: BTreeSet<u16>,
    months: BTreeSet<u16>,
    years: BTreeSet<u16>,
    days: Days,
}

/// The days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(BTreeSet<u16>),
    /// `L`: the last day.
    Last,
    /// `LW`: the last weekday.
    LastWeekday,
    /// `15W`: the weekday nearest to this day, in the same month.
    NearestWeekday(u16),
    /// Days of the week, from 1 for Sunday.
    OfWeek(BTreeSet<u16>),
    /// `6L`: the last of these days in the month.
    LastOfWeek(u16),
    /// `6#3`: the third of these days in the month.
    NthOfWeek(u16, u16),
}

impl Cron {
    /// Parses the text within `cron(…)`. The error names the field and the rule.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<_> = text.split_whitespace().collect();
        let [minutes, hours, of_month, months, of_week, years] = fields[..] else {
            return Err(format!("cron has {} fields, and needs 6", fields.len()));
        };
        Ok(Self {
            minutes: values(&MINUTES, minutes)?,
            hours: values(&HOURS, hours)?,
            months: values(&MONTHS, months)?,
            years: values(&YEARS, years)?,
            days: Days::parse(of_month, of_week)?,
        })
    }

    /// The first time after `after`; `None` if there is none.
    pub(super) fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = TimeZone::UTC.to_datetime(after);
        let mut day = after.date();
        while day.year() < END {
            if !self.has_month(day) {
                day = day.last_of_month().tomorrow().ok()?;
                continue;
            }
            if self.days.have(day)
                && let Some(time) = self.on(day, after)
            {
                return TimeZone::UTC.to_timestamp(time).ok();
            }
            day = day.tomorrow().ok()?;
        }
        None
    }

    fn has_month(&self, day: Date) -> bool {
        let has =
            |set: &BTreeSet<u16>, value: Result<u16, _>| value.is_ok_and(|v| set.contains(&v));
        has(&self.years, u16::try_from(day.year())) && has(&self.months, u16::try_from(day.month()))
    }

    /// The first time on this day that comes after `after`.
    fn on(&self, day: Date, after: DateTime) -> Option<DateTime> {
        let small = |value: &u16| i8::try_from(*value).ok();
        let times = self.hours.iter().filter_map(small).flat_map(|hour| {
            let minutes = self.minutes.iter().filter_map(small);
            minutes.map(move |minute| day.at(hour, minute, 0, 0))
        });
        times.into_iter().find(|time| *time > after)
    }
}

impl Days {
    fn parse(of_month: &str, of_week: &str) -> Result<Self, String> {
        match (of_month, of_week) {
            ("?", "?") => Err("day-of-month and day-of-week are both ?".into()),
            ("?", of_week) => Self::of_week(of_week),
            (of_month, "?") => Self::of_month(of_month),
            _ => Err("one of day-of-month and day-of-week must be ?".into()),
        }
    }

    fn of_month(text: &str) -> Result<Self, String> {
        const FIELD: Field = Field::numbers("day-of-month", 1, 31);
        match text {
            "L" => Ok(Self::Last),
            "LW" => Ok(Self::LastWeekday),
            _ => match text.strip_suffix('W') {
                Some(day) => number(&FIELD, day).map(Self::NearestWeekday),
                None => values(&FIELD, text).map(Self::OfMonth),
            },
        }
    }

    fn of_week(text: &str) -> Result<Self, String> {
        if text == "L" {
            return Ok(Self::OfWeek(BTreeSet::from([7])));
        }
        if let Some(day) = text.strip_suffix('L') {
            return number(&DAYS_OF_WEEK, day).map(Self::LastOfWeek);
        }
        if let Some((day, nth)) = text.split_once('#') {
            const NTH: Field = Field::numbers("day-of-week", 1, 5);
            return Ok(Self::NthOfWeek(
                number(&DAYS_OF_WEEK, day)?,
                number(&NTH, nth)?,
            ));
        }
        values(&DAYS_OF_WEEK, text).map(Self::OfWeek)
    }

    fn have(&self, day: Date) -> bool {
        let of_month = day.day().unsigned_abs().into();
        let of_week = day_of_week(day);
        match self {
            Self::OfMonth(days) => days.contains(&of_month),
            Self::Last => day == day.last_of_month(),
            Self::LastWeekday => day == nearest_weekday(day.last_of_month()),
            Self::NearestWeekday(wanted) => nearest(day, *wanted) == Some(day),
            Self::OfWeek(days) => days.contains(&of_week),
            Self::LastOfWeek(wanted) => {
                let left = day.last_of_month().day() - day.day();
                of_week == *wanted && left < 7
            }
            Self::NthOfWeek(wanted, nth) => of_week == *wanted && (of_month - 1) / 7 + 1 == *nth,
        }
    }
}

/// The day of the week, from 1 for Sunday.
fn day_of_week(day: Date) -> u16 {
    day.weekday().to_sunday_one_offset().unsigned_abs().into()
}

/// The weekday nearest to a day of the month of `within`; `None` if the month has no such day.
fn nearest(within: Date, day: u16) -> Option<Date> {
    let day = i8::try_from(day).ok()?;
    let wanted = Date::new(within.year(), within.month(), day).ok()?;
    Some(nearest_weekday(wanted))
}

/// The weekday nearest to a day, in the same month.
fn nearest_weekday(day: Date) -> Date {
    let first = day == day.first_of_month();
    let last = day == day.last_of_month();
    let away = match (day.weekday(), first, last) {
        (Weekday::Saturday, true, _) => 2,
        (Weekday::Saturday, false, _) => -1,
        (Weekday::Sunday, _, true) => -2,
        (Weekday::Sunday, _, false) => 1,
        _ => 0,
    };
    day.saturating_add(away.days())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(cron: &str, after: &str, times: usize) -> Vec<String> {
        let cron = Cron::parse(cron).unwrap();
        let mut at: Timestamp = after.parse().unwrap();
        let mut told = vec![];
        for _ in 0..times {
            let Some(next) = cron.next(at) else {
                break;
            };
            told.push(next.strftime("%Y-%m-%d %H:%M %a").to_string());
            at = next;
        }
        told
    }

    #[test]
    fn the_next_times_follow_from_the_fields() {
        // 2026-01-31 is a Saturday.
        let after = "2026-01-31T10:00:30Z";
        for (cron, expected) in [
            (
                "* * * * ? *",
                vec!["2026-01-31 10:01 Sat", "2026-01-31 10:02 Sat"],
            ),
            (
                "0 10 * * ? *",
                vec!["2026-02-01 10:00 Sun", "2026-02-02 10:00 Mon"],
            ),
            (
                "15/20 12 * * ? *",
                vec!["2026-01-31 12:15 Sat", "2026-01-31 12:35 Sat"],
            ),
            (
                "0/30 22-23 ? * MON-FRI *",
                vec!["2026-02-02 22:00 Mon", "2026-02-02 22:30 Mon"],
            ),
            (
                "0 8 1 * ? *",
                vec!["2026-02-01 08:00 Sun", "2026-03-01 08:00 Sun"],
            ),
            (
                "0 0 31 * ? *",
                vec!["2026-03-31 00:00 Tue", "2026-05-31 00:00 Sun"],
            ),
            (
                "0 0 29 2 ? *",
                vec!["2028-02-29 00:00 Tue", "2032-02-29 00:00 Sun"],
            ),
            (
                "0 0 L * ? *",
                vec!["2026-02-28 00:00 Sat", "2026-03-31 00:00 Tue"],
            ),
            (
                "0 0 LW * ? *",
                vec!["2026-02-27 00:00 Fri", "2026-03-31 00:00 Tue"],
            ),
            (
                "0 0 1W * ? *",
                vec!["2026-02-02 00:00 Mon", "2026-03-02 00:00 Mon"],
            ),
            (
                "0 0 15W AUG ? *",
                vec!["2026-08-14 00:00 Fri", "2027-08-16 00:00 Mon"],
            ),
            (
                "0 0 31W 5 ? *",
                vec!["2026-05-29 00:00 Fri", "2027-05-31 00:00 Mon"],
            ),
            (
                "0 0 ? * L *",
                vec!["2026-02-07 00:00 Sat", "2026-02-14 00:00 Sat"],
            ),
            (
                "0 0 ? * 6L *",
                vec!["2026-02-27 00:00 Fri", "2026-03-27 00:00 Fri"],
            ),
            (
                "0 0 ? * TUE#3 *",
                vec!["2026-02-17 00:00 Tue", "2026-03-17 00:00 Tue"],
            ),
            (
                "0 0 ? * 1,7 2027",
                vec!["2027-01-02 00:00 Sat", "2027-01-03 00:00 Sun"],
            ),
            (
                "0 0 ? JAN-MAR/2 mon *",
                vec!["2026-03-02 00:00 Mon", "2026-03-09 00:00 Mon"],
            ),
            ("0 0 30 2 ? *", vec![]),
            ("0 0 * * ? 2025", vec![]),
        ] {
            assert_eq!(next(cron, after, 2), expected, "{cron}");
        }
        assert_eq!(
            next("59 23 31 12 ? 2026", after, 2),
            ["2026-12-31 23:59 Thu"]
        );
    }

    #[test]
    fn expressions_that_are_not_understood_are_refused() {
        for (cron, words) in [
            ("* * * * *", "6"),
            ("60 * * * ? *", "minutes"),
            ("x * * * ? *", "minutes"),
            ("? * * * ? *", "minutes"),
            ("*/0 * * * ? *", "minutes"),
            ("* 24 * * ? *", "hours"),
            ("* 5-3 * * ? *", "hours"),
            ("* * 0 * ? *", "day-of-month"),
            ("* * 32W * ? *", "day-of-month"),
            ("* * * 13 ? *", "month"),
            ("* * * JANUARY ? *", "month"),
            ("* * ? * 8 *", "day-of-week"),
            ("* * ? * 2#6 *", "day-of-week"),
            ("* * ? * 3#1,6#3 *", "day-of-week"),
            ("* * * * * *", "must be ?"),
            ("* * ? * ? *", "both"),
            ("* * * * ? 1969", "year"),
            ("* * * * ? 2200", "year"),
            ("1,, * * * ? *", "minutes"),
        ] {
            let error = Cron::parse(cron).unwrap_err();
            assert!(error.contains(words), "{cron}: {error}");
        }
    }
}
