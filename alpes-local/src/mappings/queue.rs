//! A mapping of a queue: receives messages, and invokes the function with several batches at once.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use source_mapping::{Change, PAYLOAD_LIMIT};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    access::Access,
    config::Config,
    core::{Core, Live},
    effects::number,
    invocation::{invoke, result, told},
    queue_event::{event, failed, record},
    sources::Message,
    status::{Act, BatchView, Counts},
};
use crate::{chaos::Kind, error::AwsError, invoke::Invoked};

/// AWS begins with five batches at once. This runtime stays there, unless the mapping has a maximum of its own.
const AT_ONCE: usize = 5;
/// Messages become visible again without a notice, so the queue is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause after an error of the queue.
const AGAIN: Duration = Duration::from_secs(1);
/// A message whose deletion was lost becomes visible again after so many seconds.
const SECONDS_TO_COME_AGAIN: u32 = 1;
/// The name of the queue's one entry among the shards of a view.
const VIEW: &str = "queue";

/// A message, with its text in an event.
struct Gathered {
    message: Message,
    record: String,
}

impl Gathered {
    /// True if the queue has delivered the message before.
    fn came_before(&self) -> bool {
        let count = self.message.attributes.get("ApproximateReceiveCount");
        count.is_some_and(|count| count.as_str() != Some("1"))
    }
}

/// The reader of a queue.
struct Reader {
    core: Arc<Core>,
    live: Arc<Live>,
    config: Arc<Config>,
    slots: Arc<Semaphore>,
    gathered: Vec<Gathered>,
    /// The end of the batching window of the first gathered message.
    window_ends: Instant,
    batches: u64,
}

/// Receives from a queue until a change of the mapping. Invocations in flight go on, and delete their messages.
pub(super) async fn run(
    core: Arc<Core>,
    live: Arc<Live>,
    config: Arc<Config>,
    mut stopped: oneshot::Receiver<Change>,
) {
    let at_once = config.maximum_concurrency.unwrap_or(AT_ONCE);
    let mut reader = Reader {
        core,
        live,
        config,
        slots: Arc::new(Semaphore::new(at_once)),
        gathered: vec![],
        window_ends: Instant::now(),
        batches: 0,
    };
    loop {
        let error = tokio::select! {
            _ = &mut stopped => break,
            Err(error) = reader.receive() => error,
        };
        reader.core.problem(&reader.live, None, &error);
        tokio::select! {
            _ = &mut stopped => break,
            () = sleep(AGAIN) => {}
        }
    }
    reader.give_back().await;
}

impl Reader {
    /// Receives messages and invokes the function, until an error of the queue.
    async fn receive(&mut self) -> Result<(), AwsError> {
        Access::of(&self.core, &self.config).check_source()?;
        let mut changes = self.core.queues.changes(&self.config.source)?;
        loop {
            let slot = self.slots.clone().acquire_owned().await;
            let slot = slot.map_err(AwsError::internal)?;
            self.gather(&mut changes).await?;
            let batch = self.batch();
            self.start(batch, slot);
        }
    }

    /// Waits until a batch is full, or the window of its first message is over.
    async fn gather(&mut self, changes: &mut watch::Receiver<u64>) -> Result<(), AwsError> {
        loop {
            self.receive_once().await?;
            let now = Instant::now();
            if self.is_full() || (!self.gathered.is_empty() && self.window_ends <= now) {
                return Ok(());
            }
            let look = now + LOOK_EVERY;
            let wake = if self.gathered.is_empty() {
                look
            } else {
                self.window_ends.min(look)
            };
            tokio::select! {
                news = changes.changed() => news.map_err(|_| gone(&self.config.source))?,
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Receives the visible messages for which the batch has room.
    async fn receive_once(&mut self) -> Result<(), AwsError> {
        while !self.is_full() {
            let room = self.config.batch_size - self.gathered.len();
            let messages = self.core.queues.receive(&self.config.source, room).await?;
            if messages.is_empty() {
                break;
            }
            if self.gathered.is_empty() {
                let window = Duration::from_secs(self.config.window_seconds);
                self.window_ends = Instant::now() + window;
            }
            self.live.status.count(Counts {
                polled: number(messages.len()),
                ..Counts::default()
            });
            let queue = &self.config.source;
            self.gathered
                .extend(messages.into_iter().map(|message| Gathered {
                    record: record(queue, &message),
                    message,
                }));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        let sizes = self
            .gathered
            .iter()
            .map(|gathered| gathered.record.len() + 1);
        self.gathered.len() >= self.config.batch_size || sizes.sum::<usize>() >= PAYLOAD_LIMIT
    }

    /// Takes the gathered messages that fit into one event.
    fn batch(&mut self) -> Vec<Gathered> {
        let mut size = event(std::iter::empty()).len();
        let fits = |gathered: &&Gathered| {
            size += gathered.record.len() + 1;
            size <= PAYLOAD_LIMIT
        };
        // A message that is too large alone is refused by the function's service, and its queue counts the attempt.
        let count = self.gathered.iter().take_while(fits).count().max(1);
        self.gathered
            .drain(..count.min(self.gathered.len()))
            .collect()
    }

    /// Invokes the function with a batch, in a task of its own that survives a change of the mapping.
    fn start(&mut self, batch: Vec<Gathered>, slot: OwnedSemaphorePermit) {
        self.batches += 1;
        let view = view(self.batches, &batch);
        let (core, live, config) = (self.core.clone(), self.live.clone(), self.config.clone());
        tokio::spawn(async move {
            live.status
                .shard(VIEW, |queue| queue.in_flight.push(view.clone()));
            let acts = vec![Act::Invoked(view.clone())];
            core.tell(&live, None, vec![], acts);
            if let Err(error) = deliver(&core, &live, &config, &batch).await {
                core.problem(&live, None, &error);
            }
            let ended = |other: &BatchView| other.number != view.number;
            live.status
                .shard(VIEW, |queue| queue.in_flight.retain(ended));
            drop(slot);
        });
    }

    /// Makes the messages visible that no invocation has.
    async fn give_back(self) {
        let receipts: Vec<_> = receipts(self.gathered.iter());
        if receipts.is_empty() {
            return;
        }
        let queues = &self.core.queues;
        let back = queues.change_visibility(&self.config.source, &receipts, 0);
        if let Err(error) = back.await {
            // Their time-out makes them visible later.
            self.core.problem(&self.live, None, &error);
        }
    }
}

/// Invokes the function, and deletes the messages that are done. The other messages become visible by their time-out, and
/// the queue's redrive policy counts the attempts.
async fn deliver(
    core: &Arc<Core>,
    live: &Live,
    config: &Config,
    batch: &[Gathered],
) -> Result<(), AwsError> {
    let choosing = core.choosing(config, VIEW);
    let name = batch_name(batch);
    choosing.wait(Kind::BatchDelayed, &name).await;
    let event = event(batch.iter().map(|gathered| gathered.record.as_str()));
    let ended = invoke(core, &config.function, event).await;
    live.status.set_result(&result(&ended));
    core.tell(live, None, vec![], vec![told(&ended, batch.len())]);
    let done = done(&ended, batch, config.reports);
    live.status.count(Counts {
        invoked: number(batch.len()),
        failed_invoke: number(batch.len() - done.len()),
        ..Counts::default()
    });
    if done.is_empty() {
        return Ok(());
    }
    let receipts = receipts(done.iter().copied());
    let is_first = done.iter().all(|gathered| !gathered.came_before());
    if is_first && choosing.repeats(Kind::MessageAgain, &name) {
        // The deletion does not reach all of the queue's servers, so the messages come once more.
        let queues = &core.queues;
        return queues
            .change_visibility(&config.source, &receipts, SECONDS_TO_COME_AGAIN)
            .await;
    }
    core.queues.delete(&config.source, &receipts).await
}

/// The messages with which the function is done. `reports` is true if its answer may name failures.
fn done<'a>(
    ended: &Result<Invoked, AwsError>,
    batch: &'a [Gathered],
    reports: bool,
) -> Vec<&'a Gathered> {
    let Ok(Invoked {
        failure: None,
        payload: answer,
        ..
    }) = ended
    else {
        return vec![];
    };
    if !reports {
        return batch.iter().collect();
    }
    let ids: BTreeSet<_> = batch
        .iter()
        .map(|gathered| gathered.message.id.as_str())
        .collect();
    let failed = failed(answer, &ids).unwrap_or(ids);
    let is_done = |gathered: &&Gathered| !failed.contains(gathered.message.id.as_str());
    batch.iter().filter(is_done).collect()
}

fn receipts<'a>(messages: impl Iterator<Item = &'a Gathered>) -> Vec<String> {
    messages
        .map(|gathered| gathered.message.receipt.clone())
        .collect()
}

/// A batch, as the log of chaos names it.
fn batch_name(batch: &[Gathered]) -> String {
    let first = batch.first().map_or("", |gathered| &gathered.message.id);
    format!("{} messages from {first}", batch.len())
}

fn view(number: u64, batch: &[Gathered]) -> BatchView {
    let id = |gathered: Option<&Gathered>| {
        gathered.map_or(String::new(), |gathered| gathered.message.id.clone())
    };
    let received = batch.iter().filter_map(|gathered| {
        let count = gathered.message.attributes.get("ApproximateReceiveCount")?;
        count.as_str()?.parse().ok()
    });
    BatchView {
        number,
        lane: 0,
        first: id(batch.first()),
        last: id(batch.last()),
        size: batch.len(),
        attempt: received.max().unwrap_or(1),
    }
}

fn gone(queue: &str) -> AwsError {
    AwsError::client(
        "AWS.SimpleQueueService.NonExistentQueue",
        format!("the queue {queue} was deleted"),
    )
}
