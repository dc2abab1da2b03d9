//! Metrics as log lines in the embedded metric format: `CloudWatch` reads them, and other runtimes keep the lines.

use std::collections::BTreeMap;

use alpes_ports::{Lines, Platform};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A unit of `CloudWatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A duration in seconds.
    Seconds,
}

/// The metrics of a stack.
pub struct Metrics {
    /// The `CloudWatch` namespace of all metrics.
    namespace: &'static str,
    stack: String,
    lines: Lines,
}

impl Metrics {
    /// Metrics of this platform's stack under `namespace`, written to the function's log.
    ///
    /// # Errors
    ///
    /// The platform does not know the name of its stack.
    pub fn of<P: Platform>(platform: &P, namespace: &'static str) -> Result<Self, P::Error> {
        Ok(Self {
            namespace,
            stack: platform.stack()?,
            lines: platform.lines(),
        })
    }

    /// Writes metrics for the time `now`, all in one line.
    pub fn emit(&self, now: Timestamp, metrics: &[(&'static str, Unit, u64)]) {
        let millis = now.as_millisecond();
        let line = line(self.namespace, &self.stack, millis, metrics);
        (self.lines)(&line.to_string());
    }
}

fn line(
    namespace: &str,
    stack: &str,
    milliseconds: i64,
    metrics: &[(&'static str, Unit, u64)],
) -> Value {
    let definitions: Vec<_> = metrics
        .iter()
        .map(|(name, unit, _)| json!({ "Name": name, "Unit": if *unit == Unit::Count { "Count" } else { "Seconds" } }))
        .collect();
    let mut line: BTreeMap<&str, Value> = metrics
        .iter()
        .map(|(name, _, value)| (*name, Value::from(*value)))
        .collect();
    line.insert("Stack", stack.into());
    line.insert(
        "_aws",
        json!({
            "Timestamp": milliseconds,
            "CloudWatchMetrics": [{ "Namespace": namespace, "Dimensions": [["Stack"]], "Metrics": definitions }],
        }),
    );
    json!(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_in_the_embedded_metric_format() {
        let line = line(
            "Shop",
            "test",
            1_769_853_600_000,
            &[
                ("Parked", Unit::Count, 3),
                ("SweeperAge", Unit::Seconds, 61),
            ],
        );
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 1_769_853_600_000_i64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Shop",
                        "Dimensions": [["Stack"]],
                        "Metrics": [{ "Name": "Parked", "Unit": "Count" }, { "Name": "SweeperAge", "Unit": "Seconds" }],
                    }],
                },
                "Stack": "test",
                "Parked": 3,
                "SweeperAge": 61,
            })
        );
    }
}
