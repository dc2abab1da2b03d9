//! The limits of the account.

use super::{
    Streams,
    errors::limit_exceeded,
    stream::{Mode, Stream},
};
use crate::{
    error::AwsError,
    names::{ACCOUNT, REGION},
};

/// The most open shards, as in AWS's largest regions.
pub(super) const SHARDS: usize = 20_000;
/// The most streams on demand.
pub(super) const ON_DEMAND_STREAMS: usize = 50;

/// The open shards of all streams.
pub(super) fn open_shards(streams: &Streams) -> usize {
    streams.values().map(Stream::open_count).sum()
}

/// The count of the streams on demand.
pub(super) fn on_demand_streams(streams: &Streams) -> usize {
    let modes = streams.values().map(|stream| stream.mode);
    modes.filter(|mode| *mode == Mode::OnDemand).count()
}

/// AWS's error if the account would have too many open shards.
pub(super) fn check_more_shards(streams: &Streams, more: usize) -> Result<(), AwsError> {
    let open = open_shards(streams);
    if more > 0 && open.saturating_add(more) > SHARDS {
        return Err(limit_exceeded(format!(
            "This request would exceed the shard limit for the account {ACCOUNT} in {REGION}. Current shard count for \
             the account: {open}. Limit: {SHARDS}. Number of additional shards that would have resulted from this \
             request: {more}."
        )));
    }
    Ok(())
}

/// The error if the account has as many streams on demand as it may have.
pub(super) fn check_one_more_on_demand(streams: &Streams) -> Result<(), AwsError> {
    if on_demand_streams(streams) >= ON_DEMAND_STREAMS {
        return Err(limit_exceeded(format!(
            "The account {ACCOUNT} has {ON_DEMAND_STREAMS} streams in ON_DEMAND mode, which is the limit."
        )));
    }
    Ok(())
}
