//! A sandbox: a process that runs invocations of one function, one at a time, and is stopped in between.

mod environment;
mod execute;
mod idle;
mod output;
mod process;
mod runtime_api;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, oneshot},
    task::JoinHandle,
    time::{Instant, sleep},
};
use uuid::Uuid;

pub(super) use self::process::{kill_group, kill_leftovers};
use self::{
    output::Output,
    process::{Happening, Process},
    runtime_api::{Ask, Call},
};
use super::{
    Inner,
    fault::{InitFault, error_type},
    reference::LATEST,
    registry::Deployment,
    report,
};
use crate::{http::Response, iam::Acting, lambda::spec::FunctionSpec, names::arn};

/// A start that takes longer than this waits for something other than the processor, so the next start may begin.
const LONG_START: Duration = Duration::from_secs(2);

/// The turn of a start. Dropping it lets the next start begin.
pub(super) struct Turn(JoinHandle<()>);

impl Turn {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(tokio::spawn(async move {
            sleep(LONG_START).await;
            drop(permit);
        }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs a sandbox from its start to its end.
pub(super) async fn run(inner: Arc<Inner>, deployment: Arc<Deployment>, turn: Turn) {
    let mut sandbox = Sandbox::new(inner, deployment);
    let until = Instant::now() + sandbox.inner.pace.init;
    let initialized = sandbox.initialize(until, "init").await;
    drop(turn);
    let invocation = match initialized {
        Ok(()) => sandbox.next(true).await,
        Err(_) => sandbox.take_after_failed_init(),
    };
    let mut next = invocation;
    while let Some(invocation) = next {
        next = if sandbox.execute(invocation).await {
            sandbox.next(false).await
        } else {
            None
        };
    }
}

struct Sandbox {
    inner: Arc<Inner>,
    deployment: Arc<Deployment>,
    id: u64,
    output: Arc<Output>,
    process: Option<Process>,
    /// The request for the next invocation, while the process waits for one.
    ready: Option<oneshot::Sender<Response>>,
    /// The time of the initialisation, until the first invocation has reported it.
    init: Option<Duration>,
    invocations: u64,
    memory: u64,
}

impl Sandbox {
    fn new(inner: Arc<Inner>, deployment: Arc<Deployment>) -> Self {
        let (logs, group) = (inner.logs.clone(), deployment.spec.log_group());
        let day = jiff::Timestamp::now().strftime("%Y/%m/%d");
        let stream = format!("{day}/[{LATEST}]{}", Uuid::new_v4().simple());
        let is_kept = may_log(&inner, &deployment.spec, &group, &stream);
        Self {
            id: inner.pool.new_sandbox(),
            output: Output::new(logs, group, stream, is_kept),
            inner,
            deployment,
            process: None,
            ready: None,
            init: None,
            invocations: 0,
            memory: 0,
        }
    }

    /// Starts the process and waits until it asks for an invocation. `phase` is `init` or `invoke`.
    async fn initialize(&mut self, until: Instant, phase: &str) -> Result<(), InitFault> {
        let started = Instant::now();
        let result = self.start(until).await;
        self.output.drain();
        match &result {
            Ok(()) => {
                self.init = Some(started.elapsed());
                self.note_memory();
            }
            Err(fault) => {
                let (status, error_type) = fault.status();
                let report = report::init_report(started.elapsed(), phase, status, error_type);
                self.output.say(&[&report]);
                self.end_process();
            }
        }
        result
    }

    async fn start(&mut self, until: Instant) -> Result<(), InitFault> {
        let (inner, spec) = (&self.inner, &self.deployment.spec);
        let keys = inner.credentials.of_function(&spec.role_arn, &spec.name);
        let started = Process::start(&self.deployment, &keys, &inner.endpoint, &self.output).await;
        let mut process = started.map_err(InitFault::NotStarted)?;
        let name = &spec.name;
        let watch = &self.inner.watch;
        watch.sandbox_started(name, process.pid(), self.output.stream());
        if self.inner.is_closed() {
            // The runtime has killed its sandboxes already, and did not know of this one.
            process.end();
        }
        let process = self.process.insert(process);
        loop {
            match process.happening(until).await {
                Happening::OutOfTime => return Err(InitFault::TimedOut),
                Happening::Exited(status) => return Err(InitFault::Exited(status)),
                Happening::Called(Call { ask, reply }) => match ask {
                    Ask::Next => {
                        self.ready = Some(reply);
                        return Ok(());
                    }
                    Ask::InitError(document, header) => {
                        let _ = reply.send(runtime_api::accepted());
                        let error_type = error_type(&document, header);
                        return Err(InitFault::Reported(error_type, document));
                    }
                    Ask::Answer(..) | Ask::Error(..) => {
                        let _ = reply.send(runtime_api::wrong_id());
                    }
                },
            }
        }
    }

    fn note_memory(&mut self) {
        let used = self.process.as_ref().and_then(Process::memory);
        self.memory = used.unwrap_or(0).max(self.memory);
    }

    /// Kills the processes, so that they print nothing more.
    fn end_process_group(&mut self) {
        if let Some(process) = &mut self.process {
            process.end();
        }
    }

    fn end_process(&mut self) {
        self.ready = None;
        if let Some(process) = self.process.take() {
            let name = &self.deployment.spec.name;
            self.inner.watch.sandbox_ended(name, process.pid());
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end_process();
    }
}

/// Whether the role of a function may write its log.
fn may_log(inner: &Inner, spec: &FunctionSpec, group: &str, stream: &str) -> bool {
    let acting = Acting::Role {
        role: &spec.role_arn,
        session: &spec.name,
    };
    let of_group = arn("logs", &format!("log-group:{group}:*"));
    let of_stream = arn("logs", &format!("log-group:{group}:log-stream:{stream}"));
    let is_new = !inner.logs.has(group).unwrap_or(true);
    let group = is_new.then_some(("logs:CreateLogGroup", &of_group));
    let needs = group.into_iter().chain([
        ("logs:CreateLogStream", &of_group),
        ("logs:PutLogEvents", &of_stream),
    ]);
    let mut needs = needs.map(|(action, on)| inner.iam.check(&acting, action, on));
    needs.all(|allowed| allowed.is_ok())
}
