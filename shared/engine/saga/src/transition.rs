//! What a saga does next: a function of its definition, its state and one input. No clock, no I/O, no chance.

use std::time::Duration;

use alpes_ports::{Ending, Progress, jittered};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Conduct, Definition, Direction, Entry, Estado, Fact, Heard, Meaning, Retry, Saga, SagaId, Step,
    StepStatus, TOLD_ATTEMPTS, Via, What,
    definition::Role,
    machine::execution_name,
    saga::{SOON, later, nothing, trace},
};

/// What can happen to a saga.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An event came from the stream.
    Event(Fact),
    /// A participant answered a command.
    Reply {
        /// The command.
        command: Uuid,
        /// The answer.
        answer: Answer,
    },
    /// A participant did not answer a command, or not with an answer. It may have taken effect.
    NoAnswer {
        /// The command.
        command: Uuid,
        /// What came instead, in words.
        why: String,
        /// A number from 0 to 1, for the jitter of the pause that follows.
        chance: f64,
    },
    /// The execution that a saga wants runs.
    Started(Direction),
    /// How the execution that was started last stands.
    Execution(Direction, Progress),
    /// Nobody tells how the execution stands, or starts the one that is wanted, and why.
    NoWord(String),
    /// Time has passed: what is due is sent, and what was sent too often is given up.
    Time,
    /// Somebody wants it undone.
    Cancel {
        /// Why.
        reason: String,
    },
    /// A person has a saga go on that requires one.
    Resume {
        /// What they say about it.
        note: Option<String>,
    },
    /// A person says that the step which could not be undone is undone now.
    MarkDone {
        /// Which step, from 1: it counts only for the one that the saga is stuck at.
        step: usize,
        /// What they did.
        note: String,
    },
}

/// A participant's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The events that the command led to, now or before.
    Events(Vec<Fact>),
    /// It was refused, and nothing happened. In words.
    Rejected(String),
}

/// A command to be sent: the only effect there is.
#[derive(Clone, Debug, PartialEq)]
pub struct Dispatch {
    /// The saga.
    pub saga: SagaId,
    /// What it is about.
    pub subject: Uuid,
    /// To whom.
    pub participant: &'static str,
    /// The command's identity, the same for every attempt.
    pub command: Uuid,
    /// The command.
    pub kind: &'static str,
    /// Its data.
    pub data: Value,
    /// The event that led to it.
    pub cause: Uuid,
    /// Goes along.
    pub trace: Option<String>,
    /// Its step, from 1.
    pub step: usize,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How long its answer may take.
    pub patience: Duration,
}

/// The identity of a step's command: the same for every attempt, whoever sends it.
#[must_use]
pub fn command_id(saga: SagaId, step: usize, direction: Direction) -> Uuid {
    let way = match direction {
        Direction::Hacer => "do",
        Direction::Deshacer => "undo",
    };
    Uuid::new_v5(&saga.0, format!("{step}:{way}").as_bytes())
}

/// The identity of the command that undoes a step of a saga that the coordinator has taken over: one of its own, since the state
/// machine may have sent, or yet send, the same command for another reason.
#[must_use]
pub fn taken_over_id(saga: SagaId, step: usize) -> Uuid {
    Uuid::new_v5(&saga.0, format!("{step}:undo:taken over").as_bytes())
}

/// The saga that an event opens; `None` for an event that opens none of this definition.
#[must_use]
pub fn start(definition: &Definition, id: SagaId, fact: &Fact, now: Timestamp) -> Option<Saga> {
    if definition.opening() != Some(fact.kind.as_str()) {
        return None;
    }
    let expired = now.duration_since(fact.time) > signed(definition.expiry.after);
    let conduct = match fact.conduct {
        // What is only to be undone needs no other engine.
        Conduct::StepFunctions if expired => Conduct::Orquestacion,
        conduct => conduct,
    };
    let what = What::Inicio {
        definicion: definition.name.to_owned(),
        version: definition.version,
        asunto: fact.subject,
        modo: conduct,
        traza: trace(fact),
        evento: Heard::of(fact, definition),
    };
    let reason = expired.then_some(definition.expiry.reason);
    begun(definition, id, Entry { cuando: now, what }, reason)
}

/// The saga that the first line of a log begins, to be undone at once if there is a reason.
pub(crate) fn begun(
    definition: &Definition,
    id: SagaId,
    first: Entry,
    undone: Option<&str>,
) -> Option<Saga> {
    let now = first.cuando;
    let mut work = Work {
        definition,
        saga: Saga::opened(id, definition, first)?,
        now,
    };
    if work.saga.is_watched() {
        return Some(work.saga);
    }
    if let Some(reason) = undone {
        work.log(What::CancelacionPedida {
            motivo: reason.to_owned(),
            sin_enviar: None,
        });
    }
    work.proceed();
    Some(work.saga)
}

/// What an input makes of a saga, and the command to send once that is stored.
///
/// Only [`Input::Time`] sends. Whoever cannot send stores what the other inputs made, and somebody else does.
#[must_use]
pub fn transition(
    definition: &Definition,
    saga: &Saga,
    input: &Input,
    now: Timestamp,
) -> (Saga, Option<Dispatch>) {
    let mut work = Work {
        definition,
        saga: saga.clone(),
        now,
    };
    let mut effect = None;
    if saga.is_watched() {
        work.watch(input);
        return (work.saga, None);
    }
    match input {
        Input::Event(fact) => work.event(fact),
        Input::Reply { command, answer } => work.reply(*command, answer),
        Input::NoAnswer {
            command,
            why,
            chance,
        } => work.no_answer(*command, why, *chance),
        Input::Time => effect = work.time(),
        Input::Cancel { reason } => work.cancel(reason),
        Input::Resume { note } => work.resume(note.as_deref()),
        Input::MarkDone { step, note } => work.mark_done(*step, note),
        Input::Started(_) | Input::Execution(..) | Input::NoWord(_) => {}
    }
    (work.saga, effect)
}

/// True if the next execution that a saga wants can be started, as the one before it stands. While that one runs it may yet turn and undo
/// everything, if it is not told that the last step is done; and what two undo, each for a reason of its own, is refused to one of them.
pub(crate) fn makes_way(
    definition: &Definition,
    saga: &Saga,
    before: &Progress,
    now: Timestamp,
) -> bool {
    match before {
        Progress::Running => false,
        Progress::Unknown => !is_news(definition, saga, now),
        Progress::Ended(Ending::Succeeded { output }) => !has_undone(output),
        // What it began to undo is its own to go on with.
        Progress::Ended(Ending::Failed { .. }) => !saga.steps.contains(&StepStatus::Undone),
    }
}

/// True if what was begun may not be told yet: asking after an execution is not strongly consistent.
fn is_news(definition: &Definition, saga: &Saga, now: Timestamp) -> bool {
    saga.updated() > earlier(now, definition.patience)
}

/// True if nothing has happened to one that a state machine runs for so long that nobody waits for it any more.
pub(crate) fn is_given_up(definition: &Definition, saga: &Saga, now: Timestamp) -> bool {
    let waits = saga.late.is_some_and(|late| late <= now);
    let since = earlier(now, definition.expiry.after);
    waits && saga.conduct == Conduct::StepFunctions && saga.updated() < since
}

/// True of one that a state machine runs and is to look at, if it has no execution and wants none: nobody could start it, and somebody
/// else has undone something since.
pub(crate) fn has_no_execution(saga: &Saga) -> bool {
    saga.conduct == Conduct::StepFunctions
        && saga.late.is_some()
        && saga.wanted.is_none()
        && saga.executions().next().is_none()
}

/// True if this is the output of an execution that undid what it had done.
fn has_undone(output: &Value) -> bool {
    output.pointer("/saga/motivo").is_some()
}

struct Work<'a> {
    definition: &'a Definition,
    saga: Saga,
    now: Timestamp,
}

impl Work<'_> {
    fn log(&mut self, mut what: What) {
        what.shorten();
        let entry = Entry {
            cuando: self.now,
            what,
        };
        self.saga.apply(self.definition, entry);
    }

    fn hear(&mut self, fact: &Fact, step: Option<usize>, sentido: Meaning, via: Via) {
        let attempts = self.saga.outstanding.as_ref().map(|out| out.attempts);
        let mut evento = Heard::of(fact, self.definition);
        // The first stands: of another of its type no data are needed.
        if self.saga.context.contains_key(&fact.kind) {
            evento.datos = nothing();
        }
        self.log(What::EventoRecibido {
            paso: step.map(|step| step + 1),
            sentido,
            via,
            // Only of the answer to something sent more than once is it worth a word.
            intentos: attempts.filter(|count| via == Via::Respuesta && *count > 1),
            evento,
        });
    }

    /// Turns to the next step, or the next to undo, or ends.
    fn proceed(&mut self) {
        loop {
            match self.saga.estado {
                Estado::EnCurso => match self.saga.next_to_do() {
                    None => self.log(What::Fin {
                        estado: Estado::Completada,
                    }),
                    Some(step) => match self.data(step, Direction::Hacer) {
                        Err(problema) => {
                            let paso = step + 1;
                            self.log(What::ComandoImposible { paso, problema });
                            continue;
                        }
                        Ok(comando) => {
                            let id_comando = self.command_id(step, Direction::Hacer);
                            self.log(What::ComandoEnviado {
                                paso: step + 1,
                                comando,
                                id_comando,
                            });
                        }
                    },
                },
                Estado::Compensando => match self.saga.next_to_undo(self.definition) {
                    None => self.log(What::Fin {
                        estado: Estado::Compensada,
                    }),
                    Some(step) => match self.data(step, Direction::Deshacer) {
                        Err(problema) => {
                            let paso = step + 1;
                            self.log(What::RequiereIntervencion { paso, problema });
                        }
                        Ok(comando) => {
                            let id_comando = self.command_id(step, Direction::Deshacer);
                            self.log(What::CompensacionEnviada {
                                paso: step + 1,
                                comando,
                                id_comando,
                            });
                        }
                    },
                },
                _ => {}
            }
            return;
        }
    }

    fn command_id(&self, step: usize, direction: Direction) -> Uuid {
        if self.saga.is_taken_over() {
            return taken_over_id(self.saga.id, step + 1);
        }
        command_id(self.saga.id, step + 1, direction)
    }

    /// The command of a step, if it can be built; else why not.
    fn data(&self, step: usize, direction: Direction) -> Result<String, String> {
        let Some((command, call)) = self.definition.call(step, direction) else {
            return Err("the definition has no such command".to_owned());
        };
        let built = call.data.build(&self.saga.context);
        built
            .map(|_| command.to_owned())
            .map_err(|unknown| unknown.to_string())
    }

    /// True if the command that does this step is waited for.
    fn is_out(&self, step: usize, direction: Direction) -> bool {
        let outstanding = self.saga.outstanding.as_ref();
        outstanding.is_some_and(|out| out.step == step && out.direction == direction)
    }

    /// What a saga makes of an input that others move on: it takes note, of events and of time. One that a state machine runs can be
    /// asked to be undone once it is completed, and is taken over from one that has failed: by a person, or by whoever asks for it to be
    /// undone where it was not turned yet. What else is asked changes nothing.
    fn watch(&mut self, input: &Input) {
        let by_machine = self.saga.conduct == Conduct::StepFunctions;
        match input {
            Input::Event(fact) => self.event(fact),
            Input::Time if !by_machine => {
                if self.saga.late.is_some_and(|late| late <= self.now) {
                    self.log(What::Retraso {});
                }
            }
            Input::Cancel { reason } if by_machine && self.saga.estado == Estado::Completada => {
                self.undo_by_machine(reason);
            }
            Input::Cancel { reason } if self.can_be_taken_over() && self.saga.reason.is_none() => {
                self.undo_by_machine(reason);
                self.log(What::Relevo {});
                self.proceed();
            }
            Input::Resume { note } if self.can_be_taken_over() => self.resume(note.as_deref()),
            Input::MarkDone { step, note } if self.can_be_taken_over() && self.is_left(*step) => {
                self.log(What::Relevo {});
                self.mark(*step, note);
            }
            Input::NoWord(problema) => self.no_word(problema),
            Input::Started(direction) => self.started(*direction),
            Input::Execution(direction, progress) => self.execution(*direction, progress),
            Input::Time
            | Input::Reply { .. }
            | Input::NoAnswer { .. }
            | Input::Cancel { .. }
            | Input::Resume { .. }
            | Input::MarkDone { .. } => {}
        }
    }

    /// True if its state machine has failed: what it left, the coordinator can undo.
    fn can_be_taken_over(&self) -> bool {
        self.saga.conduct == Conduct::StepFunctions
            && self.saga.estado == Estado::RequiereIntervencion
    }

    /// True if a step, counted from 1, is to be undone once its saga is taken over.
    fn is_left(&self, paso: usize) -> bool {
        let place = paso.checked_sub(1);
        let step = place.and_then(|place| self.definition.steps.get(place));
        let status = place.and_then(|place| self.saga.steps.get(place));
        step.is_some_and(|step| step.compensation.is_some())
            && status.is_some_and(|status| *status != StepStatus::Undone)
    }

    /// An event was heard. A saga that has logged much logs no more of those that change nothing.
    fn event(&mut self, fact: &Fact) {
        let known = (fact.stream.clone(), fact.version);
        if self.saga.seen.contains(&known) {
            return;
        }
        let before = self.saga.passes_over(&fact.kind).then(|| self.saga.clone());
        if self.saga.is_watched() {
            self.overhear(fact);
        } else {
            self.take_in(fact);
        }
        if let Some(before) = before
            && before.stands_as(&self.saga)
        {
            self.saga = before;
        }
    }

    fn overhear(&mut self, fact: &Fact) {
        let estado = self.saga.estado;
        let Some(role) = self.definition.role(&fact.kind) else {
            return;
        };
        let by_machine = self.saga.conduct == Conduct::StepFunctions;
        // A person may have an execution go on that had failed.
        let forward = estado == Estado::EnCurso
            || by_machine && estado == Estado::RequiereIntervencion && self.saga.reason.is_none();
        // A state machine that is not the one who undid something goes on, and what it does has to be undone after.
        let goes_on = forward || by_machine && !estado.has_ended();
        let (step, meaning) = match role {
            Role::Success(step) if goes_on => (Some(step), Meaning::Exito),
            Role::Failure(step) if forward => (Some(step), Meaning::Fallo),
            // What was begun before it was turned, or is refused from now on: its participant undoes it in any case.
            Role::Success(step) | Role::Failure(step) => (Some(step), Meaning::Nota),
            Role::Undone if estado == Estado::Compensada => (None, Meaning::Nota),
            Role::Undone => (None, Meaning::Reversion),
        };
        self.hear(fact, step, meaning, Via::Flujo);
        // Was it the state machine that undid this, or somebody else? It has to be looked at: though every step is done, it may not have
        // been told so, and undo them. What nobody undoes is asked of another execution.
        let stood = forward || estado == Estado::Completada;
        let unclear = by_machine && stood && meaning == Meaning::Reversion;
        if !unclear {
            self.end_if_it_has(false);
        }
    }

    fn started(&mut self, direccion: Direction) {
        if self.saga.wanted == Some(direccion) {
            self.log(What::EjecucionIniciada {
                direccion,
                nombre: execution_name(self.saga.id, direccion),
            });
            // Where it was started before and nobody took note, all of its events may have been heard.
            self.end_if_it_has(false);
        }
    }

    fn end_if_it_has(&mut self, told: bool) -> bool {
        let ended = self.come_to_its_end(told);
        if let Some(estado) = ended {
            self.log(What::Fin { estado });
        }
        ended.is_some()
    }

    fn undo_by_machine(&mut self, reason: &str) {
        self.log(What::CancelacionPedida {
            motivo: reason.to_owned(),
            sin_enviar: None,
        });
    }

    /// What is learned of an execution: mostly nothing, since its events tell it sooner.
    fn execution(&mut self, direction: Direction, progress: &Progress) {
        let asked_about = self.saga.executions().last() == Some(direction);
        // Others may have been told more, and gone on, since it was asked for.
        if !asked_about || self.saga.late.is_none() {
            return;
        }
        let next_wanted = self.saga.wanted.is_some();
        if next_wanted && makes_way(self.definition, &self.saga, progress, self.now) {
            return;
        }
        let news = is_news(self.definition, &self.saga, self.now);
        let failed = match progress {
            Progress::Running => None,
            Progress::Unknown if news => None,
            // It has undone everything itself: no other has to.
            Progress::Ended(ending)
                if next_wanted
                    && self.nothing_stands(matches!(ending, Ending::Succeeded { .. })) =>
            {
                let estado = Estado::Compensada;
                self.log(What::Fin { estado });
                return;
            }
            Progress::Ended(Ending::Succeeded { .. }) if next_wanted => None,
            Progress::Ended(Ending::Succeeded { output }) => {
                // It did every step while somebody undid one: nobody else undoes the others.
                if let Some(reason) = self.saga.reason.clone()
                    && direction == Direction::Hacer
                    && !has_undone(output)
                    && self.saga.estado == Estado::Compensando
                {
                    self.undo_by_machine(&reason);
                    return;
                }
                if self.end_if_it_has(true) {
                    return;
                }
                None
            }
            Progress::Ended(Ending::Failed { error, cause }) => Some(format!("{error}: {cause}")),
            Progress::Unknown => Some("su ejecución ya no existe".to_owned()),
        };
        let patience = self.definition.patience;
        match failed {
            Some(problema) => self.require_a_person(problema),
            None if next_wanted && news => self.saga.late = Some(later(self.now, SOON)),
            None if self.saga.is_late() => self.saga.late = Some(later(self.now, patience)),
            None => self.log(What::Retraso {}),
        }
    }

    /// What a saga that others move on has come to, if it has: every step is done, or everything is undone that they undo. Participants
    /// undo whatever can be; a state machine undoes what was done, and `told` says that it has.
    fn come_to_its_end(&self, told: bool) -> Option<Estado> {
        // What a saga log says of the executions is what they are found by: none may be missing.
        if self.saga.wanted.is_some() {
            return None;
        }
        let mut steps = self.saga.steps.iter().zip(&self.definition.steps);
        match (self.saga.estado, self.saga.conduct) {
            (Estado::EnCurso, _) => self.all_done().then_some(Estado::Completada),
            (Estado::Compensando, Conduct::StepFunctions) => {
                self.nothing_stands(told).then_some(Estado::Compensada)
            }
            (Estado::Compensando, _) => steps
                .all(|(status, step)| step.compensation.is_none() || *status == StepStatus::Undone)
                .then_some(Estado::Compensada),
            // What somebody has asked to be undone is not done, though nothing of it is undone yet.
            (Estado::RequiereIntervencion, Conduct::StepFunctions) => {
                let done = self.saga.reason.is_none() && self.all_done();
                done.then_some(Estado::Completada)
            }
            _ => None,
        }
    }

    /// True if nothing is left to undo, as far as was heard, or as the execution `told`.
    fn nothing_stands(&self, told: bool) -> bool {
        let stands = self.saga.next_to_undo(self.definition).is_some();
        !stands && (told || !self.lacks_a_step())
    }

    /// True if nothing is heard yet of a step that was done for certain, since a later one was begun: what is published late is heard late,
    /// and until then that step may stand.
    fn lacks_a_step(&self) -> bool {
        let undoes = |step: &Step| step.compensation.as_ref().map(|undo| undo.success);
        let steps = &self.definition.steps;
        let heard = self.saga.log.iter().filter_map(|entry| match entry.what {
            What::EventoRecibido { paso, .. } => paso?.checked_sub(1),
            _ => None,
        });
        let undone = self.saga.steps.iter().zip(steps).enumerate();
        let undone = undone.filter_map(|(place, (status, step))| {
            // What undoes several steps tells of the first of them alone.
            let first = steps.iter().position(|other| undoes(other) == undoes(step));
            (*status == StepStatus::Undone && first == Some(place)).then_some(place)
        });
        let last = heard.chain(undone).max().unwrap_or_default();
        let mut before = self.saga.steps.iter().zip(steps).take(last);
        before.any(|(status, step)| *status == StepStatus::Pending && step.compensation.is_some())
    }

    fn take_in(&mut self, fact: &Fact) {
        let (estado, via) = (self.saga.estado, Via::Flujo);
        match self.definition.role(&fact.kind) {
            None => {}
            // Once it has ended, an event is noted and changes nothing, but for one that undoes what stands.
            Some(Role::Success(step) | Role::Failure(step)) if estado.has_ended() => {
                self.hear(fact, Some(step), Meaning::Nota, via);
            }
            Some(Role::Success(step)) => {
                self.hear(fact, Some(step), Meaning::Exito, via);
                if estado == Estado::EnCurso && self.saga.outstanding.is_none() {
                    self.proceed();
                }
            }
            Some(Role::Failure(step)) => {
                // The attempt that is out has not answered: it may have done more than this event tells.
                let fails = estado == Estado::EnCurso && self.is_out(step, Direction::Hacer);
                let meaning = if fails { Meaning::Duda } else { Meaning::Nota };
                self.hear(fact, Some(step), meaning, via);
                if fails {
                    self.proceed();
                }
            }
            Some(Role::Undone) => self.undone(fact, via),
        }
    }

    /// Something was undone: what we wait for, or behind our back.
    fn undone(&mut self, fact: &Fact, via: Via) {
        let awaited = self.saga.outstanding.as_ref().and_then(|out| {
            let undo = self.definition.steps.get(out.step)?.compensation.as_ref()?;
            (out.direction == Direction::Deshacer && undo.success == fact.kind).then_some(out.step)
        });
        if let Some(step) = awaited {
            self.hear(fact, Some(step), Meaning::Reversion, via);
            self.proceed();
            return;
        }
        self.hear(fact, None, Meaning::Nota, via);
        if matches!(self.saga.estado, Estado::EnCurso | Estado::Completada) {
            self.cancel(&fact.kind.clone());
        }
    }

    fn reply(&mut self, command: Uuid, answer: &Answer) {
        let Some(out) = self
            .saga
            .outstanding
            .clone()
            .filter(|out| out.command == command)
        else {
            // An answer that is late. What it tells of is in the stream too.
            if let Answer::Events(facts) = answer {
                for fact in facts {
                    self.event(fact);
                }
            }
            return;
        };
        let (step, paso) = (out.step, out.step + 1);
        match (out.direction, answer) {
            (Direction::Hacer, Answer::Events(facts)) => {
                // An attempt that was not answered may have done more than this answer tells.
                let failed = if out.unanswered {
                    Meaning::Duda
                } else {
                    Meaning::Fallo
                };
                let found = facts
                    .iter()
                    .find_map(|fact| match self.definition.role(&fact.kind) {
                        Some(Role::Success(of)) if of == step => Some((fact, Meaning::Exito)),
                        Some(Role::Failure(of)) if of == step => Some((fact, failed)),
                        _ => None,
                    });
                match found {
                    Some((fact, meaning)) => {
                        self.hear(fact, Some(step), meaning, Via::Respuesta);
                    }
                    // It did something, and not what the definition says.
                    None => self.log(What::ComandoRechazado {
                        paso,
                        problema: unexpected(facts),
                        en_duda: true,
                    }),
                }
            }
            (Direction::Hacer, Answer::Rejected(problem)) => self.log(What::ComandoRechazado {
                paso,
                problema: problem.clone(),
                en_duda: out.unanswered,
            }),
            (Direction::Deshacer, Answer::Events(facts)) => {
                let undo = self
                    .definition
                    .steps
                    .get(step)
                    .and_then(|step| step.compensation.as_ref());
                let found = facts
                    .iter()
                    .find(|fact| undo.is_some_and(|undo| undo.success == fact.kind));
                match found {
                    Some(fact) => self.hear(fact, Some(step), Meaning::Reversion, Via::Respuesta),
                    None => self.log(What::RequiereIntervencion {
                        paso,
                        problema: unexpected(facts),
                    }),
                }
            }
            (Direction::Deshacer, Answer::Rejected(problem)) => {
                if self.saga.estado == Estado::Compensando {
                    self.log(What::RequiereIntervencion {
                        paso,
                        problema: problem.clone(),
                    });
                }
            }
        }
        self.proceed();
    }

    fn retry(&self, step: usize, direction: Direction) -> Option<Retry> {
        self.definition
            .call(step, direction)
            .map(|(_, call)| call.retry)
    }

    fn no_answer(&mut self, command: Uuid, why: &str, chance: f64) {
        let Some(out) = self.saga.outstanding.clone() else {
            return;
        };
        let Some(retry) = self.retry(out.step, out.direction) else {
            return;
        };
        if out.command != command || out.due.is_none() {
            return;
        }
        let pause = jittered(
            retry.pause,
            retry.longest_pause,
            out.attempts.saturating_sub(1),
            chance,
        );
        let due = later(self.now, pause);
        self.unanswered(retry, Some(why), due);
        if let Some(out) = &mut self.saga.outstanding {
            out.unanswered = true;
            out.due = Some(due);
        }
        if out.attempts >= retry.attempts {
            self.give_up();
        }
    }

    /// Logs that the last attempt was not answered, unless it is logged already: until now it was due when its answer was given up.
    fn unanswered(&mut self, retry: Retry, why: Option<&str>, again: Timestamp) {
        let Some(out) = self.saga.outstanding.clone() else {
            return;
        };
        let known = self.saga.is_known_unanswered();
        if known || out.attempts == 0 || out.attempts > TOLD_ATTEMPTS {
            return;
        }
        let given_up = out.due.unwrap_or(self.now);
        self.log(What::SinRespuesta {
            paso: out.step + 1,
            direccion: out.direction,
            intento: out.attempts,
            enviado: earlier(given_up, retry.patience),
            problema: why.map(str::to_owned),
            proximo: (out.attempts < retry.attempts).then(|| again.into()),
        });
    }

    fn time(&mut self) -> Option<Dispatch> {
        loop {
            let out = self.saga.outstanding.clone()?;
            if out.due? > self.now {
                return None;
            }
            let retry = self.retry(out.step, out.direction)?;
            self.unanswered(retry, None, self.now);
            if out.attempts >= retry.attempts {
                self.give_up();
                continue;
            }
            return self.send();
        }
    }

    fn send(&mut self) -> Option<Dispatch> {
        let now = self.now;
        let out = self.saga.outstanding.as_mut()?;
        out.unanswered |= out.attempts > 0;
        out.attempts = out.attempts.saturating_add(1);
        let out = out.clone();
        let (kind, call) = self.definition.call(out.step, out.direction)?;
        let dispatch = Dispatch {
            saga: self.saga.id,
            subject: self.saga.subject,
            participant: call.participant,
            command: out.command,
            kind,
            data: call.data.build(&self.saga.context).ok()?,
            cause: self.saga.cause,
            trace: self.saga.trace.clone(),
            step: out.step + 1,
            attempt: out.attempts,
            patience: call.retry.patience,
        };
        let due = later(now, call.retry.patience);
        self.saga.outstanding.as_mut()?.due = Some(due);
        Some(dispatch)
    }

    /// All attempts are spent. The step is in doubt, so it is undone too; an undoing goes to a person.
    fn give_up(&mut self) {
        let Some(out) = self.saga.outstanding.clone() else {
            return;
        };
        let paso = out.step + 1;
        self.log(What::TiempoAgotado {
            paso,
            direccion: out.direction,
            intentos: out.attempts,
        });
        match out.direction {
            Direction::Hacer => self.proceed(),
            Direction::Deshacer => self.log(What::RequiereIntervencion {
                paso,
                problema: "sin respuesta".to_owned(),
            }),
        }
    }

    fn cancel(&mut self, reason: &str) {
        if matches!(self.saga.estado, Estado::EnCurso | Estado::Completada) {
            let outstanding = self.saga.outstanding.as_ref();
            let unsent = outstanding
                .filter(|out| out.attempts == 0)
                .map(|out| out.step + 1);
            self.log(What::CancelacionPedida {
                motivo: reason.to_owned(),
                sin_enviar: unsent,
            });
            self.proceed();
        }
    }

    /// A person has it go on, as long as there is room for what may follow. What ends it always has room.
    fn resume(&mut self, note: Option<&str>) {
        let resumed = Entry {
            cuando: self.now,
            what: What::Reanudada {
                nota: note.map(str::to_owned),
            },
        };
        if self.saga.estado != Estado::RequiereIntervencion
            || !self.saga.has_room_for(self.definition, &resumed)
        {
            return;
        }
        if self.can_be_taken_over() {
            self.log(What::Relevo {});
        }
        self.log(resumed.what);
        if self.saga.outstanding.is_none() {
            self.proceed();
        }
    }

    fn mark_done(&mut self, paso: usize, note: &str) {
        if self.saga.stuck_at(self.definition) == Some(paso) {
            self.mark(paso, note);
        }
    }

    fn mark(&mut self, paso: usize, note: &str) {
        self.log(What::PasoMarcado {
            paso,
            nota: note.to_owned(),
        });
        self.proceed();
    }

    /// Nobody tells how its execution stands, and whoever waited for it has given it up; or there is none, and none is wanted.
    fn no_word(&mut self, problema: &str) {
        if !has_no_execution(&self.saga) && !is_given_up(self.definition, &self.saga, self.now) {
            return;
        }
        if self.saga.reason.is_none() && self.all_done() {
            // It was started, and nobody could take note.
            let estado = Estado::Completada;
            self.log(What::Fin { estado });
        } else {
            self.require_a_person(problema.to_owned());
        }
    }

    /// What an execution left undone is for a person.
    fn require_a_person(&mut self, problema: String) {
        let step = self.saga.next_to_undo(self.definition).unwrap_or_default();
        let paso = step + 1;
        self.log(What::RequiereIntervencion { paso, problema });
    }

    fn all_done(&self) -> bool {
        let mut steps = self.saga.steps.iter();
        steps.all(|step| *step == StepStatus::Done)
    }
}

fn unexpected(facts: &[Fact]) -> String {
    let kinds: Vec<_> = facts.iter().map(|fact| fact.kind.as_str()).collect();
    format!("respuesta inesperada: {}", kinds.join(", "))
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_sub(signed(by)).unwrap_or(Timestamp::MIN)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

impl StepStatus {
    /// True if something of the step may still stand.
    #[must_use]
    pub fn may_stand(self) -> bool {
        matches!(self, Self::Sent | Self::Done)
    }
}
