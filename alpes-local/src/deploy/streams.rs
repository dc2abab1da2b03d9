//! Kinesis streams and their consumers.

use serde::Serialize;
use template::{Resource, TemplateError};

use super::{
    Mode,
    draft::{Draft, Source},
};

/// The number of shards with which AWS makes an on-demand stream.
const ON_DEMAND_SHARDS: u32 = 4;

/// A Kinesis stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// The name.
    pub name: String,
    /// The ARN.
    pub arn: String,
    /// The number of shards at the creation.
    pub shards: u32,
    /// The capacity mode.
    pub mode: Mode,
    /// The time for which records are kept, in hours.
    pub retention_hours: u32,
    /// The names of the registered consumers with enhanced fan-out.
    pub consumers: Vec<String>,
}

pub(super) fn stream(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let modes = [
        ("ON_DEMAND", Mode::OnDemand),
        ("PROVISIONED", Mode::Provisioned),
    ];
    let stream = resource.read(|set| {
        draft.skip(
            set,
            &["StreamEncryption", "Tags", "DesiredShardLevelMetrics"],
        );
        set.text("Name")?;
        let mode = set.within("StreamModeDetails", |details| {
            details.choice("StreamMode", &modes)
        })?;
        let mode = mode.flatten().unwrap_or(Mode::Provisioned);
        let shards: Option<u32> = set.number("ShardCount")?;
        let shards = match mode {
            Mode::OnDemand => shards.unwrap_or(ON_DEMAND_SHARDS),
            Mode::Provisioned => shards
                .filter(|shards| *shards > 0)
                .ok_or_else(|| set.must("ShardCount", "1 or more"))?,
        };
        let retention_hours = set.number("RetentionPeriodHours")?.unwrap_or(24);
        if !(24..=8760).contains(&retention_hours) {
            return Err(set.must("RetentionPeriodHours", "24 to 8760"));
        }
        Ok(Stream {
            name: resource.name.clone(),
            arn: resource.arn.clone().unwrap_or_default(),
            shards,
            mode,
            retention_hours,
            consumers: vec![],
        })
    })?;
    draft.plan.streams.push(stream);
    Ok(())
}

pub(super) fn consumer(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        draft.skip(set, &["Tags"]);
        let name = set.required("ConsumerName")?;
        let arn = set.required("StreamARN")?;
        let stream = draft.stream(&arn, set, "StreamARN")?;
        stream.consumers.push(name);
        Ok(())
    })
}
