//! Points in time, as the system reads, stores, returns and prints them. [`Moment`] is the only form in which a time
//! becomes text.
//!
//! | a time in | its form |
//! | --- | --- |
//! | the system's own data | [`Moment`], with exactly three decimals |
//! | a field of another type | `#[serde(with = "alpes_messages::moment::text")]` |
//! | a printed line whose date is printed elsewhere | [`Moment::time_of_day`] |
//! | a client's request | [`rfc3339`] reads the time, which is stored in UTC with the client's decimals |

use std::{borrow::Cow, fmt, str::FromStr};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use thiserror::Error;

/// The number of decimals of a second that a read time keeps. Further decimals are cut.
const NANOSECONDS: usize = 9;

/// The text is no date of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no date of RFC 3339")]
pub struct NotRfc3339;

/// Reads a date by the grammar of RFC 3339, and nothing beyond it: jiff alone would also accept other forms of ISO
/// 8601, and zones by name.
///
/// A fraction of a second may have any number of digits; digits beyond nanoseconds are cut. Second 60 is a leap second:
/// it is accepted only at the end of a day in UTC, and read as the second before it.
///
/// # Errors
///
/// [`NotRfc3339`] if the text is no date of RFC 3339.
pub fn rfc3339(text: &str) -> Result<Timestamp, NotRfc3339> {
    read(text).ok_or(NotRfc3339)
}

fn read(text: &str) -> Option<Timestamp> {
    let (seconds, rest) = text.split_at_checked("0000-00-00T00:00:00".len())?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => {
            let zone = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
            let digits = rest
                .strip_suffix(zone)
                .filter(|digits| !digits.is_empty())?;
            (digits.get(..NANOSECONDS).unwrap_or(digits), zone)
        }
    };
    let offset = || {
        (like(zone, "+00:00") || like(zone, "-00:00"))
            && zone.get(1..3).is_some_and(|hours| hours <= "23")
    };
    if !(like(seconds, "0000-00-00T00:00:00") && (like(zone, "Z") || offset())) {
        return None;
    }
    let point = if fraction.is_empty() { "" } else { "." };
    let read: Timestamp = format!("{seconds}{point}{fraction}{zone}").parse().ok()?;
    let last_of_day = read.as_second().rem_euclid(86_400) == 86_399;
    (last_of_day || !seconds.ends_with("60")).then_some(read)
}

/// True if the text has the characters of `form`, with any digit in the place of each zero.
fn like(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(byte, form)| {
            if form == b'0' {
                byte.is_ascii_digit()
            } else {
                byte.eq_ignore_ascii_case(&form)
            }
        })
}

/// Reads a stored date. Years beyond 9999 are in the extended form of ISO 8601, since RFC 3339 has no form for them.
/// The dates of commands are never beyond 9999.
fn stored(text: &str) -> Result<Timestamp, NotRfc3339> {
    if text.starts_with(['+', '-']) {
        return text.parse().map_err(|_| NotRfc3339);
    }
    rfc3339(text)
}

/// Deserializes a client's date, and keeps the fraction of its seconds as the client wrote it. A [`Moment`] keeps
/// milliseconds only.
///
/// # Errors
///
/// An error of the deserializer, or a text that is no date.
pub fn date<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    let text = Cow::<str>::deserialize(from)?;
    stored(&text).map_err(D::Error::custom)
}

/// An instant in UTC with exactly three decimals, `2026-01-31T10:00:00.000Z`.
///
/// The texts have a fixed width, so they sort in the order of the instants, and a moment can be a sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(Timestamp);

impl Moment {
    /// The moment as a jiff timestamp.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        self.0
    }

    /// The time of day alone, in UTC: `10:00:00.000`.
    #[must_use]
    pub fn time_of_day(self) -> impl fmt::Display {
        self.0.strftime("%H:%M:%S%.3f")
    }
}

/// For serde: writes and reads a field of the type `Timestamp` as a [`Moment`], with
/// `#[serde(with = "alpes_messages::moment::text")]`.
pub mod text {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Moment;

    /// Writes the time as a [`Moment`].
    ///
    /// # Errors
    ///
    /// An error of the serializer.
    pub fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        Moment::from(*time).serialize(to)
    }

    /// Reads the time as a [`Moment`].
    ///
    /// # Errors
    ///
    /// An error of the deserializer, or a text that is no date.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        Moment::deserialize(from).map(Moment::timestamp)
    }
}

impl From<Timestamp> for Moment {
    fn from(timestamp: Timestamp) -> Self {
        Self(Timestamp::from_millisecond(timestamp.as_millisecond()).unwrap_or(timestamp))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}", self.0)
    }
}

impl FromStr for Moment {
    type Err = NotRfc3339;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        stored(text).map(Self::from)
    }
}

impl TryFrom<String> for Moment {
    type Error = NotRfc3339;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_written_as_a_moment_is() {
        #[derive(Serialize, Deserialize)]
        struct Field(#[serde(with = "text")] Timestamp);
        for (given, written) in [
            ("2026-01-31T10:00:55Z", "\"2026-01-31T10:00:55.000Z\""),
            ("2026-01-31T10:00:57.12Z", "\"2026-01-31T10:00:57.120Z\""),
        ] {
            let text = serde_json::to_string(&Field(given.parse().unwrap())).unwrap();
            assert_eq!(text, written);
            let read: Field = serde_json::from_str(&text).unwrap();
            assert_eq!(read.0, given.parse().unwrap());
        }
    }

    #[test]
    fn a_time_of_day_has_three_decimals_too() {
        let moment: Moment = "2026-01-31T10:00:55Z".parse().unwrap();
        assert_eq!(moment.time_of_day().to_string(), "10:00:55.000");
    }

    #[test]
    fn prints_three_decimals_whatever_it_was_made_of() {
        for (given, printed) in [
            ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000Z"),
            ("2026-01-31T10:00:00.1239Z", "2026-01-31T10:00:00.123Z"),
            ("2026-01-31T05:00:00.5-05:00", "2026-01-31T10:00:00.500Z"),
            (
                "2026-01-31T10:00:00.1239999999999Z",
                "2026-01-31T10:00:00.123Z",
            ),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("-000001-12-31T23:59:59.999Z", "-000001-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(given.parse::<Moment>().unwrap().to_string(), printed);
        }
    }

    #[test]
    fn what_is_no_date_of_rfc_3339_is_no_moment() {
        for text in ["2026-01-31T13:10:60Z", "2026-01-31", "2026-01-31T10:00:00"] {
            assert_eq!(text.parse::<Moment>(), Err(NotRfc3339), "{text}");
        }
    }
}
