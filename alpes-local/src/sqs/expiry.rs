//! The end of messages that nobody receives.

use std::{sync::Arc, time::Duration};

use rusqlite::{Connection, Transaction};

use super::{Sqs, table};
use crate::{error::AwsError, names::now_millis, waiting::aside};

/// The time between two sweeps. A receive deletes the expired messages of its queue at once.
const PAUSE: Duration = Duration::from_mins(1);

impl Sqs {
    /// Sweeps each minute, until the task that runs this is dropped. An error ends a sweep; the next one begins anew.
    pub async fn sweep_each_minute(self: Arc<Self>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            // Nothing depends on a sweep, and a file that is broken fails requests too.
            let _ = self.sweep();
        }
    }

    /// Deletes the messages that are older than their queue's retention.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn sweep(&self) -> Result<(), AwsError> {
        let queues = self
            .store
            .read(|connection| table::names(connection, "", ""))?;
        queues.iter().try_for_each(|queue| self.sweep_queue(queue))
    }

    fn sweep_queue(&self, name: &str) -> Result<(), AwsError> {
        // Most queues have nothing to delete, and need no transaction that writes.
        let old = self.store.read(|connection| expired(connection, name))?;
        if old.is_none() {
            return Ok(());
        }
        let delete = |transaction: &Transaction<'_>| match expired(transaction, name)? {
            Some(before) => table::expire(transaction, name, before),
            None => Ok(()),
        };
        aside(|| self.store.write(delete))
    }
}

/// The time before which a queue's messages are too old; `None` if it has none of them.
fn expired(connection: &Connection, name: &str) -> Result<Option<u64>, AwsError> {
    let Some(queue) = table::find(connection, name)? else {
        return Ok(None);
    };
    let oldest = now_millis().saturating_sub(queue.settings.retention);
    let first = table::first_sent(connection, name)?;
    Ok(first.filter(|first| *first < oldest).map(|_| oldest))
}
