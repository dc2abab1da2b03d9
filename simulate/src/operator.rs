//! Who sees to what the system cannot see to by itself, by the means that there are: the API, the commands of `xtask`, and the console
//! of Step Functions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use consumer::{Parked, Redrive, Redriver};
use futures::executor::block_on;
use jiff::SignedDuration;
use lambda_kit::RemoteConsumer;
use participant::TABLE as FAULTS;
use ports::{Condition, Functions, TableError, Tables, Write};
use projections::Projector;
use saga_engine::{Saga, execution_name};

use crate::{check, functions::HTTP_COMMANDS, http, poison::parking, system::System};

/// How long the system is left to free by itself what is parked.
const PATIENCE: SignedDuration = SignedDuration::from_mins(4);
/// How long participants misbehave where nobody is called for.
const UNNOTICED: u64 = 10 * 60_000;

/// Somebody who looks after the system.
pub struct Operator {
    system: System,
    /// True while they see to what is parked.
    busy: Arc<AtomicBool>,
    came: u64,
}

impl Operator {
    /// Comes to look.
    pub fn new(system: &System) -> Self {
        Self {
            system: system.clone(),
            busy: Arc::default(),
            came: system.kernel.elapsed(),
        }
    }

    /// Sees to what there is.
    pub fn look(&self) {
        let stuck = check::stuck(&self.system);
        let kernel = &self.system.kernel;
        let late = kernel.elapsed() - self.came > UNNOTICED;
        if (late || !stuck.is_empty()) && !self.system.tables.all(FAULTS).is_empty() {
            kernel.count("operator", "repaired participants");
            self.repair();
        }
        for saga in stuck {
            self.go_on(&saga);
        }
        if !self.busy.swap(true, Ordering::SeqCst) {
            let (system, busy) = (self.system.clone(), self.busy.clone());
            kernel.spawn("operator", async move {
                if let Err(error) = see_to_parked(&system).await {
                    system.kernel.note(format_args!("the parking lot: {error}"));
                }
                busy.store(false, Ordering::SeqCst);
            });
        }
    }

    /// Participants do their work again.
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

    /// Has a saga go on that waits for a person.
    fn go_on(&self, saga: &Saga) {
        let system = &self.system;
        if !saga.is_watched() {
            system.kernel.count("operator", "had a saga go on");
            let path = format!("/sagas/{}/reanudacion", saga.id);
            let event = http::event("POST", &path, &[], None);
            drop(system.runtime.invoke(HTTP_COMMANDS, event));
        } else if let Some(direction) = saga.executions().last()
            && system.machine.redrive(&execution_name(saga.id, direction))
        {
            system.kernel.count("operator", "redrove an execution");
        }
    }
}

/// What nobody can read is discarded; what the runtime gave up is tried again, once the timers have had their try.
async fn see_to_parked(system: &System) -> Result<(), TableError> {
    let parking = parking(system);
    let waiting = parking.list().await?.into_iter();
    let waiting: Vec<Parked> = waiting
        .filter(|parked| parked.discarded.is_none())
        .collect();
    if waiting.is_empty() {
        return Ok(());
    }
    let world = &system.world;
    let projector = Projector::new(
        system.tables.clone(),
        system.reader(),
        world.clone(),
        projections::registry(),
    );
    let functions: Arc<dyn Functions> = Arc::new(system.runtime.clone());
    let catalogue = &system.builds.newest.catalogue;
    let remote = RemoteConsumer::all(&functions, &parking, catalogue);
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
                .count("operator", "discarded what nobody can read");
            parking.discard(parked, "no es un evento").await?;
        } else if waited > PATIENCE && !parking.is_due(parked) {
            system.kernel.count("operator", "redrove a record");
            redriver.redrive(parked).await?;
        }
    }
    Ok(())
}
