//! Lambda: functions, the sandboxes that run them, and asynchronous invocations.
//!
//! A sandbox is a process `bootstrap`, with a Runtime API of its own, that is stopped between invocations. Functions
//! and queued asynchronous invocations are in the store; sandboxes end with the runtime.

mod api;
mod code;
mod events;
mod fault;
mod functions;
mod invocation;
mod known;
mod limits;
mod pace;
mod pool;
mod queue;
mod reference;
mod registry;
mod report;
mod sandbox;
mod spec;
mod watch;

use std::{
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::{
    sync::{Semaphore, broadcast, watch as latest},
    time::Instant,
};
use uuid::Uuid;

use self::{
    code::CodeFolder,
    invocation::Invocation,
    limits::InvocationType,
    pool::{Pool, Short},
    queue::Queue,
    registry::Deployment,
    sandbox::Turn,
    watch::Watch,
};
pub use self::{
    events::{LambdaEvent, SandboxInfo, SandboxState},
    pace::Pace,
    spec::{Architecture, Asynchronous, Code, FunctionSpec},
};
use crate::{
    chaos::{Chaos, Kind},
    error::AwsError,
    http::{Request, Response},
    iam::{Credentials, Iam},
    invoke::{Destinations, Invoked, Invoker, ending},
    logs::Logs,
    names::{FunctionName, function_arn},
    store::Store,
    throttling::{Throttling, Work},
};

/// Lambda. Dropping it ends all sandboxes.
pub struct Lambda {
    inner: Arc<Inner>,
}

/// The state that Lambda shares with its sandboxes, which hold it only as long as they run.
struct Inner {
    store: Arc<Store>,
    logs: Arc<Logs>,
    credentials: Credentials,
    iam: Arc<Iam>,
    endpoint: String,
    pace: Pace,
    code: CodeFolder,
    pool: Pool,
    watch: Watch,
    queue: Arc<Queue>,
    destinations: latest::Sender<Option<Arc<dyn Destinations>>>,
    /// Counts invocations that are throttled, if somebody asked for it.
    throttling: OnceLock<Arc<Throttling>>,
    chaos: Option<Arc<Chaos>>,
    /// The turns to start a process: as many at a time as there are processors.
    starts: Arc<Semaphore>,
    /// Held while a function changes.
    updates: Mutex<()>,
    closed: AtomicBool,
}

/// An invocation as a caller asks for it.
struct Asked {
    request_id: String,
    arn: String,
    version: String,
    payload: Bytes,
    client_context: Option<String>,
}

impl Lambda {
    /// Lambda with the functions and the queued invocations of this store. `endpoint` is the URL of this runtime, which
    /// functions get as `AWS_ENDPOINT_URL`. `iam` judges what Lambda does for functions with their roles. Sandboxes of an earlier runtime with the same data folder are killed.
    /// Queued invocations run at once; call this within a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the data cannot be read, or there is no tokio runtime.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        logs: Arc<Logs>,
        endpoint: String,
    ) -> Result<Arc<Self>, AwsError> {
        Self::with_chaos(store, iam, logs, endpoint, Pace::default(), None)
    }

    /// As [`Self::new`], at another pace than AWS's, and with chaos if there is any: asynchronous invocations run twice or
    /// late, and processes die.
    ///
    /// # Errors
    ///
    /// As for [`Self::new`].
    pub fn with_chaos(
        store: Arc<Store>,
        iam: Arc<Iam>,
        logs: Arc<Logs>,
        endpoint: String,
        pace: Pace,
        chaos: Option<Arc<Chaos>>,
    ) -> Result<Arc<Self>, AwsError> {
        let tokio = tokio::runtime::Handle::try_current().map_err(AwsError::internal)?;
        store.schema(registry::SCHEMA)?;
        store.schema(queue::entries::SCHEMA)?;
        let code = CodeFolder::new(store.folder())?;
        sandbox::kill_leftovers(code.path());
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let inner = Arc::new(Inner {
            credentials: Credentials::of(&store)?,
            iam,
            store,
            logs,
            endpoint,
            pace,
            code,
            pool: Pool::default(),
            watch: Watch::new(),
            queue: Arc::default(),
            destinations: latest::channel(None).0,
            throttling: OnceLock::new(),
            chaos,
            starts: Arc::new(Semaphore::new(processors)),
            updates: Mutex::default(),
            closed: AtomicBool::new(false),
        });
        inner.load()?;
        tokio.spawn(queue::dispatch(Arc::downgrade(&inner), inner.queue.clone()));
        Ok(Arc::new(Self { inner }))
    }

    /// Creates or updates a function. Invocations that run go on with the old code, all others get the new one. A
    /// function that is already so stays as it is, with its sandboxes.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` or `ValidationException`, which name the field and the rule.
    pub async fn put(&self, spec: FunctionSpec) -> Result<(), AwsError> {
        let inner = self.inner.clone();
        let put = tokio::task::spawn_blocking(move || inner.put(&spec));
        put.await.map_err(AwsError::internal)?.map(|_| ())
    }

    /// Gives a function this code, unless it has it already. Its settings stay.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` 404, or `InvalidParameterValueException` for the code.
    pub async fn put_code(&self, name: &str, code: Code) -> Result<(), AwsError> {
        let (inner, reference) = (self.inner.clone(), FunctionName::parse(name)?);
        let put = tokio::task::spawn_blocking(move || inner.put_code(&reference, code));
        put.await.map_err(AwsError::internal)?.map(|_| ())
    }

    /// Removes a function with its queued invocations. Invocations that run go on.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` 404.
    pub fn remove(&self, name: &str) -> Result<(), AwsError> {
        self.inner.remove(name)
    }

    /// The function of this name. Its code is a folder.
    #[must_use]
    pub fn function(&self, name: &str) -> Option<FunctionSpec> {
        let function = self.inner.pool.function(name);
        function.map(|function| function.spec.clone())
    }

    /// All functions, in order of their names.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionSpec> {
        let functions = self.inner.pool.functions();
        functions
            .iter()
            .map(|function| function.spec.clone())
            .collect()
    }

    /// Sets where the records of asynchronous invocations go. Until then, records wait.
    pub fn set_destinations(&self, destinations: Arc<dyn Destinations>) {
        self.inner.destinations.send_replace(Some(destinations));
    }

    /// Counts the invocations that are throttled from now on. Concurrency is limited with and without this.
    pub fn note_throttles(&self, throttling: Option<&Arc<Throttling>>) {
        if let Some(throttling) = throttling {
            // Services are made once, so nothing was set before.
            let _ = self.inner.throttling.set(throttling.clone());
        }
    }

    /// Answers a request of the REST API. Event source mappings are no part of it.
    pub async fn serve(&self, request: Request) -> Response {
        api::serve(&self.inner, request).await
    }

    /// A feed of what happens. A reader that is 1,024 events late misses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<LambdaEvent> {
        self.inner.watch.subscribe()
    }

    /// The sandboxes, in order of their process ids.
    #[must_use]
    pub fn sandboxes(&self) -> Vec<SandboxInfo> {
        self.inner.watch.sandboxes()
    }

    /// Kills the processes of a sandbox; `false` if no sandbox has this process. Its invocation fails as if its process
    /// had died by itself.
    #[must_use]
    pub fn kill(&self, pid: u32) -> bool {
        let known = self.inner.watch.has(pid);
        if known {
            sandbox::kill_group(pid);
        }
        known
    }

    /// Ends all sandboxes and starts no new ones. Queued invocations stay in the store, and those that ran run again
    /// after a restart.
    pub fn shutdown(&self) {
        self.inner.shutdown();
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        self.inner.shutdown();
    }
}

#[async_trait]
impl Invoker for Lambda {
    async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invoked, AwsError> {
        self.inner
            .invoke(&FunctionName::parse(function)?, payload, None)
            .await
    }

    async fn enqueue(&self, function: &str, payload: Bytes) -> Result<String, AwsError> {
        queue::enqueue(&self.inner, &FunctionName::parse(function)?, payload)
    }

    fn role(&self, function: &str) -> Option<String> {
        let reference = FunctionName::parse(function).ok()?;
        let function = self.inner.existing(&reference).ok()?;
        Some(function.spec.role_arn.clone())
    }
}

impl Inner {
    /// Invokes a function and waits for its end.
    async fn invoke(
        self: &Arc<Self>,
        reference: &FunctionName,
        payload: Bytes,
        client_context: Option<String>,
    ) -> Result<Invoked, AwsError> {
        let payload = or_empty_object(payload);
        limits::check_payload(&payload, InvocationType::RequestResponse)?;
        let (_, version) = self.invocable(reference)?;
        let asked = Asked {
            request_id: Uuid::new_v4().to_string(),
            arn: reference.arn(),
            version,
            payload,
            client_context,
        };
        self.run(&reference.name, asked).await
    }

    /// Runs an invocation that is in order.
    async fn run(self: &Arc<Self>, name: &str, asked: Asked) -> Result<Invoked, AwsError> {
        if self.is_closed() {
            return Err(ending());
        }
        let (invocation, end) = Invocation::new(asked);
        let submitted = self.pool.submit(name, invocation);
        let short = submitted.inspect_err(|error| self.note_throttle(name, error))?;
        self.ask_for_starts(name, short);
        // The sender is dropped if the tokio runtime ends.
        match end.await.unwrap_or_else(|_| Err(ending())) {
            // The shutdown may have killed its process.
            Ok(invoked) if invoked.failure.is_some() && self.is_closed() => Err(ending()),
            ended => ended,
        }
    }

    fn note_throttle(&self, name: &str, error: &AwsError) {
        if let Some(throttling) = self.throttling.get()
            && error.status == 429
        {
            throttling.note(function_arn(name), Work::Invocations);
        }
    }

    /// The function, if it and the qualifier exist.
    fn existing(&self, reference: &FunctionName) -> Result<Arc<Deployment>, AwsError> {
        Ok(self.resolve(reference)?.0)
    }

    /// The function, and the version to which the qualifier leads.
    fn resolve(&self, reference: &FunctionName) -> Result<(Arc<Deployment>, String), AwsError> {
        let function = self.pool.function(&reference.name);
        let function = function.ok_or_else(|| reference.missing())?;
        let version = function.spec.version(reference.qualifier.as_deref());
        let version = version.ok_or_else(|| reference.missing())?.to_owned();
        Ok((function, version))
    }

    /// The same, for an invocation: AWS then names the version that is missing.
    fn invocable(&self, reference: &FunctionName) -> Result<(Arc<Deployment>, String), AwsError> {
        self.resolve(reference)
            .map_err(|_| reference.missing_version())
    }

    /// Starts the sandboxes that a function lacks, each when its turn comes.
    fn ask_for_starts(self: &Arc<Self>, name: &str, Short(short): Short) {
        for _ in 0..short {
            tokio::spawn(start(self.clone(), name.to_owned()));
        }
    }

    /// The destinations, as soon as they are set; `None` if the runtime ends before.
    async fn destinations(&self) -> Option<Arc<dyn Destinations>> {
        let mut receiver = self.destinations.subscribe();
        let ready = |set: &Option<_>| set.is_some() || self.is_closed();
        receiver.wait_for(ready).await.ok()?.clone()
    }

    /// Whether chaos does something of this kind now. `hit` says what it hits.
    fn strikes(&self, kind: Kind, function: &str, hit: &str) -> bool {
        let chaos = self.chaos.as_ref();
        chaos.is_some_and(|chaos| chaos.strikes(kind, function, hit))
    }

    /// When chaos lets the process of an invocation die that begins now. Short times are as frequent as long ones, since
    /// most invocations are short.
    fn crash(&self, function: &str) -> Option<Instant> {
        let chaos = self.chaos.as_ref()?;
        let dies = chaos.plans(Kind::KilledDuring, function);
        dies.then(|| Instant::now() + Duration::from_millis(1 << chaos.below(8, function)))
    }

    /// Notes such a death, when it comes before the end of the invocation.
    fn note_crash(&self, function: &str, request_id: &str) {
        if let Some(chaos) = &self.chaos {
            chaos.note(Kind::KilledDuring, function, request_id);
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    fn shutdown(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.starts.close();
        self.queue.wake();
        // Records that wait for their destinations look again.
        self.destinations.send_modify(|_| ());
        for sandbox in self.watch.sandboxes() {
            sandbox::kill_group(sandbox.pid);
        }
    }
}

/// Starts a sandbox when its turn comes, unless it is no longer needed then.
async fn start(inner: Arc<Inner>, name: String) {
    let Ok(permit) = inner.starts.clone().acquire_owned().await else {
        return;
    };
    if let Some(deployment) = inner.pool.begin_start(&name) {
        sandbox::run(inner, deployment, Turn::new(permit)).await;
    }
}

/// An invocation without a payload gets an empty object.
fn or_empty_object(payload: Bytes) -> Bytes {
    if payload.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        payload
    }
}
