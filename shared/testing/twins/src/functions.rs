//! Deployed functions, in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use futures::future::BoxFuture;

use alpes_ports::{CallError, FunctionName, Functions};

type Answer = BoxFuture<'static, Result<Vec<u8>, CallError>>;
type Handler = Arc<dyn Fn(Vec<u8>) -> Answer + Send + Sync>;

#[derive(Default)]
struct State {
    handlers: BTreeMap<FunctionName, Handler>,
    started: Vec<BoxFuture<'static, ()>>,
}

/// The twin of deployed functions: each function is a closure.
///
/// A call runs inside its caller. An asynchronous invocation waits until a test runs it.
#[derive(Default)]
pub struct MemoryFunctions(Mutex<State>);

impl MemoryFunctions {
    /// A twin without functions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Deploys `handler` as `function`, in place of an earlier handler of this function.
    pub fn deploy<H, F>(&self, function: FunctionName, handler: H)
    where
        H: Fn(Vec<u8>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<u8>, CallError>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |payload| Box::pin(handler(payload)));
        self.lock().handlers.insert(function, handler);
    }

    /// Takes the asynchronous invocations that have not run yet, in order. Run each invocation as a process of its own.
    #[must_use]
    pub fn take_started(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut self.lock().started)
    }

    fn answer(&self, function: FunctionName, payload: &[u8]) -> Result<Answer, CallError> {
        let handler = self.lock().handlers.get(&function).cloned();
        let handler =
            handler.ok_or_else(|| CallError::Refused(format!("no function {:?}", function.0)))?;
        Ok(handler(payload.to_vec()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Functions for MemoryFunctions {
    async fn call(&self, function: FunctionName, payload: &[u8]) -> Result<Vec<u8>, CallError> {
        self.answer(function, payload)?.await
    }

    async fn start(&self, function: FunctionName, payload: &[u8]) -> Result<(), CallError> {
        let answer = self.answer(function, payload)?;
        self.lock().started.push(Box::pin(async move {
            // An asynchronous invocation has no caller to get its error.
            let _ = answer.await;
        }));
        Ok(())
    }
}
