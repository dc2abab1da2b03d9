//! Runs one script.

use std::{sync::Arc, time::Duration};

use alpes_saga::{
    Coordinator, Definition, Definitions, Direction, Fact, Input, Request, Rules, Saga, SagaId,
    Sagas, Status, StepNumber, Stored, What,
};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use simulation::{Fault, Faults};
use twins::{MemoryLog, MemoryTables, world};

use crate::{
    Play, Setting,
    line::{Line, Trouble},
};

/// The time at which the events of the log arrive at the saga.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stream {
    /// Each event arrives at once.
    #[default]
    Prompt,
    /// Each event arrives at once, three times.
    Thrice,
    /// The first event opens the saga. The other events arrive after the saga has ended or waits for a person.
    Held,
}

/// How a step's compensation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// The first attempts get no answer, as many as this number.
    Lost(u32),
    /// No attempt is answered until a person repairs the cause and resumes the saga.
    Silent,
    /// The compensation is refused until a person repairs the cause and resumes the saga.
    Refused,
    /// The compensation is refused. A person then does by hand what the command asked for, and marks the step as done.
    ByHand,
}

/// The time at which a person cancels the saga.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cancel {
    /// Never.
    #[default]
    Never,
    /// Before the saga begins.
    Before,
    /// Just before the effect with this number, counted from 0.
    AtEffect(usize),
    /// After the saga has ended.
    After,
}

/// The plan of a run: everything that fails in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Script {
    /// The step whose command ends with the step's failure event.
    pub fails_at: Option<StepNumber>,
    /// The step whose command is not answered. The command arrives after the saga has ended.
    pub silent: Option<StepNumber>,
    /// The step whose command is handled each time it is sent, while every answer is lost.
    pub mute: Option<StepNumber>,
    /// The step whose first commands are lost, and the number of lost commands.
    pub lost: Option<(StepNumber, u32)>,
    /// A step, and how its compensation fails.
    pub undo: Option<(StepNumber, Undo)>,
    /// The number of the effect, counted from 0, at which a fault happens, and the fault.
    pub fault: Option<(usize, Fault)>,
    /// The effect, counted from 0, just before which another orchestrator receives the first event and wakes the due
    /// sagas.
    pub rival: Option<usize>,
    /// The time at which a person cancels the saga.
    pub cancel: Cancel,
    /// The time at which events arrive.
    pub stream: Stream,
    /// True if no timer wakes sagas, so that only redelivered events wake them.
    pub no_timers: bool,
}

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// The saga as it ended; `None` if it never began.
    pub saga: Option<Saga>,
    /// The number of effects before the kit delivered late and repeated messages.
    pub effects: usize,
    /// The effects in words, also those of late and repeated messages.
    pub trace: Vec<String>,
    /// The violations, in words.
    pub violations: Vec<String>,
}

const ROUNDS: usize = 60;
/// The time for which one call of an orchestrator may run a saga.
const BUDGET: Duration = Duration::from_secs(2);
/// The time that passes in a round: longer than the timeout of any attempt.
const ROUND: Duration = Duration::from_secs(61);

/// An orchestrator with its timers.
#[derive(Clone)]
pub(crate) struct Runner {
    pub(crate) coordinator: Coordinator,
    pub(crate) setting: Setting,
}

impl Runner {
    fn until(&self) -> Timestamp {
        let budget = SignedDuration::try_from(BUDGET).unwrap_or_default();
        let now = self.setting.world.clock.now();
        now.checked_add(budget).unwrap_or(now)
    }

    /// Delivers an event. False means that the event must be redelivered.
    pub(crate) async fn observe(&self, id: SagaId, fact: &Fact) -> bool {
        let facts = std::slice::from_ref(fact);
        let observed = self.coordinator.observe(id, facts, self.until());
        observed.await.is_ok()
    }

    /// Wakes the due sagas.
    pub(crate) async fn wake(&self) {
        let Ok(due) = self.coordinator.sagas().due(10).await else {
            return;
        };
        for id in due.sagas {
            let _ = self.coordinator.wake(id, self.until()).await;
        }
    }
}

/// A fresh world.
pub(crate) fn setting(faults: Faults, seed: u64) -> Setting {
    let (world, clock) = world(seed);
    Setting {
        tables: Arc::new(MemoryTables::default()),
        log: Arc::new(MemoryLog::new(1, clock.clone())),
        world,
        clock,
        faults,
    }
}

fn definitions(play: &dyn Play) -> Definitions {
    Definitions::new(vec![play.definition()])
}

/// The sagas of a world, without faults.
pub(crate) fn sagas(definitions: Definitions, setting: &Setting) -> Sagas {
    Sagas::new(setting.tables.clone(), definitions, setting.world.clone())
}

/// An orchestrator that runs under the planned faults.
pub(crate) fn runner(play: &dyn Play, setting: &Setting, line: &Line) -> Runner {
    let tables = setting.faults.tables(setting.tables.clone());
    let (tables, tampered) = play.tamper(Arc::new(tables), Arc::new(line.clone()));
    let sagas = Sagas::new(tables, definitions(play), setting.world.clone());
    Runner {
        coordinator: Coordinator::new(sagas, tampered)
            .with_rules(watched(play.rules(), line.clone())),
        setting: setting.clone(),
    }
}

/// The rules, wrapped in a check of every saga that they return. It is a violation if the saga is not the fold of its
/// log, or if its log was rewritten.
fn watched(rules: Arc<Rules>, line: Line) -> Arc<Rules> {
    Arc::new(
        move |definition: &Definition, saga: &Saga, input: &Input, now| {
            let (next, dispatch) = rules(definition, saga, input, now);
            if !next.log.starts_with(&saga.log) {
                line.note("the log was rewritten".to_owned());
            }
            let replayed = Saga::replay(next.id, definition, next.log.clone());
            if replayed.map(without_counts) != Some(without_counts(next.clone())) {
                line.note("the log does not replay to the state".to_owned());
            }
            (next, dispatch)
        },
    )
}

/// Removes the fields for which the log has no entries: how often a command was sent, whether it is unanswered, and
/// when it is due.
fn without_counts(mut saga: Saga) -> Saga {
    if let Some(out) = &mut saga.outstanding {
        (out.attempts, out.unanswered, out.due) = (0, false, None);
    }
    saga
}

fn faults(script: &Script) -> Faults {
    match script.fault {
        Some((at, fault)) => Faults::once(at, fault),
        None => Faults::none(),
    }
}

struct Director<'a> {
    play: &'a dyn Play,
    script: Script,
    setting: Setting,
    line: Line,
    id: SagaId,
    opening: Fact,
    delivered: usize,
    /// The number of effects before late and repeated messages were delivered.
    effects: usize,
    violations: Vec<String>,
}

impl Director<'_> {
    fn runner(&self) -> Runner {
        runner(self.play, &self.setting, &self.line)
    }

    fn sagas(&self) -> Sagas {
        sagas(definitions(self.play), &self.setting)
    }

    async fn stored(&self) -> Option<Stored> {
        self.sagas().load(self.id).await.ok().flatten()
    }

    async fn status(&self) -> Option<Status> {
        self.stored().await.map(|stored| stored.saga.status)
    }

    async fn request(&mut self, request: Request) {
        let opening = Some(&self.opening);
        let requested = self.sagas().request(self.id, opening, &request, None).await;
        if let Err(trouble) = requested {
            self.violations.push(format!("{request:?}: {trouble}"));
        }
    }

    /// Delivers new events, wakes due sagas and lets time pass, until every event is delivered and the saga has ended
    /// or waits for a person.
    async fn until_rest(&mut self, held: bool) {
        for _ in 0..ROUNDS {
            self.play.tick(&self.setting).await;
            let facts = self.play.facts(&self.setting).await;
            let upto = if held {
                facts.len().min(1)
            } else {
                facts.len()
            };
            let times = if self.script.stream == Stream::Thrice {
                3
            } else {
                1
            };
            while let Some(fact) = facts.get(self.delivered).filter(|_| self.delivered < upto) {
                let mut taken = true;
                for _ in 0..times {
                    // A killed process never answers, so its batch is redelivered.
                    taken &= self.runner().observe(self.id, fact).now_or_never() == Some(true);
                }
                if !taken {
                    break;
                }
                self.delivered += 1;
            }
            if self.script.no_timers {
                let again = self.opening.clone();
                let _ = self.runner().observe(self.id, &again).now_or_never();
            } else {
                let _ = self.runner().wake().now_or_never();
            }
            for late in self.setting.faults.take_late() {
                late.now_or_never();
            }
            let rests = self.stored().await.is_some_and(|stored| {
                stored.saga.status.has_ended() || stored.saga.status == Status::NeedsIntervention
            });
            self.play.tick(&self.setting).await;
            let heard = held || self.delivered >= self.play.facts(&self.setting).await.len();
            if rests && heard {
                return;
            }
            self.setting.clock.advance(ROUND);
        }
        let stuck = self.stored().await.map(|stored| {
            let wake = stored.saga.wake();
            format!("it is not at rest: {}, wakes {wake:?}", stored.saga.status)
        });
        self.violations
            .push(stuck.unwrap_or_else(|| "it never began".to_owned()));
    }

    /// The status in which the saga must end. `None` if the status depends on whether the event of a step arrives
    /// before the wait for the lost answer times out.
    fn expected(&self) -> Option<Status> {
        let Script {
            fails_at,
            silent,
            mute,
            lost,
            cancel,
            ..
        } = self.script;
        if mute.is_some() {
            return None;
        }
        let spent = lost.is_some_and(|(_, times)| times == u32::MAX);
        if fails_at.is_some() || silent.is_some() || spent || cancel != Cancel::Never {
            Some(Status::Compensated)
        } else {
            Some(Status::Completed)
        }
    }

    async fn expect(&mut self, expected: Status, when: &str) {
        let found = self.status().await;
        if found != Some(expected) {
            self.violations
                .push(format!("{when} its status is {found:?}, not {expected}"));
        }
    }

    /// Acts as the person for whom the saga waits.
    async fn person(&mut self, step: StepNumber, undo: Undo) {
        if let Undo::Lost(_) = undo {
            return;
        }
        self.expect(
            Status::NeedsIntervention,
            "with a step that cannot be undone",
        )
        .await;
        self.line.trouble(step, Direction::Undo, None);
        if undo == Undo::ByHand {
            self.line.repeat_all();
            let note = "done by hand".to_owned();
            self.request(Request::MarkDone { step, note }).await;
        } else {
            self.request(Request::Resume(None)).await;
        }
        self.until_rest(false).await;
    }

    async fn check(&mut self, when: &str) {
        let Some(stored) = self.stored().await else {
            self.violations.push(format!("{when}: there is no saga"));
            return;
        };
        let saga = stored.saga;
        let domain = self.play.check(&self.setting, &saga).await;
        let found = log_violations(&saga);
        self.violations.extend(
            domain
                .into_iter()
                .chain(found)
                .map(|text| format!("{when}: {text}")),
        );
    }

    async fn play(&mut self) {
        let Script {
            silent,
            mute,
            lost,
            undo,
            ..
        } = self.script;
        if let Some(step) = silent {
            self.line.trouble(step, Direction::Do, Some(Trouble::Held));
        }
        if let Some(step) = mute {
            self.line.trouble(step, Direction::Do, Some(Trouble::Mute));
        }
        if let Some((step, times)) = lost {
            self.line
                .trouble(step, Direction::Do, Some(Trouble::Lost(times)));
        }
        if let Some((step, undo)) = undo {
            let trouble = match undo {
                Undo::Lost(times) => Trouble::Lost(times),
                Undo::Silent => Trouble::Lost(u32::MAX),
                Undo::Refused | Undo::ByHand => Trouble::Refused,
            };
            self.line.trouble(step, Direction::Undo, Some(trouble));
        }
        if self.script.cancel == Cancel::Before {
            self.request(Request::Cancel("before".to_owned())).await;
        }
        self.until_rest(self.script.stream == Stream::Held).await;
        if self.script.cancel == Cancel::After {
            self.request(Request::Cancel("after".to_owned())).await;
            self.until_rest(false).await;
        }
        if let Some((step, undo)) = undo {
            self.person(step, undo).await;
        }
        let ended = self.status().await.filter(|status| status.has_ended());
        let expected = self.expected().or(ended).unwrap_or(Status::Completed);
        self.expect(expected, "at rest").await;
        self.effects = self.setting.faults.count();
        self.check("at rest").await;

        // Deliver everything that can still arrive: late or held-back commands, then every command and every event once
        // more.
        let log = self.stored().await.map(|stored| stored.saga.log.len());
        for (step, _) in self.play.definition().numbered() {
            self.line.trouble(step, Direction::Do, None);
        }
        self.line.let_go();
        self.until_rest(false).await;
        self.expect(expected, "after the held-back messages").await;
        self.check("after the held-back messages").await;
        self.line.repeat_all();
        self.delivered = 0;
        self.until_rest(false).await;
        self.expect(expected, "after every message was redelivered")
            .await;
        self.check("after every message was redelivered").await;
        let longer = self.stored().await.map(|stored| stored.saga.log.len());
        let grown = longer.zip(log).map_or(0, |(longer, log)| longer - log);
        if grown > 2 * self.play.definition().steps.len() {
            self.violations
                .push(format!("the log grew by {grown} lines after the end"));
        }
        self.violations.extend(self.line.noted());
    }
}

/// The violations that a saga's log shows.
pub(crate) fn log_violations(saga: &Saga) -> Vec<String> {
    let mut found = vec![];
    let undone: Vec<_> = saga
        .log
        .iter()
        .filter_map(|entry| match entry.what {
            What::CompensationSent { step, .. } => Some(step),
            _ => None,
        })
        .collect();
    if !undone.windows(2).all(|pair| pair.first() > pair.last()) {
        found.push(format!(
            "compensations went {undone:?}, not in reverse order"
        ));
    }
    let ends = saga.status.has_ended() || saga.status == Status::NeedsIntervention;
    if !ends && saga.wake().is_none() {
        found.push(format!(
            "its status is {}, and it has no time to wake",
            saga.status
        ));
    }
    found
}

/// Runs a script.
///
/// # Panics
///
/// This function never panics: failures are among the violations.
pub async fn run(play: &dyn Play, script: Script) -> Run {
    let calm = setting(Faults::none(), 1);
    let (id, opening) = play.open(&calm, script.fails_at).await;
    let mut setting = calm.clone();
    let others = |setting: &Setting, rival: bool, line: &Line| {
        let sagas = sagas(definitions(play), setting);
        let runner = rival.then(|| runner(play, setting, line));
        let opening = opening.clone();
        async move {
            if let Some(runner) = runner {
                let _ = runner.observe(id, &opening).await;
                runner.setting.clock.advance(ROUND);
                runner.wake().await;
            } else {
                let cancel = Request::Cancel("meanwhile".to_owned());
                let _ = sagas.request(id, Some(&opening), &cancel, None).await;
            }
        }
        .boxed()
    };
    let calm_line = |setting: &Setting| {
        let participants = play.participants(setting, script.fails_at);
        Line::new(participants, setting.faults.clone(), setting.tables.clone())
    };
    setting.faults = match (script.cancel, script.rival) {
        (Cancel::AtEffect(at), _) => Faults::meanwhile(at, others(&calm, false, &calm_line(&calm))),
        (_, Some(at)) => Faults::meanwhile(at, others(&calm, true, &calm_line(&calm))),
        _ => faults(&script),
    };
    let participants = play.participants(&setting, script.fails_at);
    let line = Line::new(participants, setting.faults.clone(), setting.tables.clone());
    let mut director = Director {
        play,
        script,
        setting,
        line,
        id,
        opening,
        delivered: 0,
        effects: 0,
        violations: vec![],
    };
    director.play().await;
    let saga = director.stored().await.map(|stored| stored.saga);
    Run {
        saga,
        effects: director.effects,
        trace: director.setting.faults.trace(),
        violations: director.violations,
    }
}
