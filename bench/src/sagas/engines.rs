//! Compares two saga engines in memory, this project's and steno. Both run the same four steps, in turns.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use alpes_ports::World;
use alpes_saga::{
    Answer, Coordinator, Definition, Dispatch, Fact, Input, NoAnswer, Participants, Saga, SagaId,
    Sagas, Status, start, transition,
};
use anyhow::{Context as _, Result, bail};
use async_trait::async_trait;
use jiff::Timestamp;
use reserva_saga::{current, definitions};
use serde::Serialize;
use serde_json::Value;
use steno::{
    Action, ActionContext, ActionError, ActionFunc, ActionRegistry, DagBuilder, InMemorySecStore,
    Node, SagaDag, SagaName, SagaType, SecClient,
};
use twins::MemoryTables;
use uuid::Uuid;

use crate::{
    plan::Rounds,
    stats::{Samples, per_second},
};

#[derive(Clone, Copy, Debug)]
enum Contender {
    Transition,
    Coordinator,
    Steno,
}

const CONTENDERS: [Contender; 3] = [
    Contender::Transition,
    Contender::Coordinator,
    Contender::Steno,
];

pub const PURE: &str = "ours, `transition` alone";
pub const OURS: &str = "ours, `Coordinator` over a twin of the table";
pub const PEER: &str = "steno 0.5, `InMemorySecStore`";

impl Contender {
    fn name(self) -> &'static str {
        match self {
            Self::Transition => PURE,
            Self::Coordinator => OURS,
            Self::Steno => PEER,
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Standing {
    pub name: &'static str,
    pub sagas: usize,
    pub sagas_per_second: f64,
    pub steps_per_second: f64,
    pub p50: f64,
    pub p99: f64,
}

#[derive(Debug, Serialize)]
pub struct Engines {
    /// The number of steps in a saga.
    pub steps: usize,
    /// The number of entries in our log of a saga.
    pub entries: usize,
    pub standings: Vec<Standing>,
}

impl Engines {
    pub fn standing(&self, name: &str) -> Option<&Standing> {
        self.standings.iter().find(|one| one.name == name)
    }
}

/// Compares the engines. `facts` are the events of one approved reservation.
pub async fn compare(facts: &[Fact], rounds: Rounds) -> Result<Engines> {
    let contest = Contest::new(facts)?;
    // Run 5 uncounted sagas with each engine, to warm up.
    for contender in CONTENDERS {
        contest.turn(contender, 5).await?;
    }
    let mut totals = CONTENDERS.map(|contender| (contender, Samples::default(), Duration::ZERO));
    for _ in 0..rounds.turns {
        for (contender, samples, elapsed) in &mut totals {
            let (taken, time) = contest.turn(*contender, rounds.sagas_per_turn).await?;
            samples.extend(&taken);
            *elapsed += time;
        }
    }
    let steps = contest.definition.steps.len();
    let standings = totals.map(|(contender, samples, elapsed)| Standing {
        name: contender.name(),
        sagas: samples.count(),
        sagas_per_second: per_second(samples.count(), elapsed),
        steps_per_second: per_second(samples.count() * steps, elapsed),
        p50: samples.median(),
        p99: samples.percentile(99),
    });
    Ok(Engines {
        steps,
        entries: contest.transitions()?.log.len(),
        standings: standings.into(),
    })
}

struct Contest {
    definition: Definition,
    opening: Fact,
    answers: Arc<Answers>,
    world: World,
    coordinator: Coordinator,
    steno: SecClient,
    registry: Arc<ActionRegistry<Reservation>>,
    dag: Arc<SagaDag>,
}

impl Contest {
    fn new(facts: &[Fact]) -> Result<Self> {
        let (world, _) = twins::world(1);
        let definition = current();
        let (opening, rest) = facts.split_first().context("no events")?;
        let commands = definition.steps.iter().skip(1).map(|step| step.command);
        let answers = Arc::new(Answers(commands.zip(rest.iter().cloned()).collect()));
        let sagas = Sagas::new(Arc::new(MemoryTables::new()), definitions(), world.clone());
        let (registry, dag) = of_steno(&definition, opening)?;
        Ok(Self {
            definition,
            opening: opening.clone(),
            coordinator: Coordinator::new(sagas, answers.clone()),
            answers,
            world,
            steno: steno::sec(
                slog::Logger::root(slog::Discard, slog::o!()),
                Arc::new(InMemorySecStore::new()),
            ),
            registry,
            dag,
        })
    }

    /// Runs `count` sagas, one after the other.
    async fn turn(&self, contender: Contender, count: usize) -> Result<(Samples, Duration)> {
        let mut samples = Samples::default();
        let start = Instant::now();
        for _ in 0..count {
            let before = Instant::now();
            let run = match contender {
                Contender::Transition => self.transitions().map(|_| ()),
                Contender::Coordinator => self.coordinated().await,
                Contender::Steno => self.steno().await,
            };
            run.with_context(|| format!("{} failed", contender.name()))?;
            samples.push(before.elapsed());
        }
        Ok((samples, start.elapsed()))
    }

    /// Runs a saga from its first event to its end with the pure function alone.
    fn transitions(&self) -> Result<Saga> {
        let now = self.world.clock.now();
        let begun = start(&self.definition, SagaId(Uuid::now_v7()), &self.opening, now);
        let mut saga = begun.context("the event does not open a saga")?;
        loop {
            let (sent, dispatch) = transition(&self.definition, &saga, &Input::Time, now);
            let Some(dispatch) = dispatch else {
                return completed(sent);
            };
            let answer = self.answers.to(&dispatch)?;
            let command = dispatch.command;
            let reply = Input::Reply { command, answer };
            saga = transition(&self.definition, &sent, &reply, now).0;
        }
    }

    async fn coordinated(&self) -> Result<()> {
        let id = SagaId(Uuid::now_v7());
        let opening = std::slice::from_ref(&self.opening);
        self.coordinator
            .observe(id, opening, Timestamp::MAX)
            .await?;
        // Check the stored saga. This check costs our engine a read that steno does not make.
        let stored = self.coordinator.sagas().load(id).await?;
        completed(stored.context("the saga was not stored")?.saga).map(|_| ())
    }

    async fn steno(&self) -> Result<()> {
        let id = steno::SagaId::new_v4();
        let (answers, registry) = (self.answers.clone(), self.registry.clone());
        let created = self
            .steno
            .saga_create(id, answers, self.dag.clone(), registry);
        let ended = created.await?;
        self.steno.saga_start(id).await?;
        let result = ended.await;
        if let Err(failed) = result.kind {
            bail!("{} failed", failed.error_node_name.as_ref());
        }
        Ok(())
    }
}

fn completed(saga: Saga) -> Result<Saga> {
    if saga.status != Status::Completed {
        bail!("the saga is {}", saga.status);
    }
    Ok(saga)
}

/// Participants that answer at once, always with the same events.
#[derive(Debug)]
struct Answers(Vec<(&'static str, Fact)>);

impl Answers {
    fn to(&self, dispatch: &Dispatch) -> Result<Answer> {
        let found = self.0.iter().find(|(command, _)| *command == dispatch.kind);
        let (_, fact) = found.with_context(|| format!("nobody answers {}", dispatch.kind))?;
        Ok(Answer::Events(vec![fact.clone()]))
    }
}

#[async_trait]
impl Participants for Answers {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        self.to(dispatch)
            .map_err(|error| NoAnswer(error.to_string()))
    }
}

/// The saga in steno: the same steps in a row, each with its compensation.
#[derive(Debug)]
struct Reservation;

impl SagaType for Reservation {
    type ExecContextType = Answers;
}

type OfSteno = (Arc<ActionRegistry<Reservation>>, Arc<SagaDag>);

fn of_steno(definition: &Definition, opening: &Fact) -> Result<OfSteno> {
    let mut registry = ActionRegistry::new();
    let mut line = DagBuilder::new(SagaName::new(definition.name));
    for (place, step) in definition.steps.iter().enumerate() {
        let action: Arc<dyn Action<Reservation>> = match place {
            0 => ActionFunc::new_action(step.command, open, undo),
            1 => ActionFunc::new_action(step.command, answer::<0>, undo),
            2 => ActionFunc::new_action(step.command, answer::<1>, undo),
            3 => ActionFunc::new_action(step.command, answer::<2>, undo),
            _ => bail!("the saga has more than four steps"),
        };
        line.append(Node::action(step.success, step.command, action.as_ref()));
        registry.register(action);
    }
    let dag = SagaDag::new(line.build()?, opening.data.clone());
    Ok((Arc::new(registry), Arc::new(dag)))
}

/// The action of the first step. It returns the saga's parameters, which are the data of the step's event.
async fn open(context: ActionContext<Reservation>) -> Result<Value, ActionError> {
    context.saga_params::<Value>()
}

/// The action of a later step. It returns the data of its event in `Answers`.
async fn answer<const PLACE: usize>(
    context: ActionContext<Reservation>,
) -> Result<Value, ActionError> {
    let found = context.user_data().0.get(PLACE);
    Ok(found.map(|(_, fact)| fact.data.clone()).unwrap_or_default())
}

async fn undo(_: ActionContext<Reservation>) -> Result<(), anyhow::Error> {
    Ok(())
}
