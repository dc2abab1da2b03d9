//! Planted mistakes. A wrapper makes each mistake, so the code itself stays as it is. The saga kit must find every
//! mistake.

use std::sync::{Arc, Mutex};

use alpes_event_store::{Case, Decider, Decision, Route, StoreRefusal, Unavailable};
use alpes_messages::{Command, Event, EventId, Origin, Problem, StreamId};
use alpes_ports::{
    Consistency, Found, IndexPage, IndexQuery, Key, TableError, Tables, Write, WriteError,
};
use alpes_saga::{
    Answer, Definition, Direction, Dispatch, Entry, Input, Meaning, NoAnswer, Participants, Rules,
    Saga, Status, StepNumber, TABLE, What, transition,
};
use async_trait::async_trait;
use events::{GDS, PAGOS, Payload, VUELOS, gds, pagos::PagoRevertido};
use futures::executor::block_on;
use jiff::Timestamp;
use saga_kit::{Script, hunt, run};
use twins::{Over, TablesOver};
use uuid::Uuid;

use crate::play::Reserva;

/// A mistake in the code that runs sagas, or in a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The saga compensates only its last step.
    OnlyTheLast,
    /// A command is sent before it is logged.
    SendBeforeLog,
    /// A step without an answer counts as not done, and is not compensated.
    DropDoubt,
    /// The compensation of a step that never happened stores no event, so a late command is not refused.
    NoTombstone,
    /// If the payment's stream has no event, the compensation does not void the charge at the provider.
    NoVoidWhereEmpty,
    /// A redelivered event does not send the saga's command again.
    NoResend,
    /// A late success event reopens a saga that has ended.
    Reopens,
    /// Seats are taken or given back before the commit, and not in its transaction.
    SeatsBeside,
    /// The saga changes without a line in its log.
    Unlogged,
}

type Next = (Saga, Option<Dispatch>);

/// The saga with another log: its state is the fold of that log.
fn relogged(definition: &Definition, saga: &Saga, log: Vec<Entry>) -> Saga {
    Saga::replay(saga.id, definition, log).unwrap()
}

fn only_the_last(definition: &Definition, saga: &Saga, input: &Input, now: Timestamp) -> Next {
    let (next, effect) = transition(definition, saga, input, now);
    let new = &next.log[saga.log.len()..];
    let reverted = new.iter().position(|entry| {
        matches!(
            &entry.what,
            What::EventReceived {
                meaning: Meaning::Reversal,
                ..
            }
        )
    });
    let Some(place) = reverted else {
        return (next, effect);
    };
    let mut log = next.log[..=saga.log.len() + place].to_vec();
    let status = Status::Compensated;
    log.push(Entry {
        when: now,
        actor: None,
        what: What::Ended { status },
    });
    (relogged(definition, &next, log), None)
}

fn drop_doubt(definition: &Definition, saga: &Saga, input: &Input, now: Timestamp) -> Next {
    let mut sure = saga.clone();
    if let Some(out) = &mut sure.outstanding {
        out.unanswered = false;
    }
    let (next, effect) = transition(definition, &sure, input, now);
    let gives_up = next.log[saga.log.len()..].iter().any(|entry| {
        matches!(
            &entry.what,
            What::TimedOut {
                direction: Direction::Do,
                ..
            }
        )
    });
    let Some(out) = sure.outstanding.clone().filter(|_| gives_up) else {
        return (next, effect);
    };
    let refused = Input::Reply {
        command: out.command,
        answer: Answer::Rejected("nobody answers".into()),
    };
    let (next, _) = transition(definition, &sure, &refused, now);
    match input {
        Input::Time => transition(definition, &next, input, now),
        _ => (next, None),
    }
}

fn reopens(definition: &Definition, saga: &Saga, input: &Input, now: Timestamp) -> Next {
    let (next, effect) = transition(definition, saga, input, now);
    let late = matches!(input, Input::Event(fact) if definition.steps.iter().any(|step| step.success == fact.kind));
    if saga.status != Status::Compensated || !late || next == *saga {
        return (next, effect);
    }
    let mut log = next.log.clone();
    let status = Status::Running;
    log.push(Entry {
        when: now,
        actor: None,
        what: What::Ended { status },
    });
    (relogged(definition, &next, log), None)
}

fn unlogged(definition: &Definition, saga: &Saga, input: &Input, now: Timestamp) -> Next {
    let (mut next, effect) = transition(definition, saga, input, now);
    next.reason
        .get_or_insert_with(|| "it was not logged".to_owned());
    (next, effect)
}

fn no_resend() -> Arc<Rules> {
    let came_again = Mutex::new(false);
    Arc::new(
        move |definition: &Definition, saga: &Saga, input: &Input, now| {
            let sent = saga
                .outstanding
                .as_ref()
                .is_some_and(|out| out.attempts > 0);
            if matches!(input, Input::Time) && sent && *came_again.lock().unwrap() {
                return (saga.clone(), None);
            }
            let next = transition(definition, saga, input, now);
            *came_again.lock().unwrap() = matches!(input, Input::Event(_)) && next.0 == *saga;
            next
        },
    )
}

impl Planted {
    pub fn rules(self) -> Arc<Rules> {
        match self {
            Self::OnlyTheLast => Arc::new(only_the_last),
            Self::DropDoubt => Arc::new(drop_doubt),
            Self::Reopens => Arc::new(reopens),
            Self::NoResend => no_resend(),
            Self::Unlogged => Arc::new(unlogged),
            _ => Arc::new(transition),
        }
    }

    pub fn tamper(
        self,
        tables: Arc<dyn Tables>,
        line: Arc<dyn Participants>,
    ) -> (Arc<dyn Tables>, Arc<dyn Participants>) {
        if self != Self::SendBeforeLog {
            return (tables, line);
        }
        let later = Arc::new(Over(LogsLater {
            tables,
            waiting: Mutex::new(vec![]),
        }));
        let line = Arc::new(SendsFirst {
            line,
            later: later.clone(),
        });
        (later, line)
    }

    pub fn decider(
        self,
        inner: Arc<dyn Decider<Payload>>,
        tables: Arc<dyn Tables>,
    ) -> Arc<dyn Decider<Payload>> {
        Arc::new(PlantedDecider {
            planted: self,
            inner,
            tables,
        })
    }
}

struct PlantedDecider {
    planted: Planted,
    inner: Arc<dyn Decider<Payload>>,
    tables: Arc<dyn Tables>,
}

/// The event of a reversal, which the mistake returns and does not commit.
fn as_if(case: &Case<'_, Payload>, stream: StreamId) -> Event {
    let (command, now) = (case.command, case.now);
    let new = if stream.is_of(PAGOS) {
        PagoRevertido {
            id_reserva: command.subject,
            devuelto: false,
            fecha_actualizacion: now,
        }
        .into()
    } else {
        gds::ConfirmacionGDSRevertida {
            id_reserva: command.subject,
            sillas: vec![],
            fecha_actualizacion: now,
        }
        .into()
    };
    let origin = Origin {
        command,
        stream,
        version: 1,
        id: EventId(Uuid::from_u128(1)),
        time: now,
    };
    Event::placed(new, origin)
}

#[async_trait]
impl Decider<Payload> for PlantedDecider {
    fn route(&self, command: &Command) -> Route {
        self.inner.route(command)
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        self.inner.refuse(refusal)
    }

    async fn decide(&self, case: &Case<'_, Payload>) -> Result<Decision, Unavailable> {
        let Route { stream, undoes, .. } = self.route(case.command);
        let in_vain = undoes && case.history.is_empty();
        match self.planted {
            Planted::NoTombstone if in_vain && !stream.is_of(VUELOS) => {
                // The charge is still voided at the provider.
                self.inner.decide(case).await?;
                Ok(Decision::Already(vec![as_if(case, stream)]))
            }
            Planted::NoVoidWhereEmpty if in_vain && stream.is_of(PAGOS) => {
                let event = PagoRevertido {
                    id_reserva: case.command.subject,
                    devuelto: false,
                    fecha_actualizacion: case.now,
                };
                Ok(Decision::commit(vec![event.into()]))
            }
            Planted::SeatsBeside if stream.is_of(GDS) => match self.inner.decide(case).await? {
                Decision::Commit { events, with } if !with.is_empty() => {
                    let taken = self.tables.transact(&with).await;
                    taken.map_err(|error| Unavailable(error.to_string()))?;
                    Ok(Decision::commit(events))
                }
                other => Ok(other),
            },
            _ => self.inner.decide(case).await,
        }
    }
}

/// Tables that delay each write of a saga until the saga's command was sent, or until the next call of the tables.
struct LogsLater {
    tables: Arc<dyn Tables>,
    waiting: Mutex<Vec<Write>>,
}

impl LogsLater {
    async fn flush(&self) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        for write in waiting {
            let _ = self.tables.write(&write).await;
        }
    }
}

struct SendsFirst {
    line: Arc<dyn Participants>,
    later: Arc<Over<LogsLater>>,
}

#[async_trait]
impl Participants for SendsFirst {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let answer = self.line.send(dispatch).await;
        self.later.flush().await;
        answer
    }
}

#[async_trait]
impl TablesOver for LogsLater {
    fn inner(&self) -> &dyn Tables {
        &*self.tables
    }

    async fn get(&self, keys: &[Key], consistency: Consistency) -> Result<Found, TableError> {
        self.flush().await;
        self.tables.get(keys, consistency).await
    }

    async fn write(&self, write: &Write) -> Result<(), WriteError> {
        if write.key().table != TABLE {
            return self.tables.write(write).await;
        }
        self.flush().await;
        self.waiting.lock().unwrap().push(write.clone());
        Ok(())
    }

    async fn query(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        self.flush().await;
        self.tables.query(query).await
    }
}

/// Runs scripts until one of them finds the mistake. Panics if no script finds it.
#[track_caller]
fn assert_found(planted: Planted) {
    let planted_in = |declined_by| Reserva {
        declined_by,
        planted: Some(planted),
        ..Reserva::default()
    };
    let plain = Script::default();
    let fails_at = StepNumber::new(2);
    for (play, script) in [
        (planted_in("tok_rechazada"), plain),
        // The provider charges without an answer.
        (planted_in("tok_timeout"), Script { fails_at, ..plain }),
    ] {
        let violations = block_on(run(&play, script)).violations;
        if !violations.is_empty() {
            println!("{planted:?} is found by {script:?}: {violations:?}");
            return;
        }
    }
    let failures = block_on(hunt(&planted_in("tok_rechazada"))).failures;
    assert!(!failures.is_empty(), "{planted:?} was not found");
    println!("{planted:?} is found by {:?}", failures[0]);
}

#[test]
fn compensating_only_the_last_step_is_found() {
    assert_found(Planted::OnlyTheLast);
}

#[test]
fn sending_before_logging_is_found() {
    assert_found(Planted::SendBeforeLog);
}

#[test]
fn dropping_what_is_in_doubt_is_found() {
    assert_found(Planted::DropDoubt);
}

#[test]
fn leaving_no_tombstone_is_found() {
    assert_found(Planted::NoTombstone);
}

#[test]
fn not_voiding_where_the_stream_is_empty_is_found() {
    assert_found(Planted::NoVoidWhereEmpty);
}

#[test]
fn not_sending_again_for_an_event_that_comes_again_is_found() {
    assert_found(Planted::NoResend);
}

#[test]
fn opening_an_ended_saga_again_is_found() {
    assert_found(Planted::Reopens);
}

#[test]
fn taking_seats_beside_the_commit_is_found() {
    assert_found(Planted::SeatsBeside);
}

#[test]
fn a_saga_that_changes_without_its_log_is_found() {
    assert_found(Planted::Unlogged);
}
