//! Runs functions as Lambda does.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use alpes_ports::{CallError, FunctionName, Functions, World};
use async_trait::async_trait;
use futures::{channel::oneshot, future::BoxFuture};
use jiff::{SignedDuration, Timestamp};

use crate::{End, Kernel, ProcessId, TimerId};

/// A function's answer, or the type and the text of its error.
pub type Answer = Result<Vec<u8>, (String, String)>;

/// A started function with the state that it keeps between invocations. Each call gets a payload, and the time at which
/// the invocation times out.
pub type Sandbox = Arc<dyn Fn(Vec<u8>, Timestamp) -> BoxFuture<'static, Answer> + Send + Sync>;

/// A deployed function.
#[derive(Clone)]
pub struct Function {
    /// The timeout of an invocation.
    pub timeout: Duration,
    /// How many invocations may run at once.
    pub concurrency: usize,
    /// Starts a sandbox: a cold start.
    pub start: Arc<dyn Fn(World) -> Sandbox + Send + Sync>,
}

/// A function with this timeout. `build` builds the function at a cold start, and `handle` gives the built function a
/// payload.
pub fn function<A: Send + Sync + 'static>(
    timeout: Duration,
    build: impl Fn(World) -> A + Send + Sync + 'static,
    handle: impl Fn(Arc<A>, Vec<u8>, Timestamp) -> BoxFuture<'static, Answer>
    + Copy
    + Send
    + Sync
    + 'static,
) -> Function {
    Function {
        timeout,
        concurrency: 50,
        start: Arc::new(move |world| {
            let app = Arc::new(build(world));
            let sandbox: Sandbox =
                Arc::new(move |payload, deadline| handle(app.clone(), payload, deadline));
            sandbox
        }),
    }
}

/// The way in which an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The function returned this answer.
    Returned(Vec<u8>),
    /// The function failed with an error of this type and text.
    Failed(String, String),
    /// The invocation exceeded its timeout.
    TimedOut,
    /// The process of the invocation died.
    Died,
    /// The invocation did not start, because too many were running.
    Throttled,
    /// No function has this name.
    Unknown,
}

/// How often invocations go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// On average one invocation in `throttle_one_in` is throttled; 0 means none.
    pub throttle_one_in: u64,
    /// On average one reusable sandbox in `forget_one_in` is discarded; 0 means none.
    pub forget_one_in: u64,
    /// On average one asynchronous invocation in `twice_one_in` runs twice; 0 means none.
    pub twice_one_in: u64,
    /// By how many milliseconds a sandbox's clock may be off.
    pub skew: u64,
}

impl Fate {
    /// The fate of a calm world, in which no invocation goes wrong.
    pub const CALM: Self = Self {
        throttle_one_in: 0,
        forget_one_in: 0,
        twice_one_in: 0,
        skew: 0,
    };
}

/// An invocation in flight.
struct Running {
    process: ProcessId,
    answer: oneshot::Sender<Ended>,
    timer: TimerId,
    sandbox: (u64, Sandbox),
    function: FunctionName,
    deployment: u64,
}

struct Deployed {
    function: Function,
    deployment: u64,
    idle: Vec<(u64, Sandbox)>,
    running: usize,
}

#[derive(Default)]
struct State {
    functions: BTreeMap<FunctionName, Deployed>,
    running: BTreeMap<u64, Running>,
    count: u64,
}

/// Changes a function when it is deployed.
type Changed = dyn Fn(FunctionName, Function) -> Function + Send + Sync;

struct Inner {
    kernel: Kernel,
    state: Mutex<State>,
    fate: Mutex<Fate>,
    changed: OnceLock<Box<Changed>>,
}

/// Runs functions. Each invocation is a process that may be killed. All clones share one runtime.
#[derive(Clone)]
pub struct Runtime(Arc<Inner>);

impl Runtime {
    /// A runtime without functions.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        Self(Arc::new(Inner {
            kernel,
            state: Mutex::default(),
            fate: Mutex::new(Fate::CALM),
            changed: OnceLock::new(),
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    fn fate(&self) -> Fate {
        let fate = self.0.fate.lock();
        *fate.unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how often invocations go wrong from now on.
    pub fn set_fate(&self, fate: Fate) {
        let own = self.0.fate.lock();
        *own.unwrap_or_else(PoisonError::into_inner) = fate;
    }

    /// Sets a change to be made to every function that is deployed from now on. Only the first call of this method has
    /// an effect.
    pub fn change_what_is_deployed(
        &self,
        change: impl Fn(FunctionName, Function) -> Function + Send + Sync + 'static,
    ) {
        self.0.changed.get_or_init(|| Box::new(change));
    }

    /// Deploys a function in place of the one with this name. Running invocations of the replaced function continue,
    /// and new invocations run the new function.
    pub fn deploy(&self, name: FunctionName, function: Function) {
        let function = match self.0.changed.get() {
            Some(change) => change(name, function),
            None => function,
        };
        let mut state = self.state();
        let (deployment, running) = state
            .functions
            .get(&name)
            .map_or((1, 0), |old| (old.deployment + 1, old.running));
        let deployed = Deployed {
            function,
            deployment,
            idle: vec![],
            running,
        };
        state.functions.insert(name, deployed);
    }

    /// Removes all functions. Functions that call one another would otherwise keep each other in memory for ever.
    pub fn shut_down(&self) {
        let (functions, running) = {
            let mut state = self.state();
            (
                mem::take(&mut state.functions),
                mem::take(&mut state.running),
            )
        };
        drop((functions, running));
    }

    /// The number of running invocations.
    #[must_use]
    pub fn running(&self) -> usize {
        self.state().running.len()
    }

    /// Invokes a function. The returned future waits until the invocation ends. The invocation runs even if this future
    /// is dropped.
    #[must_use]
    pub fn invoke(&self, name: FunctionName, payload: Vec<u8>) -> BoxFuture<'static, Ended> {
        let (answer, ended) = oneshot::channel();
        if let Err(refused) = self.begin(name, payload, answer) {
            return Box::pin(async move { refused });
        }
        // The process of the invocation always sends how the invocation ended.
        Box::pin(async move { ended.await.unwrap_or(Ended::Died) })
    }

    fn begin(
        &self,
        name: FunctionName,
        payload: Vec<u8>,
        answer: oneshot::Sender<Ended>,
    ) -> Result<(), Ended> {
        let (kernel, fate) = (&self.0.kernel, self.fate());
        let dice = kernel.dice();
        let throttled = dice.one_in(fate.throttle_one_in);
        let mut state = self.state();
        state.count += 1;
        let count = state.count;
        let deployed = state.functions.get_mut(&name).ok_or(Ended::Unknown)?;
        if throttled || deployed.running >= deployed.function.concurrency {
            kernel.count("lambda", "throttled");
            kernel.note(format_args!("{} is throttled", name.0));
            return Err(Ended::Throttled);
        }
        deployed.running += 1;
        let Function { timeout, start, .. } = deployed.function.clone();
        let deployment = deployed.deployment;
        if dice.one_in(fate.forget_one_in) {
            deployed.idle.clear();
        }
        let idle = u64::try_from(deployed.idle.len()).unwrap_or(0);
        let place = usize::try_from(dice.below(idle)).unwrap_or(0);
        let warm = (idle > 0).then(|| deployed.idle.swap_remove(place));
        let cold = warm.is_none();
        let (number, sandbox) = warm.unwrap_or_else(|| {
            let off = i64::try_from(dice.below(2 * fate.skew + 1)).unwrap_or(0);
            let skew = off - i64::try_from(fate.skew).unwrap_or(0);
            (
                count,
                start(kernel.world(SignedDuration::from_millis(skew))),
            )
        });
        kernel.count("lambda", if cold { "cold start" } else { "warm start" });
        let init = if cold {
            80 + dice.below(400)
        } else {
            1 + dice.below(5)
        };
        let init = Duration::from_millis(init);
        let whole = init + timeout;
        let deadline = SignedDuration::try_from(whole).unwrap_or_default();
        let deadline = kernel.told().saturating_add(deadline);
        let work = {
            let (runtime, kernel, sandbox) = (self.clone(), kernel.clone(), sandbox.clone());
            let deadline = deadline.unwrap_or(Timestamp::MAX);
            async move {
                kernel.sleep(init).await;
                let ended = match sandbox(payload, deadline).await {
                    Ok(answer) => Ended::Returned(answer),
                    Err((kind, words)) => Ended::Failed(kind, words),
                };
                runtime.finish(count, ended);
            }
        };
        let own = self.clone();
        let label = format!("{}/{number}", name.0);
        let process = kernel.spawn_mortal(&label, work, move |end| {
            if end == End::Killed {
                own.finish(count, Ended::Died);
            }
        });
        let own = self.clone();
        let timer = kernel.schedule(whole, move || own.finish(count, Ended::TimedOut));
        let running = Running {
            process,
            answer,
            timer,
            sandbox: (number, sandbox),
            function: name,
            deployment,
        };
        state.running.insert(count, running);
        Ok(())
    }

    fn finish(&self, invocation: u64, ended: Ended) {
        let kernel = &self.0.kernel;
        let finished = {
            let mut state = self.state();
            let Some(running) = state.running.remove(&invocation) else {
                return;
            };
            let Running {
                process,
                answer,
                timer,
                sandbox,
                function,
                deployment,
            } = running;
            if let Some(deployed) = state.functions.get_mut(&function) {
                deployed.running -= 1;
                let lives = matches!(ended, Ended::Returned(_) | Ended::Failed(..));
                if lives && deployed.deployment == deployment {
                    deployed.idle.push(sandbox);
                }
            }
            (process, answer, timer, function)
        };
        let (process, answer, timer, function) = finished;
        kernel.cancel(timer);
        let how = match &ended {
            Ended::Returned(_) => "answered",
            Ended::Failed(..) => "failed",
            Ended::TimedOut => "timed out",
            _ => "died",
        };
        kernel.count("lambda", how);
        match &ended {
            Ended::Failed(kind, words) => {
                kernel.note(format_args!("{} failed: {kind}: {words}", function.0));
            }
            _ => kernel.note(format_args!("{} {how}", function.0)),
        }
        if ended == Ended::TimedOut {
            kernel.kill(process);
        }
        // The caller may have stopped waiting.
        let _ = answer.send(ended);
    }

    /// Runs an asynchronous invocation as Lambda does: at least once, and with up to 2 retries if it fails.
    async fn see_to(self, name: FunctionName, payload: Vec<u8>) {
        let kernel = self.0.kernel.clone();
        kernel
            .sleep(Duration::from_millis(1 + kernel.dice().below(50)))
            .await;
        if kernel.dice().one_in(self.fate().twice_one_in) {
            kernel.count("lambda", "started twice");
            drop(self.invoke(name, payload.clone()));
        }
        let mut failures = 0;
        while failures < 3 {
            match self.invoke(name, payload.clone()).await {
                Ended::Returned(_) | Ended::Unknown => return,
                Ended::Throttled => kernel.sleep(Duration::from_secs(1)).await,
                Ended::Failed(..) | Ended::TimedOut | Ended::Died => {
                    failures += 1;
                    kernel.sleep(Duration::from_mins(failures)).await;
                }
            }
        }
    }
}

#[async_trait]
impl Functions for Runtime {
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        let failed = |error_type: String, message: String| CallError::Failed {
            error_type,
            message,
        };
        match self.invoke(function, payload.to_vec()).await {
            Ended::Returned(answer) => Ok(answer),
            Ended::Failed(kind, words) => Err(failed(kind, words)),
            Ended::TimedOut => Err(failed("Sandbox.Timedout".into(), "timed out".into())),
            Ended::Died => Err(failed("Runtime.ExitError".into(), "exited".into())),
            Ended::Throttled => Err(CallError::Unavailable("too many requests".into())),
            Ended::Unknown => Err(CallError::Refused(format!("no function {}", function.0))),
        }
    }

    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError> {
        if !self.state().functions.contains_key(&function) {
            return Err(CallError::Refused(format!("no function {}", function.0)));
        }
        let name = format!("start {}", function.0);
        let seen_to = self.clone().see_to(function, payload.to_vec());
        self.0.kernel.spawn(&name, seen_to);
        Ok(())
    }
}
