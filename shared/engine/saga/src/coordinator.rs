//! The coordinator runs sagas: it applies inputs, stores the result, and sends the commands that are due.

use std::{sync::Arc, time::Duration};

use alpes_messages::moment::Moment;
use alpes_ports::{ExecutionError, Executions, TableError, jittered};
use async_trait::async_trait;
use futures::{
    FutureExt,
    future::{Either, select},
};
use jiff::Timestamp;
use thiserror::Error;

use crate::{
    Answer, Definition, Dispatch, Fact, Input, LoadError, Saga, SagaId, SagaMode, Sagas, SaveError,
    Status, StepNumber, Stored, Wire, execution_input, execution_name, start, transition,
    transition::asked,
    watcher::{is_given_up, makes_way},
};

/// A participant gave no answer. The command may have taken effect.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct NoAnswer(pub String);

/// The participants of a saga, which do its steps.
#[async_trait]
pub trait Participants: Send + Sync {
    /// Sends a command and waits for its answer. A participant deduplicates on the command's id.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`]: the engine sends the command again.
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer>;
}

/// A saga could not be advanced now. Nothing is lost, and repeating the call is safe.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Trouble {
    /// The saga could not be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The saga could not be written.
    #[error(transparent)]
    Save(#[from] SaveError),
}

impl Trouble {
    /// True if this build does not know the saga's definition or log. Do not repeat the call: another build continues
    /// the saga.
    #[must_use]
    pub fn is_another_builds(&self) -> bool {
        matches!(self, Self::Load(LoadError::UnknownDefinition(..)))
    }

    /// True if repeating the call will fail too: the item is no saga, or the table refuses the request.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Load(LoadError::Malformed(..)) => true,
            Self::Load(LoadError::Table(error)) | Self::Save(SaveError::Table(error)) => {
                matches!(error, TableError::Refused(_))
            }
            Self::Load(LoadError::UnknownDefinition(..)) | Self::Save(SaveError::Overtaken) => {
                false
            }
        }
    }
}

/// The number of times a write is repeated after other writers overtook it.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The function that applies an input to a saga: [`transition`], except in tests that plant mistakes.
pub type Rules =
    dyn Fn(&Definition, &Saga, &Input, Timestamp) -> (Saga, Option<Dispatch>) + Send + Sync;

/// Runs sagas of any definition over a table and their participants.
#[derive(Clone)]
pub struct Coordinator {
    sagas: Sagas,
    participants: Arc<dyn Participants>,
    machine: Option<(Arc<dyn Executions>, Wire)>,
    rules: Arc<Rules>,
}

impl Coordinator {
    /// A coordinator of `sagas` with these participants.
    #[must_use]
    pub fn new(sagas: Sagas, participants: Arc<dyn Participants>) -> Self {
        Self {
            sagas,
            participants,
            machine: None,
            rules: Arc::new(transition),
        }
    }

    /// The same coordinator with a [state machine](crate::state_machine), for sagas in the mode
    /// [`SagaMode::StepFunctions`]. Without a state machine, the coordinator itself runs these sagas. A saga keeps the
    /// engine with which it began, unless it is [taken over](crate::What::TakenOver).
    #[must_use]
    pub fn with_machine(mut self, machine: Arc<dyn Executions>, wire: Wire) -> Self {
        self.machine = Some((machine, wire));
        self
    }

    /// The same coordinator with other rules than [`transition`], for tests that plant mistakes.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<Rules>) -> Self {
        self.rules = rules;
        self
    }

    /// The stored sagas.
    #[must_use]
    pub fn sagas(&self) -> &Sagas {
        &self.sagas
    }

    /// Receives events of one saga, in their order, and advances the saga until `until`. Unfinished work is stored and
    /// continues at the next wake. The saga begins with its opening event; events of a saga that has not begun are
    /// ignored.
    ///
    /// # Errors
    ///
    /// See [`Trouble`]: the events must be delivered again.
    pub async fn observe(
        &self,
        id: SagaId,
        facts: &[Fact],
        until: Timestamp,
    ) -> Result<(), Trouble> {
        let inputs = facts.iter().cloned().map(Input::Event).collect();
        self.drive(id, inputs, until).await
    }

    /// Advances a saga that is due, until `until`.
    ///
    /// # Errors
    ///
    /// See [`Trouble`]: the saga stays due.
    pub async fn wake(&self, id: SagaId, until: Timestamp) -> Result<(), Trouble> {
        self.drive(id, vec![], until).await
    }

    /// Runs a saga, and logs its new status.
    async fn drive(&self, id: SagaId, inputs: Vec<Input>, until: Timestamp) -> Result<(), Trouble> {
        let mut written = None;
        let driven = self.run(id, inputs, until, &mut written).await;
        if let Some((status, lines)) = written {
            tracing::info!(saga = %id, status, lines, "saga advanced");
        }
        driven
    }

    /// Runs a saga. Returns through `written` the status that was stored last, and the number of entries in the saga's
    /// log.
    async fn run(
        &self,
        id: SagaId,
        mut inputs: Vec<Input>,
        until: Timestamp,
        written: &mut Option<(&'static str, usize)>,
    ) -> Result<(), Trouble> {
        let world = self.sagas.world().clone();
        let mut stored = self.sagas.load(id).await?;
        let mut overtaken = 0;
        loop {
            let by_machine = self.machine.is_some();
            let Some(begun) = begun(&self.sagas, id, stored.as_ref(), &inputs, by_machine) else {
                return Ok(());
            };
            let (definition, mut saga) = begun?;
            for input in &inputs {
                saga = (self.rules)(definition, &saga, input, self.sagas.now()).0;
            }
            let mut dispatch = None;
            if self.sagas.now() < until {
                (saga, dispatch) = (self.rules)(definition, &saga, &Input::Time, self.sagas.now());
            }
            let changed = stored
                .as_ref()
                .is_none_or(|stored| stored.saga != saga || self.sagas.is_woken_too_early(stored));
            if changed {
                match self.sagas.save(stored.as_ref(), saga).await {
                    Ok(saved) => {
                        *written = Some((saved.saga.status.name(), saved.saga.log.len()));
                        stored = Some(saved);
                    }
                    Err(SaveError::Overtaken) if overtaken < ATTEMPTS => {
                        let chance = world.randomness.fraction();
                        let pause = jittered(PAUSE, LONGEST_PAUSE, overtaken, chance);
                        world.tasks.sleep(pause).await;
                        overtaken += 1;
                        stored = self.sagas.load(id).await?;
                        continue;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            inputs.clear();
            let saga = stored.as_ref().map(|stored| &stored.saga);
            if let Some(dispatch) = dispatch {
                let Some(input) = self.ask(&dispatch, until).await else {
                    leave(definition, saga);
                    return Ok(());
                };
                inputs.push(input);
            } else if let Some(saga) = saga.filter(|saga| self.is_to_be_looked_at(saga)) {
                let Some(input) = self.look(definition, saga, until).await else {
                    return Ok(());
                };
                inputs.push(input);
            } else {
                // This process waits for a saga whose commands the coordinator sends, and for a saga whose execution is
                // to be started. It does not wait for other sagas.
                let waiting = saga.filter(|saga| !saga.is_watched() || saga.wanted.is_some());
                let due = waiting.and_then(Saga::wake);
                let now = self.sagas.now();
                // This process waits if the saga is due before `until`. Otherwise the timers wake the saga.
                let Some(due) = due.filter(|due| now < *due && *due < until) else {
                    leave(definition, saga);
                    return Ok(());
                };
                let wait = due.duration_since(now);
                let wait = Duration::try_from(wait).unwrap_or_default();
                if let Some((saga, out)) =
                    saga.and_then(|saga| Some((saga, saga.outstanding.as_ref()?)))
                {
                    let (kind, attempt) = (saga.awaited(), out.attempts);
                    let pause_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                    let again = Moment::from(due);
                    tracing::info!(saga = %saga.id, kind, attempt, pause_ms, %again, "sent again after a pause");
                }
                world.tasks.sleep(wait).await;
            }
        }
    }

    /// True if a state machine runs the saga, and it is time to ask for the progress of its execution.
    fn is_to_be_looked_at(&self, saga: &Saga) -> bool {
        let due = saga.next_look.is_some_and(|look| look <= self.sagas.now());
        due && saga.mode == SagaMode::StepFunctions
    }

    /// Starts the execution that a saga wants, or asks for its progress. `None` if no time is left or the state machine
    /// does not answer: the saga stays due.
    async fn look(&self, definition: &Definition, saga: &Saga, until: Timestamp) -> Option<Input> {
        if self.sagas.now() >= until {
            return None;
        }
        let looked = match &self.machine {
            Some((executions, wire)) => {
                let looked = self.ask_machine(definition, saga, &**executions, wire);
                looked.await.map_err(|error| error.to_string())
            }
            None => Err(definition.texts.no_machine.to_owned()),
        };
        match looked {
            Ok(input) => input,
            Err(error) => {
                tracing::warn!(saga = %saga.id, error, "the state of its execution is unknown");
                // If no client waits for the saga any more, the saga needs a person. Otherwise the saga stays due, and
                // the state machine is asked again.
                let given_up = is_given_up(definition, saga, self.sagas.now());
                given_up.then_some(Input::NoWord(error))
            }
        }
    }

    /// Asks for the progress of the execution that was started last. If the saga wants another execution and the
    /// progress of the last one allows it, starts the wanted execution instead.
    async fn ask_machine(
        &self,
        definition: &Definition,
        saga: &Saga,
        executions: &dyn Executions,
        wire: &Wire,
    ) -> Result<Option<Input>, ExecutionError> {
        if let Some(last) = saga.executions().last() {
            let progress = executions.progress(&execution_name(saga.id, last)).await?;
            if saga.wanted.is_none() || !makes_way(definition, saga, &progress, self.sagas.now()) {
                return Ok(Some(Input::Execution(last, progress)));
            }
        }
        let Some(wanted) = saga.wanted else {
            return Ok(Some(Input::NoWord(
                definition.texts.no_execution.to_owned(),
            )));
        };
        let input = execution_input(definition, saga, wanted, wire);
        let name = execution_name(saga.id, wanted);
        executions.start(&name, &input).await?;
        Ok(Some(Input::Started(wanted)))
    }

    /// Sends a command and returns its answer as an input; `None` if the time until `until` is over first.
    async fn ask(&self, dispatch: &Dispatch, until: Timestamp) -> Option<Input> {
        let world = self.sagas.world();
        let left = until.duration_since(world.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        let patience = dispatch.patience.min(left);
        let answer = self.participants.send(dispatch).boxed();
        let out_of_time = world.tasks.sleep(patience).boxed();
        let (command, attempt) = (dispatch.command, dispatch.attempt);
        let why = match select(answer, out_of_time).await {
            Either::Left((Ok(answer), _)) => return Some(Input::Reply { command, answer }),
            Either::Left((Err(NoAnswer(why)), _)) => why,
            Either::Right(_) if left <= dispatch.patience => {
                tracing::info!(saga = %dispatch.saga, kind = dispatch.kind, attempt, "no more time to wait for the answer");
                return None;
            }
            Either::Right(_) => "no answer in time".to_owned(),
        };
        tracing::warn!(saga = %dispatch.saga, kind = dispatch.kind, attempt, failed = why, "no answer");
        let chance = world.randomness.fraction();
        Some(Input::NoAnswer {
            command,
            why,
            chance,
        })
    }
}

/// Logs the command whose answer a saga waits for, and the time from which the timers retry this command.
fn leave(definition: &Definition, saga: Option<&Saga>) {
    let waits = |saga: &Saga| Some((saga.outstanding.clone()?, saga.wake()?));
    let Some((saga, (out, due))) = saga.and_then(|saga| Some((saga, waits(saga)?))) else {
        return;
    };
    let (kind, attempt) = (saga.awaited(), out.attempts);
    let attempts = definition.attempts(out.step, out.direction);
    let again = Moment::from(due);
    tracing::info!(saga = %saga.id, kind, attempt, attempts, %again, "left to the timers: they retry it at their first run after `again`");
}

type Begun<'a> = Result<(&'a Definition, Saga), LoadError>;

/// The stored saga, or the new saga that one of the inputs opens; `None` if no saga is stored and no input opens one.
fn begun<'a>(
    sagas: &'a Sagas,
    id: SagaId,
    stored: Option<&Stored>,
    inputs: &[Input],
    by_machine: bool,
) -> Option<Begun<'a>> {
    let definitions = sagas.definitions();
    if let Some(Stored { saga, .. }) = stored {
        let definition = definitions.find(&saga.definition, saga.version);
        return Some(
            definition
                .map(|found| (found, saga.clone()))
                .ok_or_else(|| {
                    LoadError::UnknownDefinition(id, saga.definition.clone(), saga.version)
                }),
        );
    }
    inputs.iter().find_map(|input| {
        let Input::Event(fact) = input else {
            return None;
        };
        let definition = definitions.opened_by(&fact.kind)?;
        let mut fact = fact.clone();
        if fact.mode == SagaMode::StepFunctions && !by_machine {
            fact.mode = SagaMode::Orchestration;
        }
        Some(Ok((definition, start(definition, id, &fact, sagas.now())?)))
    })
}

/// A person's request about a saga.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Undo the saga, for this reason.
    Cancel(String),
    /// Resume a saga that waits for a person, with an optional note.
    Resume(Option<String>),
    /// Resume the saga, since the step that could not be undone has been undone by hand.
    MarkDone {
        /// The number of the step that was undone by hand.
        step: StepNumber,
        /// The person's account of how the step was undone.
        note: String,
    },
}

/// The outcome of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Requested {
    /// The request is stored, and the saga is due.
    Taken(Saga),
    /// The request changes nothing in the saga's present status.
    NotNow(Saga),
    /// The saga was resumed so often that its log has no room for more. The person can still state that the step was
    /// undone by hand.
    TooOften(Saga),
    /// No saga has this id.
    Unknown,
}

impl Sagas {
    /// Stores a person's request about a saga. The next wake carries it out, since the calling process may have no
    /// participants.
    ///
    /// `opening` is the event that opens the saga, if the caller knows it. A saga that has not begun yet then begins
    /// with that event, so that a request can arrive before every event. `actor` names the person in the log, if the
    /// person is known.
    ///
    /// # Errors
    ///
    /// See [`Trouble`]. The request may be stored nevertheless, and repeating the call is safe.
    pub async fn request(
        &self,
        id: SagaId,
        opening: Option<&Fact>,
        request: &Request,
        actor: Option<&str>,
    ) -> Result<Requested, Trouble> {
        let inputs: Vec<_> = opening.cloned().map(Input::Event).into_iter().collect();
        let input = match request {
            Request::Cancel(reason) => Input::Cancel {
                reason: reason.clone(),
            },
            Request::Resume(note) => Input::Resume { note: note.clone() },
            Request::MarkDone { step, note } => Input::MarkDone {
                step: *step,
                note: note.clone(),
            },
        };
        let (mut attempt, mut sent): (_, Option<Vec<_>>) = (0, None);
        loop {
            let stored = self.load(id).await?;
            if let (Some(stored), Some(sent)) = (&stored, &sent)
                && stored.saga.log.starts_with(sent)
            {
                // The SDK repeats a write whose answer was lost, and the repetition finds the condition violated by the
                // first write.
                return Ok(Requested::Taken(stored.saga.clone()));
            }
            // A saga that begins with the request is only undone, which needs no state machine.
            let Some(begun) = begun(self, id, stored.as_ref(), &inputs, false) else {
                return Ok(Requested::Unknown);
            };
            let (definition, before) = begun?;
            let (saga, _) = asked(definition, &before, &input, actor, self.now());
            // A saga that begins with the request is stored in any case, since it is possible that no other process
            // begins this saga.
            if saga == before && stored.is_some() {
                let stuck = saga.status == Status::NeedsIntervention;
                let undone = stuck || saga.status == Status::Compensating;
                return Ok(match request {
                    // The saga is being undone already, for this request or for another reason.
                    Request::Cancel(_) if undone => Requested::Taken(saga),
                    // A saga that waits for a person always resumes, unless its item lacks room.
                    Request::Resume(_) if stuck => Requested::TooOften(saga),
                    _ => Requested::NotNow(saga),
                });
            }
            sent = Some(saga.log.clone());
            match self.save(stored.as_ref(), saga).await {
                Ok(saved) => return Ok(Requested::Taken(saved.saga)),
                Err(SaveError::Overtaken) if attempt < ATTEMPTS => {
                    let chance = self.world().randomness.fraction();
                    let pause = jittered(PAUSE, LONGEST_PAUSE, attempt, chance);
                    self.world().tasks.sleep(pause).await;
                    attempt += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
