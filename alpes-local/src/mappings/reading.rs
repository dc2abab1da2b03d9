//! Reading a shard: a reader acts whenever records arrive, invocations end, or time passes.

use std::{sync::Arc, time::Duration};

use source_mapping::Change;
use tokio::{sync::watch, time::sleep};

use super::{
    access::Access,
    machine::{Begins, Start},
    reader::Reader,
    stream::{Era, gone},
};
use crate::{chaos::Kind, error::AwsError};

/// The pause before a reader that failed begins again from its checkpoint.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a reader ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The shard is closed, or gone from the stream, and nothing of it is left to deliver.
    Finished,
    /// The owner changed the mapping.
    Stopped,
}

/// Reads a shard until it is finished or the mapping changes. After an error, for example of the store, the reader begins
/// again from its checkpoint.
pub(super) async fn run(
    era: Arc<Era>,
    mut start: Start,
    mut order: watch::Receiver<Option<Change>>,
) -> End {
    loop {
        let error = match read(&era, start.clone(), &mut order).await {
            Ok(end) => return end,
            Err(_) if era.has_lost(&start.shard) => return End::Finished,
            Err(error) => error,
        };
        era.core
            .problem(&era.live, Some(&start.shard.to_string()), &error);
        tokio::select! {
            _ = ordered(&mut order) => return End::Stopped,
            () = sleep(AGAIN) => {}
        }
        let positions = era.core.journal.positions(era.live.uuid);
        if let Ok(Some(settled)) = positions.map(|mut all| all.remove(&start.shard)) {
            (start.begins, start.after) = (Begins::Again, settled);
        }
    }
}

async fn read(
    era: &Arc<Era>,
    start: Start,
    order: &mut watch::Receiver<Option<Change>>,
) -> Result<End, AwsError> {
    Access::of(&era.core, &era.live.config()).check_source()?;
    let mut changes = era.core.streams.changes(&era.stream)?;
    let (config, shard) = (era.live.config(), start.shard.to_string());
    let choosing = era.core.choosing(&config, &shard);
    tokio::select! {
        _ = ordered(order) => return Ok(End::Stopped),
        () = choosing.wait(Kind::ChangeDelayed, "the reading begins late") => {}
    }
    let mut reader = Reader::new(era.clone(), start)?;
    loop {
        reader.read()?;
        reader.take(None)?;
        reader.renew()?;
        reader.show();
        if reader.is_finished() {
            return Ok(End::Finished);
        }
        let pause = reader.pause();
        tokio::select! {
            change = ordered(order) => {
                reader.stop(change)?;
                return Ok(End::Stopped);
            }
            Some(ended) = reader.endings.recv() => reader.finish(ended)?,
            news = changes.changed(), if !reader.behind => {
                news.map_err(|_| gone(&era.stream))?;
                reader.behind = true;
            }
            () = sleep(pause) => {}
        }
    }
}

/// Waits for the order to stop.
async fn ordered(order: &mut watch::Receiver<Option<Change>>) -> Change {
    let change = order.wait_for(Option::is_some).await;
    // Without an owner, the runtime ends.
    change.map_or(Change::Disable, |change| {
        change.clone().unwrap_or(Change::Disable)
    })
}
