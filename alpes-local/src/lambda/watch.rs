//! The view of watchers: the sandboxes, and a feed of events.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::broadcast;

use super::events::{LambdaEvent, SandboxInfo, SandboxState};
use crate::names::now_millis;

/// A watcher that falls behind by more events than this loses the oldest.
const FEED: usize = 1024;

/// The sandboxes and the feed.
pub(super) struct Watch {
    feed: broadcast::Sender<LambdaEvent>,
    sandboxes: Mutex<BTreeMap<u32, SandboxInfo>>,
}

/// An invocation in a sandbox, as watchers see it.
pub(super) struct Watched<'a> {
    /// The function's name.
    pub(super) function: &'a str,
    /// The id of the invocation.
    pub(super) request_id: &'a str,
    /// The process.
    pub(super) pid: u32,
    /// Whether it is the first invocation of its sandbox.
    pub(super) cold: bool,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            feed: broadcast::channel(FEED).0,
            sandboxes: Mutex::default(),
        }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<LambdaEvent> {
        self.feed.subscribe()
    }

    pub(super) fn sandboxes(&self) -> Vec<SandboxInfo> {
        self.table().values().cloned().collect()
    }

    pub(super) fn has(&self, pid: u32) -> bool {
        self.table().contains_key(&pid)
    }

    pub(super) fn sandbox_started(&self, function: &str, pid: u32, log_stream: &str) {
        let at = now_millis();
        let info = SandboxInfo {
            function: function.to_owned(),
            pid,
            log_stream: log_stream.to_owned(),
            state: SandboxState::Starting,
            since: at,
            invocations: 0,
            memory_bytes: 0,
        };
        self.table().insert(pid, info);
        let function = function.to_owned();
        self.tell(LambdaEvent::SandboxStarted { function, pid, at });
    }

    pub(super) fn sandbox_idle(&self, pid: u32) {
        self.update(pid, |info| info.state = SandboxState::Idle);
    }

    pub(super) fn sandbox_ended(&self, function: &str, pid: u32) {
        self.table().remove(&pid);
        let (function, at) = (function.to_owned(), now_millis());
        self.tell(LambdaEvent::SandboxEnded { function, pid, at });
    }

    pub(super) fn invocation_started(&self, watched: &Watched<'_>) {
        let request_id = watched.request_id.to_owned();
        self.update(watched.pid, |info| {
            info.state = SandboxState::Running { request_id };
            info.invocations += 1;
        });
        self.tell(LambdaEvent::InvocationStarted {
            function: watched.function.to_owned(),
            request_id: watched.request_id.to_owned(),
            pid: watched.pid,
            cold: watched.cold,
            at: now_millis(),
        });
    }

    pub(super) fn invocation_ended(
        &self,
        watched: &Watched<'_>,
        duration: Duration,
        failure: Option<&str>,
        memory_bytes: u64,
    ) {
        self.update(watched.pid, |info| info.memory_bytes = memory_bytes);
        self.tell(LambdaEvent::InvocationEnded {
            function: watched.function.to_owned(),
            request_id: watched.request_id.to_owned(),
            pid: watched.pid,
            cold: watched.cold,
            duration_ms: duration.as_secs_f64() * 1_000.0,
            failure: failure.map(str::to_owned),
            at: now_millis(),
        });
    }

    /// Sends an event to all watchers, if there are any.
    pub(super) fn tell(&self, event: LambdaEvent) {
        let _ = self.feed.send(event);
    }

    fn update(&self, pid: u32, change: impl FnOnce(&mut SandboxInfo)) {
        if let Some(info) = self.table().get_mut(&pid) {
            change(info);
            info.since = now_millis();
        }
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<u32, SandboxInfo>> {
        self.sandboxes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
