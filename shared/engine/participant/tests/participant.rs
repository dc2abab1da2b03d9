//! Commands in, replies or errors out, over twins in memory; and the same with faults set.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::{sync::Arc, time::Duration};

use alpes_event_store::{
    Circumstances, Decider, Decision, EventStore, HandleError, StoreRefusal, Unavailable,
};
use alpes_messages::{
    Command, CommandId, CorrelationId, Event, Moment, NewEvent, Problem, Reply, SagaMode, StreamId,
    SubjectId, Violation,
};
use alpes_participant::{Failure, Faults, Modo, Participant, ParticipantError, SILENCE, TABLE};
use alpes_ports::World;
use async_trait::async_trait;
use events::{
    GDS, PAGOS, Payload, kinds,
    pagos::{PagoFallido, PagoRevertido},
};
use futures::{FutureExt, executor::block_on, future::BoxFuture};
use parse::FALLA_INDUCIDA;
use serde_json::json;
use simulation::{Dice, Fault, Scheduler, Step};
use twins::{ManualClock, MemoryLog, MemoryTables, world};
use uuid::Uuid;

/// Rules without a provider: who pays has no money, and everyone gets it back.
struct Reglas;

#[async_trait]
impl Decider<Payload> for Reglas {
    fn stream(&self, command: &Command) -> StreamId {
        StreamId::new(PAGOS, command.subject)
    }

    fn opens(&self, command: &Command) -> bool {
        command.kind == "PagarReserva"
    }

    fn undoes(&self, command: &Command) -> bool {
        command.kind == "RevertirPago"
    }

    fn refuse(&self, refusal: StoreRefusal) -> Problem {
        parse::refusal(refusal)
    }

    async fn decide(
        &self,
        history: &[(Event, Payload)],
        command: &Command,
        circumstances: &Circumstances,
    ) -> Result<Decision, Unavailable> {
        let failed = history
            .iter()
            .find(|(event, _)| event.kind == "PagoFallido");
        Ok(match (command.kind.as_str(), failed) {
            ("PagarReserva", Some((event, _))) => Decision::Already(vec![event.clone()]),
            ("PagarReserva", None) => {
                Decision::commit(vec![fallido(command, circumstances.now, "sin fondos")])
            }
            ("RevertirPago", _) => Decision::commit(vec![
                PagoRevertido {
                    id_reserva: command.subject,
                    devuelto: false,
                    fecha_actualizacion: circumstances.now,
                }
                .into(),
            ]),
            ("Caer", _) => return Err(Unavailable("the provider does not answer".into())),
            _ => Decision::Reject(Problem::of(kinds::INVALID).at(vec![Violation::new(
                "type",
                "comando-desconocido",
                "?",
            )])),
        })
    }
}

fn fallido(command: &Command, now: Moment, motivo: &str) -> NewEvent {
    PagoFallido {
        id_reserva: command.subject,
        motivo: motivo.into(),
        fecha_actualizacion: now,
    }
    .into()
}

const FAILURE: Failure<Payload> = Failure {
    command: "PagarReserva",
    event: |history, command, now| {
        history
            .is_empty()
            .then(|| fallido(command, now, FALLA_INDUCIDA))
    },
};

struct Bench {
    tables: Arc<MemoryTables>,
    log: Arc<MemoryLog>,
    world: World,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        let (world, clock) = world(1);
        Self {
            tables: Arc::new(MemoryTables::new()),
            log: Arc::new(MemoryLog::new(1, world.clock.clone())),
            world,
            clock,
        }
    }

    fn faults(&self) -> Faults {
        Faults::new(self.tables.clone())
    }

    fn set(&self, comando: &str, modo: Modo, veces: u32) {
        self.set_for(None, comando, modo, veces);
    }

    fn set_for(&self, only: Option<SubjectId>, comando: &str, modo: Modo, veces: u32) {
        let faults = self.faults();
        block_on(faults.set(PAGOS, comando, only, modo, veces)).unwrap();
    }

    /// A process under `trouble`.
    fn participant(&self, tests: bool, trouble: &simulation::Faults) -> Participant<Payload> {
        let tables = Arc::new(trouble.tables(self.tables.clone()));
        let log = Arc::new(trouble.log(self.log.clone()));
        Participant {
            context: PAGOS,
            store: EventStore::new(tables.clone(), log, self.world.clone(), events::catalogue()),
            decider: Arc::new(Reglas),
            failure: FAILURE,
            faults: tests.then(|| Faults::new(tables)),
            world: self.world.clone(),
        }
    }

    fn send(&self, command: &Command) -> Result<Reply, ParticipantError> {
        let participant = self.participant(true, &simulation::Faults::none());
        block_on(participant.handle(command))
    }

    /// What is in the log, as type and motivo.
    fn log(&self) -> Vec<(String, String)> {
        let records = self.log.records();
        let events = records
            .iter()
            .map(|record| Event::decode(&record.data, &events::catalogue()).unwrap().0);
        events
            .map(|event| {
                let motivo = event.data["motivo"].as_str().unwrap_or_default().to_owned();
                (event.kind, motivo)
            })
            .collect()
    }
}

fn reserva(id: u128) -> SubjectId {
    SubjectId(Uuid::from_u128(id))
}

fn command(id: u128, kind: &str) -> Command {
    Command {
        id: CommandId(Uuid::from_u128(id)),
        kind: kind.into(),
        subject: reserva(7),
        correlationid: CorrelationId(Uuid::from_u128(8)),
        causationid: None,
        sagamode: SagaMode::Orchestration,
        traceparent: None,
        prueba: false,
        data: json!({}),
    }
}

fn pagar(id: u128) -> Command {
    command(id, "PagarReserva")
}

fn motivo(reply: &Result<Reply, ParticipantError>) -> &str {
    match reply {
        Ok(Reply::Eventos { eventos }) => eventos[0].data["motivo"].as_str().unwrap(),
        other => panic!("no events: {other:?}"),
    }
}

#[test]
fn a_command_is_answered_with_its_events_or_a_refusal() {
    let bench = Bench::new();
    assert_eq!(motivo(&bench.send(&pagar(1))), "sin fondos");
    let Ok(Reply::Rechazado { problema }) = bench.send(&command(2, "AprobarReserva")) else {
        panic!("not refused")
    };
    assert_eq!(problema.errores[0].campo, "type");
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn every_error_has_a_type_of_its_own() {
    let bench = Bench::new();
    let error = bench.send(&command(1, "Caer")).unwrap_err();
    assert!(error.to_string().contains("the provider does not answer"));
    assert_eq!(error.error_type(), "Unavailable");

    // The second call of a command that opens a stream is the append.
    let trouble = simulation::Faults::once(1, Fault::FailBefore);
    let participant = bench.participant(false, &trouble);
    let error = block_on(participant.handle(&pagar(2))).unwrap_err();
    assert_eq!(error, HandleError::NotAppended.into());
    assert_eq!(error.error_type(), "NotAppended");
    // It took effect: sent again it is answered, once its event is in the log.
    assert_eq!(bench.log(), []);
    assert_eq!(motivo(&bench.send(&pagar(2))), "sin fondos");
    assert_eq!(bench.log().len(), 1);

    let stream = StreamId::new(PAGOS, command(1, "").subject);
    for (error, error_type) in [
        (HandleError::Contention(stream).into(), "Contention"),
        (HandleError::Broken("?".into()).into(), "Broken"),
        (ParticipantError::FallaInducida, "FallaInducida"),
        (ParticipantError::Silencio, "Silencio"),
    ] {
        assert_eq!(error.error_type(), error_type);
    }
}

#[test]
fn without_faults_nothing_is_looked_up() {
    let bench = Bench::new();
    bench.set("PagarReserva", Modo::Error, 1);
    let trouble = simulation::Faults::none();
    let participant = bench.participant(false, &trouble);
    assert_eq!(
        motivo(&block_on(participant.handle(&pagar(1)))),
        "sin fondos"
    );
    let looked = trouble.trace();
    assert!(
        !looked.iter().any(|effect| effect.contains(TABLE.0)),
        "{looked:?}"
    );
}

#[test]
fn an_error_is_answered_at_once_and_silence_after_a_while_and_nothing_is_done() {
    let bench = Bench::new();
    let start = bench.world.clock.now();
    bench.set("PagarReserva", Modo::Error, 2);
    for _ in 0..2 {
        assert_eq!(bench.send(&pagar(1)), Err(ParticipantError::FallaInducida));
    }
    assert_eq!(bench.world.clock.now(), start);
    bench.set("PagarReserva", Modo::Silencio, 1);
    assert_eq!(bench.send(&pagar(1)), Err(ParticipantError::Silencio));
    let waited = bench.world.clock.now().duration_since(start);
    assert_eq!(Duration::try_from(waited).unwrap(), SILENCE);
    assert_eq!(bench.log(), []);
    assert_eq!(motivo(&bench.send(&pagar(1))), "sin fondos");
}

#[test]
fn a_failure_is_an_event_and_the_same_reply_for_the_same_command() {
    let bench = Bench::new();
    bench.clock.advance(Duration::from_secs(5));
    bench.set("PagarReserva", Modo::Falla, 1);
    let failed = bench.send(&pagar(1));
    assert_eq!(motivo(&failed), FALLA_INDUCIDA);
    assert_eq!(bench.send(&pagar(1)), failed);
    // Another command hears of the same outcome.
    assert_eq!(bench.send(&pagar(2)), failed);
    let only = [("PagoFallido".to_owned(), FALLA_INDUCIDA.to_owned())];
    assert_eq!(bench.log(), only);
}

#[test]
fn an_outcome_that_there_is_stands() {
    let bench = Bench::new();
    let first = bench.send(&pagar(1));
    bench.set("PagarReserva", Modo::Falla, 2);
    assert_eq!(bench.send(&pagar(1)), first);
    assert_eq!(bench.send(&pagar(2)), first);
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn what_has_no_failure_of_its_own_is_refused_unless_it_was_done() {
    let bench = Bench::new();
    let done = bench.send(&command(1, "RevertirPago"));
    bench.set("RevertirPago", Modo::Falla, 2);
    assert_eq!(bench.send(&command(1, "RevertirPago")), done);
    let Ok(Reply::Rechazado { problema }) = bench.send(&command(2, "RevertirPago")) else {
        panic!("not refused")
    };
    assert!(problema.is(kinds::STATE));
    assert_eq!(problema.detail.as_deref(), Some(FALLA_INDUCIDA));
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn a_fault_is_for_one_command_of_one_context_as_often_as_it_says() {
    let bench = Bench::new();
    let take = |context, comando| {
        let faults = bench.faults();
        block_on(faults.take(context, comando, reserva(1))).unwrap()
    };
    assert_eq!(take(PAGOS, "PagarReserva"), None);
    bench.set("PagarReserva", Modo::Error, 2);
    assert_eq!(take(GDS, "PagarReserva"), None);
    assert_eq!(take(PAGOS, "RevertirPago"), None);
    assert_eq!(take(PAGOS, "PagarReserva"), Some(Modo::Error));
    // What is set later is what holds.
    bench.set("PagarReserva", Modo::Falla, 1);
    assert_eq!(take(PAGOS, "PagarReserva"), Some(Modo::Falla));
    assert_eq!(take(PAGOS, "PagarReserva"), None);
    bench.set("PagarReserva", Modo::Falla, 3);
    bench.set("PagarReserva", Modo::Falla, 0);
    assert_eq!(take(PAGOS, "PagarReserva"), None);
    assert_eq!(bench.tables.all(TABLE), []);
}

#[test]
fn a_fault_of_one_reservation_is_for_it_alone_and_comes_first() {
    let bench = Bench::new();
    let take = |subject| {
        let faults = bench.faults();
        block_on(faults.take(PAGOS, "PagarReserva", subject)).unwrap()
    };
    let (one, other) = (reserva(1), reserva(2));
    bench.set_for(Some(one), "PagarReserva", Modo::Silencio, 1);
    assert_eq!(take(other), None);
    bench.set("PagarReserva", Modo::Error, 2);
    assert_eq!(take(one), Some(Modo::Silencio));
    assert_eq!(take(other), Some(Modo::Error));
    assert_eq!(take(one), Some(Modo::Error));
    assert_eq!((take(one), take(other)), (None, None));
    // Each is set and taken back by itself.
    for only in [Some(one), Some(other), None] {
        bench.set_for(only, "PagarReserva", Modo::Falla, 1);
    }
    bench.set_for(Some(one), "PagarReserva", Modo::Falla, 0);
    assert_eq!(take(other), Some(Modo::Falla));
    assert_eq!(take(one), Some(Modo::Falla));
    assert_eq!((take(one), take(other)), (None, None));
}

#[test]
fn a_fault_is_taken_exactly_as_often_as_it_says_by_many_at_once() {
    let mut contended = 0;
    for seed in 0..300 {
        let dice = Dice::new(seed);
        let (veces, takers) = (1 + dice.below(5), 1 + dice.below(8));
        let bench = Bench::new();
        bench.set("PagarReserva", Modo::Falla, u32::try_from(veces).unwrap());
        let mut scheduler = Scheduler::default();
        let trouble = simulation::Faults::by_chance(dice.clone(), 0);
        for _ in 0..takers {
            let faults = Faults::new(Arc::new(trouble.tables(bench.tables.clone())));
            let work: BoxFuture<'static, _> = async move {
                let (context, anyone) = (PAGOS, reserva(1));
                faults.take(context, "PagarReserva", anyone).await
            }
            .boxed();
            scheduler.spawn(work);
        }
        let mut taken = 0;
        loop {
            match scheduler.step(&dice, 0) {
                Step::Done(_, answer) => taken += u64::from(answer.unwrap().is_some()),
                Step::Progress => {}
                Step::Killed(_) | Step::Idle => break,
            }
        }
        assert_eq!(taken, veces.min(takers), "seed {seed}");
        contended += u64::from(trouble.count() > usize::try_from(takers * 3).unwrap());
    }
    assert!(contended > 20, "only {contended} runs met one another");
}

#[test]
fn every_modo_has_one_name_everywhere() {
    for modo in Modo::ALL {
        assert_eq!(Modo::named(modo.name()), Some(modo));
        assert_eq!(json!(modo), json!(modo.name()));
    }
    assert_eq!(Modo::named("Falla"), None);
}
