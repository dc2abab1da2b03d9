//! Delivers reports to their destinations. A report stays in the store until its destination has it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;

use super::{
    access::Access,
    core::Core,
    journal::Undelivered,
    status::{Act, Counts},
};
use crate::{error::AwsError, invoke::Document, sqs::MessageAttributes};

/// The pause after the first failed delivery in a row. It doubles with each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Wakes the tasks that deliver, one for each destination. So a destination that is missing delays no other one.
#[derive(Debug, Default)]
pub(super) struct Postman(Mutex<BTreeMap<String, Arc<Notify>>>);

impl Postman {
    /// Delivers the reports for this destination, now and whenever this is called again.
    pub(super) fn wake(&self, core: &Arc<Core>, destination: &str) {
        let mut rounds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(round) = rounds.get(destination) {
            round.notify_one();
            return;
        }
        let round = Arc::new(Notify::new());
        rounds.insert(destination.to_owned(), round.clone());
        tokio::spawn(deliver_all(core.clone(), destination.to_owned(), round));
    }
}

async fn deliver_all(core: Arc<Core>, destination: String, round: Arc<Notify>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match deliver_next(&core, &destination).await {
            Ok(true) => pause = FIRST_PAUSE,
            Ok(false) => round.notified().await,
            Err(_) => {
                tokio::time::sleep(pause).await;
                pause = LONGEST_PAUSE.min(pause * 2);
            }
        }
    }
}

/// Delivers the oldest report. Returns false if there is none.
async fn deliver_next(core: &Core, destination: &str) -> Result<bool, AwsError> {
    let Some(Undelivered {
        id,
        mapping,
        report,
    }) = core.journal.next_report(destination)?
    else {
        return Ok(false);
    };
    let live = core.live(mapping);
    let document = Document {
        body: report.body,
        object_key: report.object_key,
        attributes: MessageAttributes::new(),
    };
    let config = live.as_ref().map(|live| live.config());
    let allowed = config.map_or(Ok(()), |config| {
        Access::of(core, &config).check_report(destination, &document.object_key)
    });
    let delivered = match allowed {
        Ok(()) => core.destinations.deliver(destination, document).await,
        Err(error) => Err(error),
    };
    match (delivered, live) {
        (Ok(()), live) => {
            core.journal.remove_report(id)?;
            if let Some(live) = live {
                live.status.count(Counts {
                    on_failure_destination_delivered: 1,
                    ..Counts::default()
                });
            }
            Ok(true)
        }
        (Err(error), Some(live)) => {
            let message = format!("{destination} does not take a report: {error}");
            core.tell(&live, None, vec![], vec![Act::Problem { message }]);
            Err(error)
        }
        // A destination is often removed together with its mapping, and then nobody waits for the report.
        (Err(_), None) => core.journal.remove_report(id).map(|()| true),
    }
}
