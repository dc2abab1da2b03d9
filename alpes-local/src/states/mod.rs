//! Step Functions: executions of state machines, by `states-language`.
//!
//! All that happens to an execution from outside is in its journal in the store: its start, the outcomes of its calls,
//! the ends of its waits, stops and redrives, each with its time. After a crash, each execution is rebuilt from its
//! journal and goes on. A call whose outcome is in the journal is not made again. A call whose outcome is not, because
//! the runtime died while the function ran, is made again: functions are called at least once. A wait ends at the time
//! at which it would have ended without the crash; the time limit of a repeated call begins anew.

mod alone;
mod arns;
mod engine;
mod executions;
mod history;
mod journal;
mod machines;
mod outcome;
mod revisions;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

pub(crate) use arns::machine_arn;

use crate::{
    clock::{Clock, SystemClock},
    error::AwsError,
    iam::Iam,
    input,
    invoke::Invoker,
    store::Store,
};

/// The time for which ended executions are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// State machines of type Standard, and their executions. A clone is another handle to the same machines.
#[derive(Clone)]
pub struct States(Arc<engine::Engine>);

impl States {
    /// The machines in this store, whose tasks call functions of `invoker` as far as `iam` lets the machines' roles. Executions that a crash interrupted go on
    /// after [`Self::resume`].
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        invoker: Arc<dyn Invoker>,
    ) -> Result<Self, AwsError> {
        Self::with_clock(store, iam, invoker, Arc::new(SystemClock))
    }

    /// As [`Self::new`], with a clock for tests.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn with_clock(
        store: Arc<Store>,
        iam: Arc<Iam>,
        invoker: Arc<dyn Invoker>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AwsError> {
        for schema in [revisions::SCHEMA, rows::SCHEMA, journal::SCHEMA] {
            store.schema(schema)?;
        }
        Ok(Self(engine::Engine::new(store, iam, invoker, clock)))
    }

    /// Goes on with the executions that have not ended, and forgets those that ended more than 90 days ago. Call this
    /// once, inside a tokio runtime, when functions can be invoked. Returns the number of executions that go on.
    ///
    /// # Errors
    ///
    /// If the store cannot be read or written. An execution that cannot be rebuilt is reported on the standard error
    /// output, and the others go on.
    pub fn resume(&self) -> Result<usize, AwsError> {
        let engine = &self.0;
        let before = engine.clock.now() - KEPT;
        engine.store.write(|transaction| {
            rows::forget_ended(transaction, before)?;
            revisions::forget_unused(transaction)?;
            Ok::<_, AwsError>(())
        })?;
        let running = engine
            .store
            .read(|connection| rows::running(connection, None))?;
        let waiting = running.iter().filter(|id| engine.driven(**id).is_none());
        let mut resumed = 0;
        for id in waiting {
            match engine.rebuilt(*id) {
                Ok(live) => {
                    engine.drive(&live);
                    resumed += 1;
                }
                Err(error) => eprintln!("execution {id} cannot go on: {error}"),
            }
        }
        Ok(resumed)
    }

    /// Creates or updates a machine as a deployment asks, and returns its ARN. A machine that is already so gets no new
    /// revision. `definition` is the JSON text, with all substitutions made; `role` is an ARN.
    ///
    /// # Errors
    ///
    /// `InvalidDefinition` names the state, the field and the rule; `InvalidName`.
    pub fn ensure_machine(
        &self,
        name: &str,
        definition: &str,
        role: &str,
    ) -> Result<String, AwsError> {
        self.0.ensure(name, definition, role)
    }

    /// Answers a request of the API (`AWSStepFunctions`, JSON 1.0). Call this inside a tokio runtime: executions run in
    /// tasks of it.
    ///
    /// # Errors
    ///
    /// AWS's errors for the operation, and `UnknownOperationException` for operations that are not supported.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        let engine = &self.0;
        match operation {
            "StartExecution" => engine.start_execution(input),
            "DescribeExecution" => engine.describe_execution(input),
            "GetExecutionHistory" => engine.history(input),
            "ListExecutions" => engine.list_executions(input),
            "StopExecution" => engine.stop_execution(input),
            "RedriveExecution" => engine.redrive_execution(input),
            "CreateStateMachine" => engine.create_machine(input),
            "UpdateStateMachine" => engine.update_machine(input),
            "DeleteStateMachine" => engine.delete_machine(input),
            "DescribeStateMachine" => engine.describe_machine(input),
            "DescribeStateMachineForExecution" => engine.describe_machine_for_execution(input),
            "ListStateMachines" => engine.list_machines(input),
            "StartSyncExecution" => Err(AwsError::client(
                "StateMachineTypeNotSupported",
                "This operation is not supported by this type of state machine",
            )),
            other => Err(input::unknown(other)),
        }
    }
}
