//! Which sandbox runs which invocation.
//!
//! Each function has a lane: idle sandboxes, where the last used runs first, or waiting invocations, where the
//! first come runs first. A lane never has both. For each waiting invocation a start of a sandbox is asked for; but a
//! sandbox that becomes free earlier takes the invocation.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
};

use quotas::{Concurrency, Exceeded};
use tokio::sync::oneshot;

use super::{
    invocation::{Admission, Invocation},
    registry::Deployment,
};
use crate::{error::AwsError, names::FunctionName};

/// The functions' lanes.
#[derive(Default)]
pub(super) struct Pool {
    lanes: Mutex<BTreeMap<String, Lane>>,
    /// The invocations at the same time of functions without reserved concurrency.
    unreserved: Arc<AtomicU32>,
    sandboxes: AtomicU64,
}

/// The number of starts of sandboxes that a lane lacks.
#[must_use]
pub(super) struct Short(pub(super) usize);

struct Lane {
    deployment: Arc<Deployment>,
    /// Earlier states of the function, which sandboxes may still run.
    earlier: Vec<Weak<Deployment>>,
    in_flight: Arc<AtomicU32>,
    waiting: VecDeque<Invocation>,
    idle: Vec<Idle>,
    /// The starts that wait for their turn.
    asked: usize,
    /// The sandboxes that initialise.
    initializing: usize,
}

struct Idle {
    sandbox: u64,
    give: oneshot::Sender<Invocation>,
}

/// The next act of a free sandbox.
pub(super) enum Next {
    /// It runs an invocation.
    Run(Invocation),
    /// It waits for an invocation; if the sender is dropped, it ends.
    Wait(oneshot::Receiver<Invocation>),
    /// It ends, because the function has changed.
    End,
}

impl Pool {
    /// An id for a new sandbox.
    pub(super) fn new_sandbox(&self) -> u64 {
        self.sandboxes.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a function or its new state in place. Idle sandboxes that cannot run it end.
    pub(super) fn place(&self, deployment: Arc<Deployment>) {
        let mut lanes = self.lanes();
        let name = deployment.spec.name.clone();
        let lane = lanes
            .entry(name)
            .or_insert_with(|| Lane::new(deployment.clone()));
        if lane.deployment.generation != deployment.generation {
            lane.idle.clear();
        }
        let before = std::mem::replace(&mut lane.deployment, deployment);
        lane.earlier.retain(|earlier| earlier.strong_count() > 0);
        lane.earlier.push(Arc::downgrade(&before));
    }

    /// Removes a function, ends its idle sandboxes and returns its waiting invocations.
    pub(super) fn remove(&self, name: &str) -> Vec<Invocation> {
        let lane = self.lanes().remove(name);
        lane.map(|lane| lane.waiting.into()).unwrap_or_default()
    }

    /// The function as it stands.
    pub(super) fn function(&self, name: &str) -> Option<Arc<Deployment>> {
        let lanes = self.lanes();
        lanes.get(name).map(|lane| lane.deployment.clone())
    }

    /// All functions, in order of their names.
    pub(super) fn functions(&self) -> Vec<Arc<Deployment>> {
        let lanes = self.lanes();
        lanes.values().map(|lane| lane.deployment.clone()).collect()
    }

    /// The folders of a function's code that sandboxes use or will use.
    pub(super) fn folders(&self, name: &str) -> HashSet<PathBuf> {
        let lanes = self.lanes();
        let Some(lane) = lanes.get(name) else {
            return HashSet::new();
        };
        let earlier = lane.earlier.iter().filter_map(Weak::upgrade);
        let mut folders: HashSet<_> = earlier.map(|earlier| earlier.folder.clone()).collect();
        folders.insert(lane.deployment.folder.clone());
        folders
    }

    /// Hands an invocation to an idle sandbox, or lets it wait for one.
    pub(super) fn submit(&self, name: &str, mut invocation: Invocation) -> Result<Short, AwsError> {
        let mut lanes = self.lanes();
        let reserved: u32 = lanes.values().map(Lane::reserved).sum();
        let Some(lane) = lanes.get_mut(name) else {
            return Err(FunctionName::parse(name)?.missing());
        };
        invocation.admission = Some(lane.admit(reserved, &self.unreserved)?);
        while let Some(idle) = lane.idle.pop() {
            match idle.give.send(invocation) {
                Ok(()) => return Ok(Short(0)),
                // This sandbox has just ended.
                Err(back) => invocation = back,
            }
        }
        lane.waiting.push_back(invocation);
        Ok(lane.short())
    }

    /// Returns an invocation that a sandbox could not begin. It is the first of those that wait.
    pub(super) fn give_back(&self, name: &str, invocation: Invocation) -> Short {
        let mut lanes = self.lanes();
        if let Some(lane) = lanes.get_mut(name) {
            lane.waiting.push_front(invocation);
            return lane.short();
        }
        drop(lanes);
        let missing = FunctionName::parse(name).map(|reference| reference.missing());
        invocation.finish(Err(missing.unwrap_or_else(|error| error)));
        Short(0)
    }

    /// The turn of a start has come. Returns the function if the start is still needed.
    pub(super) fn begin_start(&self, name: &str) -> Option<Arc<Deployment>> {
        let mut lanes = self.lanes();
        let lane = lanes.get_mut(name)?;
        lane.asked = lane.asked.saturating_sub(1);
        if lane.waiting.len() <= lane.initializing {
            return None;
        }
        lane.initializing += 1;
        Some(lane.deployment.clone())
    }

    /// The next act of a sandbox that has initialised (`first`) or ended an invocation.
    pub(super) fn next(&self, deployment: &Deployment, sandbox: u64, first: bool) -> (Next, Short) {
        let mut lanes = self.lanes();
        let Some(lane) = lanes.get_mut(&deployment.spec.name) else {
            return (Next::End, Short(0));
        };
        lane.initialized(first);
        if lane.deployment.generation != deployment.generation {
            return (Next::End, lane.short());
        }
        let next = match lane.waiting.pop_front() {
            Some(invocation) => Next::Run(invocation),
            None => lane.wait(sandbox),
        };
        (next, lane.short())
    }

    /// The invocation within which a sandbox initialises again, after its initialisation has failed.
    pub(super) fn take_after_failed_init(
        &self,
        deployment: &Deployment,
    ) -> (Option<Invocation>, Short) {
        let mut lanes = self.lanes();
        let Some(lane) = lanes.get_mut(&deployment.spec.name) else {
            return (None, Short(0));
        };
        lane.initialized(true);
        let current = lane.deployment.generation == deployment.generation;
        let invocation = current.then(|| lane.waiting.pop_front()).flatten();
        (invocation, lane.short())
    }

    /// Takes an idle sandbox out; `false` if it is no longer idle.
    pub(super) fn withdraw(&self, name: &str, sandbox: u64) -> bool {
        let mut lanes = self.lanes();
        let Some(lane) = lanes.get_mut(name) else {
            return false;
        };
        let before = lane.idle.len();
        lane.idle.retain(|idle| idle.sandbox != sandbox);
        lane.idle.len() < before
    }

    /// The sum of the reserved concurrency of the functions, but for this one.
    pub(super) fn reserved_by_others(&self, name: &str) -> u32 {
        let lanes = self.lanes();
        let others = lanes.iter().filter(|(other, _)| *other != name);
        others.map(|(_, lane)| lane.reserved()).sum()
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lane {
    fn new(deployment: Arc<Deployment>) -> Self {
        Self {
            deployment,
            earlier: Vec::new(),
            in_flight: Arc::default(),
            waiting: VecDeque::new(),
            idle: Vec::new(),
            asked: 0,
            initializing: 0,
        }
    }

    fn reserved(&self) -> u32 {
        self.deployment.spec.reserved_concurrency.unwrap_or(0)
    }

    /// Finds a place for an invocation, or throttles it. `reserved` is the sum of all reserved concurrency.
    fn admit(&self, reserved: u32, unreserved: &Arc<AtomicU32>) -> Result<Admission, AwsError> {
        let now = Concurrency {
            reserved: self.deployment.spec.reserved_concurrency,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            reserved_by_all: reserved,
            unreserved_in_flight: unreserved.load(Ordering::Relaxed),
        };
        now.admit().map_err(throttled)?;
        let mut counts = vec![self.in_flight.clone()];
        if now.reserved.is_none() {
            counts.push(unreserved.clone());
        }
        Ok(Admission::to(counts))
    }

    fn wait(&mut self, sandbox: u64) -> Next {
        let (give, given) = oneshot::channel();
        self.idle.push(Idle { sandbox, give });
        Next::Wait(given)
    }

    fn initialized(&mut self, first: bool) {
        if first {
            self.initializing = self.initializing.saturating_sub(1);
        }
    }

    /// Counts the starts that are still to be asked for as asked for.
    fn short(&mut self) -> Short {
        let coming = self.asked + self.initializing;
        let short = self.waiting.len().saturating_sub(coming);
        self.asked += short;
        Short(short)
    }
}

fn throttled(by: Exceeded) -> AwsError {
    let reason = match by {
        Exceeded::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
        Exceeded::Account => "ConcurrentInvocationLimitExceeded",
    };
    let error = AwsError::of(429, "TooManyRequestsException", "Rate Exceeded.");
    error.with("Reason", reason).with("Type", "User")
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::lambda::{
        Asked, Code, FunctionSpec,
        code::{CodeFolder, Placed},
        invocation::Answer,
    };

    /// A folder whose path is all that these tests need.
    fn code_folder() -> &'static CodeFolder {
        static FOLDER: OnceLock<CodeFolder> = OnceLock::new();
        FOLDER.get_or_init(|| {
            let data = std::env::temp_dir().join(format!("alpes-pool-{}", Uuid::new_v4()));
            let folder = CodeFolder::new(&data).unwrap();
            std::fs::remove_dir_all(data).unwrap();
            folder
        })
    }

    fn deployment(
        reserved: Option<u32>,
        timeout: u32,
        before: Option<&Deployment>,
    ) -> Arc<Deployment> {
        let mut spec = FunctionSpec::new("f", Code::Folder("/".into()));
        spec.reserved_concurrency = reserved;
        spec.timeout = timeout;
        let placed = Placed {
            sha256: vec![1],
            size: 1,
        };
        Arc::new(Deployment::new(spec, placed, code_folder(), before))
    }

    fn invocation(id: &str) -> (Invocation, Answer) {
        Invocation::new(Asked {
            request_id: id.into(),
            arn: String::new(),
            version: String::new(),
            payload: Bytes::new(),
            client_context: None,
        })
    }

    fn waits(next: Next) -> oneshot::Receiver<Invocation> {
        match next {
            Next::Wait(given) => given,
            _ => panic!("the sandbox should wait"),
        }
    }

    fn runs(next: Next) -> Invocation {
        match next {
            Next::Run(invocation) => invocation,
            _ => panic!("the sandbox should run an invocation"),
        }
    }

    #[test]
    fn a_free_sandbox_takes_the_first_of_the_waiting() {
        let pool = Pool::default();
        let function = deployment(None, 3, None);
        pool.place(function.clone());
        for id in ["1", "2"] {
            let Short(short) = pool.submit("f", invocation(id).0).unwrap();
            assert_eq!(short, 1, "each waiting invocation asks for a sandbox");
        }
        assert!(pool.begin_start("f").is_some());
        let (next, _) = pool.next(&function, 7, true);
        let first = runs(next);
        assert_eq!(first.request_id, "1");
        first.finish(Err(AwsError::internal("over")));
        let (next, _) = pool.next(&function, 7, false);
        assert_eq!(runs(next).request_id, "2");
        assert!(pool.begin_start("f").is_none(), "nothing waits any more");
    }

    #[test]
    fn the_last_used_sandbox_runs_first_and_ends_when_the_function_changes() {
        let pool = Pool::default();
        let function = deployment(None, 3, None);
        pool.place(function.clone());
        let mut given: Vec<_> = [1, 2]
            .map(|sandbox| waits(pool.next(&function, sandbox, false).0))
            .into();
        let Short(short) = pool.submit("f", invocation("1").0).unwrap();
        assert_eq!(short, 0);
        assert_eq!(given.remove(1).try_recv().unwrap().request_id, "1");

        let reserved = deployment(Some(5), 3, Some(&function));
        pool.place(reserved.clone());
        assert!(matches!(
            given[0].try_recv(),
            Err(oneshot::error::TryRecvError::Empty)
        ));
        pool.place(deployment(Some(5), 4, Some(&reserved)));
        assert!(matches!(
            given[0].try_recv(),
            Err(oneshot::error::TryRecvError::Closed)
        ));
        assert!(matches!(pool.next(&function, 2, false).0, Next::End));
    }

    #[test]
    fn an_invocation_of_a_sandbox_that_ended_is_the_first_again() {
        let pool = Pool::default();
        let function = deployment(None, 3, None);
        pool.place(function.clone());
        let mut given = waits(pool.next(&function, 1, false).0);
        drop(pool.submit("f", invocation("1").0).unwrap());
        drop(pool.submit("f", invocation("2").0).unwrap());
        assert!(!pool.withdraw("f", 1), "it has an invocation");
        let Short(short) = pool.give_back("f", given.try_recv().unwrap());
        assert_eq!(short, 1);
        let (taken, _) = pool.take_after_failed_init(&function);
        assert_eq!(taken.unwrap().request_id, "1");
        assert_eq!(pool.remove("f").len(), 1);
        assert_eq!(
            pool.submit("f", invocation("3").0).err().unwrap().status,
            404
        );
    }

    #[test]
    fn invocations_over_the_limits_are_throttled() {
        let pool = Pool::default();
        pool.place(deployment(Some(1), 3, None));
        let (first, _end) = invocation("1");
        drop(pool.submit("f", first).unwrap());
        let error = pool.submit("f", invocation("2").0).err().unwrap();
        assert_eq!(error.status, 429);
        assert_eq!(
            error.members["Reason"],
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
        for waiting in pool.remove("f") {
            waiting.finish(Err(AwsError::internal("over")));
        }
        pool.place(deployment(None, 3, None));
        for _ in 0..quotas::ACCOUNT_CONCURRENCY {
            drop(pool.submit("f", invocation("n").0).unwrap());
        }
        let error = pool.submit("f", invocation("last").0).err().unwrap();
        assert_eq!(error.members["Reason"], "ConcurrentInvocationLimitExceeded");
    }
}
