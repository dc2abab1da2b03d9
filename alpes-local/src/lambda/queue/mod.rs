//! Asynchronous invocations: a queue in the store, tried until each is settled.

pub(super) mod entries;
mod settle;

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use uuid::Uuid;

use self::{
    entries::Entry,
    settle::{Attempt, Record, Settlement},
};
use super::{
    Asked, Inner,
    events::LambdaEvent,
    limits::{self, InvocationType},
};
use crate::{
    chaos::Kind,
    error::AwsError,
    iam::{Acting, Denied},
    invoke::Invoked,
    names::{FunctionName, now_millis},
};

/// The most asynchronous invocations of a function at the same time.
const AT_ONCE: usize = 10;
/// The wait after the store has failed.
const STORE_FAILED: Duration = Duration::from_secs(1);

/// The part of the queue that is in memory.
#[derive(Default)]
pub(super) struct Queue {
    /// The ids of the entries that are being tried, by function.
    running: Mutex<BTreeMap<String, HashSet<String>>>,
    wake: Notify,
}

impl Queue {
    /// Lets the dispatcher look for due entries.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, HashSet<String>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the entry may be tried now. It counts as running then.
    fn begin(&self, function: &str, request_id: &str) -> bool {
        let mut running = self.running();
        let running = running.entry(function.to_owned()).or_default();
        running.len() < AT_ONCE && running.insert(request_id.to_owned())
    }

    fn end(&self, function: &str, request_id: &str) {
        if let Some(running) = self.running().get_mut(function) {
            running.remove(request_id);
        }
        self.wake();
    }
}

/// Queues an invocation and returns its id.
pub(super) fn enqueue(
    inner: &Inner,
    reference: &FunctionName,
    payload: Bytes,
) -> Result<String, AwsError> {
    let payload = super::or_empty_object(payload);
    limits::check_payload(&payload, InvocationType::Event)?;
    inner.invocable(reference)?;
    let entry = Entry {
        request_id: Uuid::new_v4().to_string(),
        function: reference.name.clone(),
        arn: reference.arn(),
        payload,
        queued: now_millis(),
        failures: 0,
        throttles: 0,
    };
    entries::add(&inner.store, &entry)?;
    inner.queue.wake();
    Ok(entry.request_id)
}

/// Tries the entries when they are due, until Lambda is dropped.
pub(super) async fn dispatch(inner: Weak<Inner>, queue: Arc<Queue>) {
    loop {
        let wait = match inner.upgrade() {
            Some(inner) if !inner.is_closed() => start_due(&inner),
            _ => return,
        };
        let woken = queue.wake.notified();
        match wait {
            None => woken.await,
            // Either way, the dispatcher looks again.
            Some(wait) => drop(timeout(wait, woken).await),
        }
    }
}

/// Starts attempts at the due entries. Returns how long to wait for the next one.
fn start_due(inner: &Arc<Inner>) -> Option<Duration> {
    let functions = inner.pool.functions();
    let waits = functions
        .iter()
        .filter_map(|function| start_due_of(inner, &function.spec.name));
    waits.min()
}

fn start_due_of(inner: &Arc<Inner>, function: &str) -> Option<Duration> {
    // The entries that run are among the first, so this many show whether there is one more to start or to wait for.
    let Ok(first) = entries::first(&inner.store, function, 2 * AT_ONCE + 1) else {
        return Some(STORE_FAILED);
    };
    let now = now_millis();
    for (request_id, due) in first {
        if due > now {
            return Some(Duration::from_millis(due - now));
        }
        if inner.queue.begin(function, &request_id) {
            tokio::spawn(attempt(inner.clone(), function.to_owned(), request_id));
        }
    }
    None
}

async fn attempt(inner: Arc<Inner>, function: String, request_id: String) {
    if try_entry(&inner, &request_id).await.is_err() {
        // The entry is as it was, and is tried again.
        sleep(STORE_FAILED).await;
    }
    inner.queue.end(&function, &request_id);
}

async fn try_entry(inner: &Arc<Inner>, request_id: &str) -> Result<(), AwsError> {
    let Some(mut entry) = entries::load(&inner.store, request_id)? else {
        return Ok(());
    };
    let Some(settlement) = settlement(inner, &entry).await else {
        return Ok(());
    };
    match settlement {
        Settlement::Again {
            due,
            failures,
            throttles,
        } => {
            entry.failures = failures;
            entry.throttles = throttles;
            entries::postpone(&inner.store, &entry, due)
        }
        Settlement::Done(records) => {
            for record in records {
                if !deliver(inner, &entry, record).await {
                    return Ok(());
                }
            }
            entries::remove(&inner.store, &entry.request_id)
        }
    }
}

/// Invokes the function; `None` if the runtime ended meanwhile, so that the attempt does not count.
async fn settlement(inner: &Arc<Inner>, entry: &Entry) -> Option<Settlement> {
    let function = inner.pool.function(&entry.function)?;
    let attempt = |now| Attempt {
        entry,
        spec: &function.spec,
        pace: &inner.pace,
        now,
    };
    let before = attempt(now_millis());
    if before.is_too_late() {
        return Some(before.too_late());
    }
    let result = invoke(inner, entry).await;
    if inner.is_closed() {
        return None;
    }
    Some(attempt(now_millis()).settle(&result))
}

/// The queue is consistent in the end only, so the function may get an event twice, with the same request id:
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.
async fn invoke(inner: &Arc<Inner>, entry: &Entry) -> Result<Invoked, AwsError> {
    if let Some(delay) = delay(inner, entry) {
        sleep(delay).await;
    }
    if inner.strikes(Kind::InvokedTwice, &entry.function, &entry.request_id) {
        let (inner, entry) = (inner.clone(), entry.clone());
        // The end of the second run tells the queue nothing.
        tokio::spawn(async move { invoke_once(&inner, &entry).await });
    }
    invoke_once(inner, entry).await
}

fn delay(inner: &Inner, entry: &Entry) -> Option<Duration> {
    let chaos = inner.chaos.as_ref()?;
    chaos.delay(Kind::InvocationDelayed, &entry.function, &entry.request_id)
}

async fn invoke_once(inner: &Arc<Inner>, entry: &Entry) -> Result<Invoked, AwsError> {
    let (_, version) = inner.resolve(&FunctionName::parse(&entry.arn)?)?;
    let asked = Asked {
        request_id: entry.request_id.clone(),
        arn: entry.arn.clone(),
        version,
        payload: entry.payload.clone(),
        client_context: None,
    };
    inner.run(&entry.function, asked).await
}

/// Sends a record to its destination; `false` if the runtime ends before that. As on AWS, a record that its destination
/// refuses is lost.
async fn deliver(inner: &Inner, entry: &Entry, record: Record) -> bool {
    let Some(destinations) = inner.destinations().await else {
        return false;
    };
    let allowed = may_deliver(inner, entry, &record);
    let delivered = match allowed {
        Ok(()) => {
            let delivered = destinations.deliver(&record.destination, record.document);
            delivered.await
        }
        Err(denied) => Err(denied.error()),
    };
    if let Err(error) = delivered {
        inner.watch.tell(LambdaEvent::DestinationFailed {
            function: entry.function.clone(),
            request_id: entry.request_id.clone(),
            destination: record.destination,
            error: error.to_string(),
            at: now_millis(),
        });
    }
    true
}

/// Checks that the function's role may send to a destination.
fn may_deliver(inner: &Inner, entry: &Entry, record: &Record) -> Result<(), Denied> {
    let Some(function) = inner.pool.function(&entry.function) else {
        return Ok(());
    };
    let (role, session) = (&*function.spec.role_arn, &*entry.function);
    let acting = Acting::Role { role, session };
    let key = &record.document.object_key;
    inner.iam.check_delivery(&acting, &record.destination, key)
}
