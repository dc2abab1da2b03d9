//! The checks of a mapping's settings.

use std::time::Duration;

use source_mapping::{Mapping, Millis};

use super::config::{Config, Source, invalid, unsupported};
use crate::error::AwsError;

impl Config {
    /// Checks what AWS checks when a mapping is created or updated, but for the existence of the source.
    pub(super) fn check(&self) -> Result<Source, AwsError> {
        let source = Source::parse(&self.source)?;
        match source {
            Source::Stream { .. } => self.check_stream()?,
            Source::Queue => self.check_queue()?,
        }
        Ok(source)
    }

    fn check_stream(&self) -> Result<(), AwsError> {
        if self.position.is_none() {
            return Err(invalid(
                "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: \
                 Member must not be null.",
            ));
        }
        if self.maximum_concurrency.is_some() {
            return Err(unsupported("ScalingConfig"));
        }
        let settings = self.settings(Duration::from_hours(24))?;
        Mapping::new(settings, Millis(0)).map_err(invalid)?;
        Ok(())
    }

    fn check_queue(&self) -> Result<(), AwsError> {
        let only_streams = [
            ("StartingPosition", self.position.is_some()),
            ("ParallelizationFactor", self.factor != 1),
            ("MaximumRetryAttempts", self.retries.is_some()),
            ("MaximumRecordAgeInSeconds", self.age_seconds.is_some()),
            ("BisectBatchOnFunctionError", self.bisects),
            ("DestinationConfig", self.destination.is_some()),
        ];
        if let Some((name, _)) = only_streams.iter().find(|(_, is_set)| *is_set) {
            return Err(unsupported(name));
        }
        if !self.patterns.is_empty() {
            return Err(invalid(
                "FilterCriteria: this runtime does not filter the messages of queues",
            ));
        }
        if !(1..=10_000).contains(&self.batch_size) {
            return Err(invalid("BatchSize must be 1 to 10,000"));
        }
        if self.window_seconds > 300 {
            return Err(invalid("MaximumBatchingWindowInSeconds must be 0 to 300"));
        }
        if self.batch_size > 10 && self.window_seconds == 0 {
            return Err(invalid(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            ));
        }
        let limits = 2..=1000;
        if self
            .maximum_concurrency
            .is_some_and(|most| !limits.contains(&most))
        {
            return Err(invalid(
                "ScalingConfig.MaximumConcurrency must be 2 to 1,000",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::config::Position, *};

    const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/log";
    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:jobs";

    fn refusal(change: impl FnOnce(&mut Config), source: &str) -> String {
        let mut config = Config::new("worker", source).unwrap();
        if source == STREAM {
            config.position = Some(Position::Latest);
        }
        change(&mut config);
        config.check().unwrap_err().message
    }

    #[test]
    fn refusals_name_the_setting() {
        let refused = [
            (
                refusal(|config| config.position = None, STREAM),
                "startingPosition",
            ),
            (refusal(|config| config.batch_size = 0, STREAM), "BatchSize"),
            (
                refusal(|config| config.factor = 11, STREAM),
                "ParallelizationFactor",
            ),
            (
                refusal(|config| config.patterns = vec!["{".to_owned()], STREAM),
                "FilterCriteria",
            ),
            (
                refusal(
                    |config| config.destination = Some("arn:aws:iam::1:x".to_owned()),
                    STREAM,
                ),
                "DestinationConfig",
            ),
            (
                refusal(|config| config.maximum_concurrency = Some(2), STREAM),
                "ScalingConfig",
            ),
            (
                refusal(|config| config.maximum_concurrency = Some(1), QUEUE),
                "ScalingConfig",
            ),
            (
                refusal(|config| config.batch_size = 11, QUEUE),
                "batch window",
            ),
            (
                refusal(|config| config.bisects = true, QUEUE),
                "BisectBatch",
            ),
            (
                refusal(|config| config.patterns = vec!["{}".to_owned()], QUEUE),
                "FilterCriteria",
            ),
        ];
        for (message, named) in refused {
            assert!(message.contains(named), "{message}");
        }
    }
}
