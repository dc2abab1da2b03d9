//! Step Functions in the simulation, with executions that are ended or forgotten from outside.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
};

use alpes_ports::{
    ExecutionError, Executions, FunctionName, Functions, HistoryEvent, Progress, World,
};
use alpes_saga::{Definitions, Saga, SagaId, Status};
use async_trait::async_trait;
use jiff::SignedDuration;
use reserva_saga::{placeholders, state_machine};
use serde_json::{Value, json};
use simulation::Kernel;
use twins::{MachineError, MemoryExecutions};

use crate::{
    check,
    functions::HTTP_COMMANDS,
    http::{self, Answer},
    system::System,
};

/// Step Functions forgets executions 90 days after their end. In the simulation, an ended execution can be forgotten
/// once its saga has been unchanged for this long.
const QUIET: SignedDuration = SignedDuration::from_mins(2);

/// The ways in which an execution ends from outside: the name in the counts, and the error.
const ENDS: [(&str, &str); 4] = [
    ("stopped", ""),
    ("stopped", "Detenida"),
    ("timed out", "States.Timeout"),
    ("failed", "States.Runtime"),
];

/// The simulated Step Functions, which runs started executions by itself.
#[derive(Clone)]
pub struct Carried {
    inner: MemoryExecutions,
    kernel: Kernel,
}

impl Carried {
    /// Step Functions with the state machine of these definitions. The tasks of the state machine call these functions.
    pub fn new(
        kernel: &Kernel,
        definitions: &Definitions,
        functions: Arc<dyn Functions>,
        world: World,
    ) -> Result<Self, MachineError> {
        let names: BTreeMap<String, FunctionName> = placeholders();
        let machine = state_machine(definitions);
        Ok(Self {
            inner: MemoryExecutions::new(&machine, names, functions, world)?,
            kernel: kernel.clone(),
        })
    }

    /// Resumes a failed execution where it failed. Returns true if the execution had failed.
    pub fn redrive(&self, name: &str) -> bool {
        let redriven = self.inner.redrive(name);
        self.carry_on();
        redriven
    }

    /// True if an execution of this name has not ended.
    pub fn runs(&self, name: &str) -> bool {
        let names = self.inner.names();
        names.contains(&(name.to_owned(), false))
    }

    /// Deploys the state machine of these definitions for the executions that start from now on.
    pub fn deploy(&self, definitions: &Definitions) {
        let updated = self.inner.update(&state_machine(definitions));
        debug_assert!(updated.is_ok(), "{updated:?}");
    }

    /// A random execution, among those that have ended or those that have not.
    fn some(&self, ended: bool) -> Option<String> {
        let names = self.inner.names().into_iter();
        let such = names.filter(|(_, has_ended)| *has_ended == ended);
        let such: Vec<_> = such.map(|(name, _)| name).collect();
        self.kernel.dice().pick(&such).cloned()
    }

    fn carry_on(&self) {
        for process in self.inner.take_started() {
            self.kernel.spawn("execution", process);
        }
    }
}

#[async_trait]
impl Executions for Carried {
    async fn start(&self, name: &str, input: &Value) -> Result<(), ExecutionError> {
        let started = self.inner.start(name, input).await;
        self.carry_on();
        started
    }

    async fn progress(&self, name: &str) -> Result<Progress, ExecutionError> {
        self.inner.progress(name).await
    }

    async fn history(&self, name: &str) -> Result<Option<Vec<HistoryEvent>>, ExecutionError> {
        self.inner.history(name).await
    }
}

/// Ends a random running execution, or redrives a random failed one.
pub fn interfere(system: &System) {
    let (kernel, machine) = (&system.kernel, &system.machine);
    if kernel.dice().one_in(12) {
        if let Some(name) = machine.some(true)
            && machine.redrive(&name)
        {
            kernel.count("execution", "redriven at once");
            kernel.note(format_args!("{name} is redriven"));
        }
        return;
    }
    let Some(name) = machine.some(false) else {
        return;
    };
    if let Some((how, error)) = kernel.dice().pick(&ENDS)
        && machine.inner.stop(&name, error, "desde fuera")
    {
        kernel.count("execution", *how);
        kernel.note(format_args!("{name} is {how}"));
    }
}

/// Forgets a random execution that has ended, as Step Functions does after months.
pub fn forget(system: &System) {
    let (kernel, machine) = (&system.kernel, &system.machine);
    let Some(name) = machine.some(true) else {
        return;
    };
    // The name of an execution begins with its saga's id.
    let id: Option<SagaId> = name.get(..36).and_then(|id| id.parse().ok());
    let Some(saga) = id.and_then(|id| check::load(system, id)) else {
        return;
    };
    let rests = saga.status.has_ended() || saga.status == Status::NeedsIntervention;
    let quiet = kernel.told().duration_since(saga.updated()) > QUIET;
    if rests && quiet && machine.inner.forget(&name) {
        kernel.count("execution", format!("forgotten: {}", saga.status));
        kernel.note(format_args!("{name} is forgotten"));
    }
}

/// Cancels a random reservation whose saga is stuck because the saga's execution failed. If the cancellation is
/// accepted, the run must carry it out.
pub fn cancel_stuck(system: &System) {
    let mut stuck = check::stuck(system);
    stuck.retain(Saga::is_watched);
    let Some(saga) = system.kernel.dice().pick(&stuck) else {
        return;
    };
    let (system, id) = (system.clone(), saga.id);
    let path = format!("/vuelos/reserva/{}/cancelacion", saga.subject);
    let event = http::event("POST", &path, &[], Some(&json!({"motivo": "se cansó"})));
    let kernel = system.kernel.clone();
    kernel.spawn("client", async move {
        let answered = system.api.call(HTTP_COMMANDS, &event).await;
        if answered.is_ok_and(|answer| Answer::read(&answer).status == 202) {
            system
                .kernel
                .count("execution", "cancelled where it was stuck");
            let promised = system.promised.lock();
            promised.unwrap_or_else(PoisonError::into_inner).push(id);
        }
    });
}

/// Checks that the cancellations accepted for stuck sagas were carried out.
pub fn check(system: &System, broken: &mut Vec<String>) {
    let promised = system.promised.lock();
    let promised = promised.unwrap_or_else(PoisonError::into_inner);
    for id in promised.iter() {
        let estado = check::load(system, *id).map(|saga| saga.status);
        if estado != Some(Status::Compensated) {
            broken.push(format!(
                "the cancellation of {id} was accepted where it was stuck, and it is {estado:?}"
            ));
        }
    }
}

/// Deploys the state machine of the older or the newer build, while the participants may begin sagas that only the
/// newest build knows.
pub fn deploy_some(system: &System) {
    let (kernel, builds) = (&system.kernel, &system.builds);
    let (build, age) = if kernel.dice().one_in(2) {
        (&builds.older, "older")
    } else {
        (&builds.newest, "newer")
    };
    kernel.count("operator", format!("deployed a state machine: {age}"));
    kernel.note(format_args!("the {age} state machine is deployed"));
    system.machine.deploy(&build.definitions);
}
