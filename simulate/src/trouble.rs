//! Causes troubles that are no faults of single effects: with shards, clocks, deployments, throttling, participants and
//! executions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alpes_messages::{Context, SagaMode};
use alpes_participant::{FaultMode, Faults};
use alpes_ports::FunctionName;
use events::{GDS, PAGOS, VUELOS};
use notices::NOTIFIER;
use reserva_saga::{ORCHESTRATOR, PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS};

use crate::{
    Scenario, check, executions, foreign,
    functions::{self, ALL, ARCHIVER, Allergy, PROJECTOR},
    poison, remap,
    system::System,
    versions,
};

/// Prefixes of the effects that are throttled together: calls to a table, calls of one kind, appends to the Kinesis
/// stream, or calls of a function.
const THROTTLED: [&str; 19] = [
    "get streams",
    "write streams",
    "get sagas",
    "write sagas",
    "get views",
    "write views",
    "write parked",
    "write reactions",
    "write ",
    "transact ",
    "query ",
    "scan ",
    "append ",
    "call participant-pagos",
    "call participant-gds",
    "start ",
    "publish ",
    "put ",
    "progress ",
];

/// The consumers of the log. Each consumer may be deployed with a mistake.
const CONSUMERS: [FunctionName; 7] = [
    PROJECTOR,
    ARCHIVER,
    NOTIFIER,
    ORCHESTRATOR,
    PARTICIPANT_VUELOS,
    PARTICIPANT_PAGOS,
    PARTICIPANT_GDS,
];

/// The commands that can be made to fail; the undoing commands come first.
const COMMANDS: [(Context, &str); 6] = [
    (PAGOS, "RevertirPago"),
    (GDS, "RevertirConfirmacion"),
    (VUELOS, "CancelarReserva"),
    (PAGOS, "PagarReserva"),
    (GDS, "ConfirmarReserva"),
    (VUELOS, "AprobarReserva"),
];

#[derive(Clone)]
struct Trouble {
    system: System,
    scenario: Scenario,
    /// When the throttling of calls ends, in milliseconds.
    throttled_until: u64,
}

/// Makes trouble until faults cease.
pub fn make(system: &System, scenario: &Scenario, calm: &Arc<AtomicBool>) {
    let mut trouble = Trouble {
        system: system.clone(),
        scenario: *scenario,
        throttled_until: 0,
    };
    let (kernel, calm) = (system.kernel.clone(), calm.clone());
    kernel.clone().spawn("trouble", async move {
        if trouble.scenario.old_reservations {
            versions::leave_old_reservations(&trouble.system).await;
        }
        if trouble.scenario.insists {
            trouble.with_refunds().await;
        }
        while !calm.load(Ordering::SeqCst) {
            trouble.with_machines();
            trouble.with_builds();
            trouble.with_calls();
            trouble.with_what_runs_elsewhere();
            let dice = kernel.dice();
            if dice.one_in(trouble.scenario.poison_one_in) {
                poison::append(&trouble.system).await;
            }
            if dice.one_in(trouble.scenario.misbehave_one_in) {
                trouble.with_participants().await;
            }
            kernel.sleep(Duration::from_secs(1)).await;
        }
    });
}

impl Trouble {
    fn one_in(&self, times: u64) -> bool {
        self.system.kernel.dice().one_in(times)
    }

    /// Reshards, takes leases away, and shifts the clocks, each now and then.
    fn with_machines(&self) {
        let kernel = &self.system.kernel;
        let dice = kernel.dice();
        if self.one_in(self.scenario.reshard_one_in) {
            self.system.stream.reshard();
        }
        if self.one_in(self.scenario.lease_one_in) {
            self.system.stream.lose_a_lease();
        }
        if self.one_in(self.scenario.clocks_one_in) {
            let by = if dice.one_in(4) { 60_000 } else { 3_000 };
            let by = i64::try_from(dice.below(by)).unwrap_or(0);
            let back = dice.one_in(2);
            kernel.count("clocks", if back { "back" } else { "forward" });
            kernel.shift_clocks(if back { -by } else { by });
        }
    }

    /// Deploys functions now and then: all in the newest build, one in another build, or a consumer with a mistake.
    fn with_builds(&self) {
        let System {
            kernel,
            runtime,
            ground,
            builds,
            ..
        } = &self.system;
        let dice = kernel.dice();
        if self.one_in(self.scenario.deploy_one_in) {
            kernel.count("operator", "redeployed everything");
            kernel.note("everything is redeployed");
            functions::deploy(runtime, ground, &builds.newest);
        }
        if self.one_in(self.scenario.versions_one_in)
            && let Some(name) = dice.pick(&ALL)
        {
            let (build, age) = if dice.one_in(2) {
                (&builds.older, "older")
            } else {
                (&builds.newest, "newer")
            };
            kernel.count("operator", format!("deployed a build: {age}"));
            kernel.note(format_args!("{} is deployed, an {age} build", name.0));
            runtime.deploy(*name, functions::of(*name, ground, build));
        }
        if self.one_in(self.scenario.mistake_one_in)
            && let Some(name) = dice.pick(&CONSUMERS)
        {
            let one_in = 2 + dice.below(8);
            let allergy = Allergy {
                kernel: kernel.clone(),
                one_in,
                which: dice.below(one_in),
                dies: dice.one_in(2),
                works: dice.one_in(2),
            };
            kernel.count("operator", "deployed a build with a mistake");
            kernel.note(format_args!("{} is deployed with a mistake", name.0));
            let function = functions::of(*name, ground, &builds.newest);
            runtime.deploy(*name, allergy.in_function(&function));
        }
    }

    /// Throttles one kind of call now and then, for longer than the callers retry.
    fn with_calls(&mut self) {
        let System { kernel, sky, .. } = &self.system;
        let dice = kernel.dice();
        let now = kernel.elapsed();
        if self.throttled_until > 0 && self.throttled_until <= now {
            sky.throttle(None);
            self.throttled_until = 0;
        }
        if self.throttled_until == 0
            && dice.one_in(self.scenario.bursts_one_in)
            && let Some(effects) = dice.pick(&THROTTLED)
        {
            self.throttled_until = now + 1_000 + dice.below(24_000);
            sky.throttle(Some(effects));
            kernel.note(format_args!("throttled: {effects}"));
        }
    }

    /// Interferes with executions, replaces event source mappings, and leaves items of other builds, each now and then.
    fn with_what_runs_elsewhere(&self) {
        let (system, scenario) = (&self.system, &self.scenario);
        if self.one_in(scenario.interfere_one_in) {
            executions::interfere(system);
        }
        if self.one_in(scenario.interfere_one_in.saturating_mul(3)) {
            executions::cancel_stuck(system);
        }
        if self.one_in(scenario.forget_one_in) {
            executions::forget(system);
        }
        if self.one_in(scenario.machine_one_in) {
            executions::deploy_some(system);
        }
        if self.one_in(scenario.remap_one_in) {
            remap::make_anew(system, scenario.remap_by);
        }
        if self.one_in(scenario.foreign_one_in) {
            foreign::leave(system);
        }
    }

    /// Refuses refunds until an operator acts.
    async fn with_refunds(&self) {
        let faults = Faults::new(self.system.tables.clone());
        let refused = faults.set(PAGOS, "RevertirPago", None, FaultMode::Failure, 100_000);
        let set = refused.await;
        debug_assert!(set.is_ok(), "{set:?}");
    }

    /// Makes participants fail or stay silent: on some commands of a kind, or on the commands of this kind for one
    /// reservation.
    async fn with_participants(&self) {
        let System { kernel, tables, .. } = &self.system;
        let dice = kernel.dice();
        // Pick undoing commands more often, so that sagas need an operator.
        let some = if dice.one_in(3) { COMMANDS.len() } else { 3 };
        let commands: Vec<_> = COMMANDS.into_iter().take(some).collect();
        let Some((context, command)) = dice.pick(&commands).copied() else {
            return;
        };
        let reservations = check::openings(&self.system);
        let one = dice.pick(&reservations).filter(|_| dice.one_in(2));
        // An execution does not repeat a refused command, see docs/motores-de-saga.md, and a choreography treats the
        // refusal of its deadline as an answer.
        let refuses = one.is_some_and(|opening| match opening.sagamode {
            SagaMode::Orchestration => true,
            SagaMode::Choreography => command != "CancelarReserva",
            SagaMode::StepFunctions => false,
        });
        let modes: &[_] = if refuses {
            &FaultMode::ALL
        } else {
            &[FaultMode::Silence, FaultMode::Error]
        };
        let Some(modo) = dice.pick(modes).copied() else {
            return;
        };
        let times = if dice.one_in(2) {
            1_000
        } else {
            1 + dice.below(12)
        };
        let times = u32::try_from(times).unwrap_or(1);
        kernel.count("participant", format!("{} {command}", modo.name()));
        kernel.note(format_args!("{command}: {} {times} times", modo.name()));
        let faults = Faults::new(tables.clone());
        let only = one.map(|opening| opening.subject);
        let set = faults.set(context, command, only, modo, times).await;
        debug_assert!(set.is_ok(), "{set:?}");
    }
}
