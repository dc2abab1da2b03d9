//! Clocks that are a little off.
//!
//! Kinesis does not guarantee that arrival times are accurate, or ascend:
//! <https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html>. AWS says nothing on how exact the
//! header `Date` and `Lambda-Runtime-Deadline-Ms` are. Signatures may be 5 minutes off, so clocks may differ by seconds.

use http::{HeaderValue, header};
use serde_json::Value;

use super::Chaos;
use crate::{http::Response, names::now_millis, time::at_millis};

/// An arrival time is off by at most so many milliseconds.
const ARRIVAL: u32 = 1_000;
/// A `Date` is off by at most so many milliseconds.
const DATE: u64 = 3_000;
/// The deadline of an invocation is off by at most so many milliseconds.
const DEADLINE: u64 = 50;

impl Chaos {
    /// The arrival time of a record, as every reader sees it. It depends on the record alone, so that a record which is
    /// delivered again has the same time.
    #[must_use]
    pub fn arrival(&self, sequence: &str, millis: u64) -> u64 {
        off(millis, ARRIVAL.into(), self.arrival_choice(sequence))
    }

    fn arrival_choice(&self, sequence: &str) -> u64 {
        self.always(2 * u64::from(ARRIVAL) + 1, &format!("arrival {sequence}"))
    }

    /// The deadline of an invocation, as its function gets it.
    #[must_use]
    pub fn deadline(&self, function: &str, millis: u64) -> u64 {
        let choice = self.below(2 * DEADLINE + 1, &format!("deadline {function}"));
        off(millis, DEADLINE, choice)
    }

    /// Sets the time of an answer.
    pub(super) fn date(&self, function: &str, response: &mut Response) {
        let choice = self.below(2 * DATE + 1, &format!("date {function}"));
        let time = at_millis(off(now_millis(), DATE, choice));
        let text = time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(header::DATE, value);
        }
    }

    /// Sets the arrival times in an answer of `GetRecords`.
    pub(super) fn arrivals(&self, answer: &mut Value) {
        let records = answer.get_mut("Records").and_then(Value::as_array_mut);
        for record in records.into_iter().flatten() {
            let sequence = record.get("SequenceNumber").and_then(Value::as_str);
            let sequence = sequence.unwrap_or_default().to_owned();
            if let Some(time) = record.get_mut("ApproximateArrivalTimestamp")
                && let Some(seconds) = time.as_f64()
            {
                *time = seconds_off(seconds, self.arrival_choice(&sequence)).into();
            }
        }
    }
}

/// A time that is off by up to `most`; `choice` is below `2 * most + 1`.
fn off(millis: u64, most: u64, choice: u64) -> u64 {
    (millis + choice).saturating_sub(most)
}

/// An arrival time in seconds that is off, in whole milliseconds.
fn seconds_off(seconds: f64, choice: u64) -> f64 {
    let choice = u32::try_from(choice).unwrap_or(ARRIVAL);
    let millis = seconds * 1_000.0 + f64::from(choice) - f64::from(ARRIVAL);
    millis.round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn all_readers_see_the_same_wrong_arrival_time_which_does_not_ascend() {
        let folder = std::env::temp_dir().join(format!("alpes-clocks-{}", uuid::Uuid::new_v4()));
        let chaos = Chaos::new(3, &folder).unwrap();
        let at = |number: u64| chaos.arrival(&number.to_string(), 1_700_000_000_000 + number);
        let times: Vec<_> = (0..50).map(at).collect();
        assert!(!times.is_sorted());
        let mut answer = json!({"Records": [
            {"SequenceNumber": "7", "ApproximateArrivalTimestamp": 1_700_000_000.007},
        ]});
        chaos.arrivals(&mut answer);
        let seen = answer["Records"][0]["ApproximateArrivalTimestamp"].as_f64();
        let millis = u32::try_from(times[7] - 1_700_000_000_000 + 5_000).unwrap();
        let wanted = 1_699_999_995.0 + f64::from(millis) / 1_000.0;
        assert!(
            (seen.unwrap() - wanted).abs() < 0.000_5,
            "{seen:?} {wanted}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
