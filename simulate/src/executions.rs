//! Step Functions, and what happens to executions beside what their states do.

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

/// Step Functions forgets what ended 90 days ago. Here those pass at once, for an execution that nothing happened to for so long.
const QUIET: SignedDuration = SignedDuration::from_mins(2);

/// How executions end that no state ends: what it is, and the error.
const ENDS: [(&str, &str); 4] = [
    ("stopped", ""),
    ("stopped", "Detenida"),
    ("timed out", "States.Timeout"),
    ("failed", "States.Runtime"),
];

/// Step Functions, which carries on by itself what is started.
#[derive(Clone)]
pub struct Carried {
    inner: MemoryExecutions,
    kernel: Kernel,
}

impl Carried {
    /// Of the machine that these definitions have, which calls these functions.
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

    /// Has an execution that failed go on where it did; true if it had failed.
    pub fn redrive(&self, name: &str) -> bool {
        let redriven = self.inner.redrive(name);
        self.carry_on();
        redriven
    }

    /// True if there is an execution of this name that has not ended.
    pub fn runs(&self, name: &str) -> bool {
        let names = self.inner.names();
        names.contains(&(name.to_owned(), false))
    }

    /// Deploys the machine of these definitions: executions that are started from now on are of it.
    pub fn deploy(&self, definitions: &Definitions) {
        let updated = self.inner.update(&state_machine(definitions));
        debug_assert!(updated.is_ok(), "{updated:?}");
    }

    /// Some execution that has ended, or has not.
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

/// Ends some execution that runs, or has one go on that somebody ended.
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

/// Months pass for some execution that nobody saw to: it is forgotten.
pub fn forget(system: &System) {
    let (kernel, machine) = (&system.kernel, &system.machine);
    let Some(name) = machine.some(true) else {
        return;
    };
    // Its name begins with the saga's id.
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

/// Somebody cancels the reservation of a saga that its execution could not end. If that is accepted, it is a promise.
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

/// What was promised of sagas that were stuck is done.
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

/// Deploys the state machine of one build or the other, though others begin sagas that only the newest knows.
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
