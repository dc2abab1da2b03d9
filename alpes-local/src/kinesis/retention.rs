//! The time for which streams keep records.

use serde_json::{Value, json};

use super::{
    Kinesis, errors::invalid_argument, fields::Fields, stream::Stream, streams::named_stream,
};
use crate::error::AwsError;

const LEAST_HOURS: u32 = 24;
const MOST_HOURS: u32 = 8760;

impl Kinesis {
    pub(super) fn increase_retention(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        let (name, hours) = read(fields)?;
        // Records that are too old by now must not come back by the increase.
        self.trim(self.now())?;
        self.change(name, |stream| {
            if hours < stream.retention_hours {
                return Err(refused(stream, hours, "shorter", "DecreaseRetentionPeriod"));
            }
            stream.retention_hours = hours;
            Ok(())
        })?;
        Ok(json!({}))
    }

    pub(super) fn decrease_retention(&self, fields: &Fields<'_>) -> Result<Value, AwsError> {
        let (name, hours) = read(fields)?;
        self.change(name, |stream| {
            if hours > stream.retention_hours {
                return Err(refused(stream, hours, "longer", "IncreaseRetentionPeriod"));
            }
            stream.retention_hours = hours;
            Ok(())
        })?;
        Ok(json!({}))
    }
}

/// AWS's limits of the retention.
pub(super) fn check_retention(hours: u32) -> Result<(), AwsError> {
    if hours < LEAST_HOURS {
        return Err(invalid_argument(format!(
            "Minimum allowed retention period is {LEAST_HOURS} hours. Requested retention period ({hours} hours) is \
             too short."
        )));
    }
    if hours > MOST_HOURS {
        return Err(invalid_argument(format!(
            "Maximum allowed retention period is {MOST_HOURS} hours. Requested retention period ({hours} hours) is \
             too long."
        )));
    }
    Ok(())
}

fn read<'a>(fields: &Fields<'a>) -> Result<(&'a str, u32), AwsError> {
    fields.only(&["StreamName", "StreamARN", "RetentionPeriodHours"])?;
    let name = named_stream(fields)?;
    let hours = fields.number("RetentionPeriodHours", 0..=u32::MAX)?;
    let hours = fields.required("RetentionPeriodHours", hours)?;
    check_retention(hours)?;
    Ok((name, hours))
}

fn refused(stream: &Stream, hours: u32, than: &str, other_operation: &str) -> AwsError {
    let (name, existing) = (&stream.name, stream.retention_hours);
    invalid_argument(format!(
        "Requested retention period ({hours} hours) for stream {name} can not be {than} than existing retention period \
         ({existing} hours). Use {other_operation} API."
    ))
}
