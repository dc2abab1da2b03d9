//! A person who does what the system cannot do alone, through the API, the commands of `xtask`, and the console of Step
//! Functions.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use alpes_consumer::{Parked, Redrive, Redriver};
use alpes_participant::TABLE as FAULTS;
use alpes_ports::{Condition, TableError, Tables, Write};
use alpes_saga::{Answer, Dispatch, Participants, Saga, SagaId, What, execution_name};
use futures::executor::block_on;
use jiff::SignedDuration;
use reserva_saga::FunctionParticipants;
use serde_json::{Value, json};
use simulation::Ended;
use uuid::Uuid;
use vuelos::CANCELAR_RESERVA;

use crate::{
    Scenario, check, clients::Memory, functions::HTTP_COMMANDS, http, insistence::Insistent,
    refusals::Bracket, system::System,
};

/// How long the operator waits for the system to handle parked records by itself.
const PATIENCE: SignedDuration = SignedDuration::from_mins(4);
/// The operator repairs misbehaving participants when a saga is stuck, or at the latest after this many milliseconds.
const UNNOTICED: u64 = 10 * 60_000;

/// The reason and the note that the operator gives.
const BY_HAND: &str = "a mano";

/// The number of times that the operator resumes a saga's execution before resuming the saga without the execution.
const PATIENT: u32 = 2;

/// The operator.
pub struct Operator {
    system: System,
    memory: Memory,
    scenario: Scenario,
    /// True while the operator handles parked records.
    busy: Arc<AtomicBool>,
    came: u64,
    /// The number of times that each saga's execution was resumed.
    redriven: Mutex<BTreeMap<SagaId, u32>>,
    insistent: Insistent,
}

impl Operator {
    /// An operator for this run.
    pub fn new(system: &System, scenario: &Scenario, memory: &Memory) -> Self {
        Self {
            system: system.clone(),
            memory: memory.clone(),
            scenario: *scenario,
            busy: Arc::default(),
            came: system.kernel.elapsed(),
            redriven: Mutex::default(),
            insistent: Insistent::new(scenario.insists),
        }
    }

    /// Checks the system once, and does the work that may need a person in this scenario.
    pub fn look(&self) {
        let stuck = check::stuck(&self.system);
        let kernel = &self.system.kernel;
        if self.insistent.is_at_it(&self.system, &self.memory, &stuck) {
            return;
        }
        let late = kernel.elapsed() - self.came > UNNOTICED;
        if (late || !stuck.is_empty()) && !self.system.tables.all(FAULTS).is_empty() {
            kernel.count("operator", "repaired participants");
            self.repair();
        }
        if self.scenario.may_need_a_person() {
            for saga in stuck {
                self.go_on(&saga);
            }
        }
        if !self.busy.swap(true, Ordering::SeqCst) {
            let (system, busy) = (self.system.clone(), self.busy.clone());
            let by_hand = self.scenario.may_need_redrive();
            kernel.spawn("operator", async move {
                if let Err(error) = see_to_parked(&system, by_hand).await {
                    system.kernel.note(format_args!("the parking lot: {error}"));
                }
                busy.store(false, Ordering::SeqCst);
            });
        }
    }

    /// Stops the faults of participants.
    fn repair(&self) {
        for (key, _) in self.system.tables.all(FAULTS) {
            let delete = Write::Delete {
                key,
                condition: Condition::Always,
            };
            let deleted = block_on(self.system.tables.write(&delete));
            debug_assert!(deleted.is_ok(), "{deleted:?}");
        }
    }

    /// Resumes a saga that waits for a person, through the saga's execution if that is possible.
    fn go_on(&self, saga: &Saga) {
        let (system, kernel) = (&self.system, &self.system.kernel);
        if saga.is_watched() && self.by_its_execution(saga) {
            return;
        }
        let (system, memory, saga) = (system.clone(), self.memory.clone(), saga.clone());
        kernel.spawn("operator", async move {
            see_to_saga(&system, &memory, &saga).await;
        });
    }

    /// True if the saga's execution runs, or was resumed now. The operator resumes the executions of only half of the
    /// sagas, each at most `PATIENT` times.
    fn by_its_execution(&self, saga: &Saga) -> bool {
        let System {
            kernel, machine, ..
        } = &self.system;
        let Some(last) = saga.executions().last() else {
            return false;
        };
        let name = execution_name(saga.id, last);
        if machine.runs(&name) {
            return true;
        }
        let mut redriven = self.redriven.lock();
        let redriven = redriven
            .as_deref_mut()
            .map(|redriven| redriven.entry(saga.id).or_default());
        let Ok(times) = redriven else {
            return false;
        };
        let is_tried = saga.id.0.as_u128().is_multiple_of(2) && *times < PATIENT;
        if !is_tried || !machine.redrive(&name) {
            return false;
        }
        *times += 1;
        kernel.count("operator", "redrove an execution");
        true
    }
}

/// Resumes a saga that waits for a person. For half of the sagas, and where resuming is refused, the operator undoes
/// the step by hand and marks the step as undone.
async fn see_to_saga(system: &System, memory: &Memory, saga: &Saga) {
    let kernel = &system.kernel;
    let by_hand = saga.id.0.as_u128() % 4 < 2;
    let done = if by_hand && !saga.is_watched() {
        undo_by_hand(system, saga).await
    } else {
        None
    };
    let status = resume(system, memory, saga, done.as_ref()).await;
    match (status, done) {
        (Some(409), None) if saga.is_watched() => {
            let last = saga.executions().last();
            let redriven = last.is_some_and(|last| {
                let name = execution_name(saga.id, last);
                system.machine.redrive(&name)
            });
            if redriven {
                kernel.count("operator", "redrove an execution");
            }
        }
        (Some(409), None) => {
            if let Some(done) = undo_by_hand(system, saga).await {
                kernel.count("operator", "undid a step by hand");
                resume(system, memory, saga, Some(&done)).await;
            }
        }
        (_, Some(_)) => kernel.count("operator", "undid a step by hand"),
        (_, None) if saga.is_watched() => kernel.count("operator", "took over a saga"),
        (_, None) => kernel.count("operator", "resumed a saga"),
    }
}

/// Asks for a resumption; returns the answer's status, if there is an answer.
pub(crate) async fn resume(
    system: &System,
    memory: &Memory,
    saga: &Saga,
    body: Option<&Value>,
) -> Option<u64> {
    let path = format!("/sagas/{}/reanudacion", saga.id);
    let event = http::event("POST", &path, &[], body);
    let bracket = Bracket::open(system, saga.id);
    let Ended::Returned(answer) = system.runtime.invoke(HTTP_COMMANDS, event).await else {
        return None;
    };
    let answer = http::Answer::read(&answer);
    if answer.status == 409
        && let Some(untrue) = bracket.resumption(system, &answer)
    {
        memory.complain(untrue);
    }
    Some(answer.status)
}

/// Undoes the step at which a saga is stuck, with a command of the operator's own instead of the saga's. Returns the
/// body of the request that marks the step as done; `None` if the step could not be undone.
async fn undo_by_hand(system: &System, saga: &Saga) -> Option<Value> {
    let number = saga.log.iter().rev().find_map(|entry| match entry.what {
        What::NeedsIntervention { step, .. } => Some(step),
        _ => None,
    })?;
    let definitions = &system.builds.newest.definitions;
    let definition = definitions.find(&saga.definition, saga.version)?;
    let step = definition.step(number)?;
    let undo = step.compensation.as_ref()?;
    let data = match undo.command {
        CANCELAR_RESERVA => json!({ "motivo": BY_HAND }),
        _ => json!({}),
    };
    let dispatch = Dispatch {
        saga: saga.id,
        subject: saga.subject,
        participant: undo.call.participant,
        command: Uuid::new_v5(&saga.id.0, format!("{BY_HAND} {number}").as_bytes()),
        kind: undo.command,
        data,
        cause: saga.cause,
        trace: None,
        step: number,
        attempt: 1,
        patience: undo.call.retry.patience,
    };
    let participants = FunctionParticipants(Arc::new(system.runtime.clone()));
    let answer = participants.send(&dispatch).await;
    let is_undone = matches!(
        answer,
        Ok(Answer::Events(facts)) if facts.iter().any(|fact| fact.kind == undo.success)
    );
    is_undone.then(|| json!({ "hecho": true, "paso": number, "nota": BY_HAND }))
}

/// Discards unreadable parked records. If parked records may need a person in the scenario, the operator also redrives
/// the records that have waited for longer than `PATIENCE` and that the system does not retry by itself.
async fn see_to_parked(system: &System, by_hand: bool) -> Result<(), TableError> {
    let wiring = system.undisturbed();
    let parking = wiring.parking();
    let waiting = parking.list().await?.into_iter();
    let waiting: Vec<Parked> = waiting
        .filter(|parked| parked.discarded.is_none())
        .collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let world = &system.world;
    let (projector, remote) = (wiring.projector(), wiring.consumers());
    let mut consumers: Vec<&dyn Redrive> = vec![&projector];
    consumers.extend(remote.iter().map(|one| one as &dyn Redrive));
    let redriver = Redriver {
        parking: &parking,
        world,
        consumers: &consumers,
    };
    for parked in &waiting {
        let waited = world.clock.now().duration_since(parked.since.timestamp());
        let data = parking.data(parked).await?;
        if data.is_some_and(|data| system.poisons.has(&data)) {
            system
                .kernel
                .count("operator", "discarded unreadable records");
            parking.discard(parked, "no es un evento").await?;
        } else if by_hand && waited > PATIENCE && !parking.is_open(parked) {
            system.kernel.count("operator", "redrove a record");
            redriver.redrive(parked).await?;
        }
    }
    Ok(())
}
