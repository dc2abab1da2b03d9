//! The fields of cron expressions.

use std::collections::BTreeSet;

/// A field: its name, its values, and the names of its values.
pub(super) struct Field {
    name: &'static str,
    least: u16,
    most: u16,
    /// The names of the values, from the least.
    names: &'static [&'static str],
}

impl Field {
    pub(super) const fn numbers(name: &'static str, least: u16, most: u16) -> Self {
        let names = &[];
        Self {
            name,
            least,
            most,
            names,
        }
    }

    fn fault(&self, text: &str) -> String {
        let Self {
            name, least, most, ..
        } = self;
        format!("the field {name} has {text:?}, and takes {least}-{most}, lists, ranges and steps")
    }
}

pub(super) const MINUTES: Field = Field::numbers("minutes", 0, 59);
pub(super) const HOURS: Field = Field::numbers("hours", 0, 23);
pub(super) const YEARS: Field = Field::numbers("year", 1970, 2199);
pub(super) const MONTHS: Field = Field {
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    ..Field::numbers("month", 1, 12)
};
pub(super) const DAYS_OF_WEEK: Field = Field {
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    ..Field::numbers("day-of-week", 1, 7)
};

/// The values of a field such as `1,5-7,10/5`.
pub(super) fn values(field: &Field, text: &str) -> Result<BTreeSet<u16>, String> {
    let mut values = BTreeSet::new();
    for part in text.split(',') {
        values.extend(of_part(field, part)?);
    }
    Ok(values)
}

/// The values of `*`, a number, a range, or one of them with a step. A number with a step begins a range that ends with
/// the field.
fn of_part(field: &Field, part: &str) -> Result<impl Iterator<Item = u16>, String> {
    let (range, step) = match part.split_once('/') {
        None => (part, None),
        Some((range, step)) => {
            let step = step.parse().ok().filter(|step: &usize| *step > 0);
            (range, Some(step.ok_or_else(|| field.fault(part))?))
        }
    };
    let (least, most) = match range.split_once('-') {
        _ if range == "*" => (field.least, field.most),
        Some((least, most)) => (number(field, least)?, number(field, most)?),
        None => {
            let from = number(field, range)?;
            let to = if step.is_some() { field.most } else { from };
            (from, to)
        }
    };
    if least > most {
        return Err(field.fault(part));
    }
    Ok((least..=most).step_by(step.unwrap_or(1)))
}

/// The value of a number or name.
pub(super) fn number(field: &Field, text: &str) -> Result<u16, String> {
    let named = (field.least..)
        .zip(field.names)
        .find(|(_, name)| name.eq_ignore_ascii_case(text));
    if let Some((value, _)) = named {
        return Ok(value);
    }
    let value = text.parse().ok();
    let value = value.filter(|value| (field.least..=field.most).contains(value));
    value.ok_or_else(|| field.fault(text))
}
