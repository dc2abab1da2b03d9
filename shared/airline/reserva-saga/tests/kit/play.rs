//! The system that the saga kit runs: the three contexts on the event store, with seats and a payment provider.

use std::sync::Arc;

use alpes_event_store::{Decider, EventStore, Sweeper, verify};
use alpes_messages::{Command, CommandId, Context, CorrelationId, Event, SagaMode, StreamId};
use alpes_participant::{FaultMode, Faults, Participant};
use alpes_ports::{Log, LogReader, Position, Tables, World};
use alpes_saga::{
    Answer, Definition, Dispatch, Fact, NoAnswer, Participants, Saga, SagaId, StepNumber,
};
use async_trait::async_trait;
use events::{CONTEXTS, GDS, IdReserva, PAGOS, Payload, VUELOS, vuelos::EstadoReserva};
use gds::{Gds, inventory};
use pagos::{
    Pagos,
    simulador::{self, Simulador},
};
use reserva_saga::{answer, command, current, fact};
use saga_kit::{Play, Setting};
use serde_json::{Value, json};
use uuid::Uuid;
use vuelos::{Reserva as Fold, Vuelos, crear_reserva::Viaje, tarifa};

use crate::planted::Planted;

/// The reservation whose saga the kit runs.
pub struct Reserva {
    /// The payment token if the payment is to succeed.
    pub paid_by: &'static str,
    /// The payment token if the payment is to fail.
    pub declined_by: &'static str,
    /// The planted mistake, if any.
    pub planted: Option<Planted>,
}

impl Default for Reserva {
    fn default() -> Self {
        Self {
            paid_by: "tok_visa",
            declined_by: "tok_rechazada",
            planted: None,
        }
    }
}

pub const ID: IdReserva = IdReserva(Uuid::from_u128(0x0001_7000_8000_0000_0000_0001));

/// The number of passengers of the reservation.
const PASSENGERS: u32 = 3;

fn flight() -> inventory::Vuelo {
    inventory::Vuelo {
        origen: "BOG".into(),
        destino: "JFK".into(),
        fecha_salida: "2026-11-22T13:10:00Z".parse().unwrap(),
    }
}

fn body(medio: &str) -> Value {
    let leg = json!({
        "fecha_salida": "2026-11-22T13:10:00Z", "fecha_llegada": "2026-11-22T18:10:00Z",
        "origen": {"codigo": "BOG"}, "destino": {"codigo": "JFK"},
    });
    json!({
        "itinerarios": [{"odos": [{"segmentos": [{"legs": [leg]}]}]}],
        "pago": {"medio": medio},
        "pasajeros": vec![json!({"nombre": "Ana"}); PASSENGERS as usize],
    })
}

/// The price of the reservation that this body asks for, with its tax.
fn total(body: &Value) -> f64 {
    let viaje = json!({"itinerarios": body["itinerarios"], "pasajeros": body["pasajeros"]});
    let viaje = Viaje::parse(&viaje).unwrap();
    let price = tarifa::price(&viaje.itinerarios, viaje.passengers());
    let total = price.monto.0 + price.monto_vat.0;
    total.to_string().parse().unwrap()
}

/// The command of the step that is to fail, and the name of the step's participant.
fn failing(fails_at: Option<StepNumber>) -> Option<(&'static str, &'static str)> {
    let step = current().step(fails_at?)?.clone();
    Some((step.command, step.call?.participant))
}

/// The three participants.
struct Contexts {
    vuelos: Participant<Payload>,
    pagos: Participant<Payload>,
    gds: Participant<Payload>,
}

#[async_trait]
impl Participants for Contexts {
    async fn send(&self, dispatch: &Dispatch) -> Result<Answer, NoAnswer> {
        let participant = match dispatch.participant {
            "vuelos" => &self.vuelos,
            "pagos" => &self.pagos,
            _ => &self.gds,
        };
        let handled = participant.handle(&command(dispatch)).await;
        handled
            .map(|reply| answer(&reply))
            .map_err(|error| NoAnswer(error.to_string()))
    }
}

fn store(tables: Arc<dyn Tables>, log: Arc<dyn Log>, world: &World) -> EventStore<Payload> {
    EventStore::new(tables, log, world.clone(), events::catalogue())
}

/// An event store without faults.
fn calm_store(setting: &Setting) -> EventStore<Payload> {
    store(setting.tables.clone(), setting.log.clone(), &setting.world)
}

async fn events(setting: &Setting) -> Vec<Event> {
    let mut found = vec![];
    for shard in setting.log.shards().await.unwrap() {
        let mut next = Some(Position::Oldest);
        while let Some(from) = next {
            let batch = setting.log.read(&shard, &from).await.unwrap();
            found.extend(batch.records.iter().map(|record| {
                let (event, _) = Event::decode(&record.data, &events::catalogue()).unwrap();
                event
            }));
            next = if batch.at_tip { None } else { batch.next };
        }
    }
    found
}

#[async_trait]
impl Play for Reserva {
    fn definition(&self) -> Definition {
        current()
    }

    fn participants(
        &self,
        setting: &Setting,
        fails_at: Option<StepNumber>,
    ) -> Arc<dyn Participants> {
        let tables: Arc<dyn Tables> = Arc::new(setting.faults.tables(setting.tables.clone()));
        let log: Arc<dyn Log> = Arc::new(setting.faults.log(setting.log.clone()));
        let participant =
            |context: Context, decider: Arc<dyn Decider<Payload>>, failure| Participant {
                context,
                store: store(tables.clone(), log.clone(), &setting.world),
                decider: match &self.planted {
                    None => decider,
                    Some(planted) => planted.decider(decider, tables.clone()),
                },
                failure,
                faults: fails_at.map(|_| Faults::new(setting.tables.clone())),
                world: setting.world.clone(),
            };
        let gateway = Arc::new(Simulador::new(tables.clone(), setting.world.clone()));
        Arc::new(Contexts {
            vuelos: participant(VUELOS, Arc::new(Vuelos), vuelos::FAILURE),
            pagos: participant(PAGOS, Arc::new(Pagos { gateway }), pagos::FAILURE),
            gds: participant(GDS, Arc::new(Gds), gds::FAILURE),
        })
    }

    async fn open(&self, setting: &Setting, fails_at: Option<StepNumber>) -> (SagaId, Fact) {
        let (mut free, mut medio) = (PASSENGERS, self.paid_by);
        match failing(fails_at) {
            Some((pagos::PAGAR_RESERVA, _)) => medio = self.declined_by,
            Some((gds::CONFIRMAR_RESERVA, _)) => free = PASSENGERS - 1,
            Some((command, participant)) => {
                let mut contexts = CONTEXTS.into_iter();
                let context = contexts.find(|one| one.name == participant).unwrap();
                let faults = Faults::new(setting.tables.clone());
                let always = u32::MAX;
                let set = faults.set(context, command, None, FaultMode::Failure, always);
                set.await.unwrap();
            }
            None => {}
        }
        inventory::set_free(&*setting.tables, &flight(), free)
            .await
            .unwrap();
        let command = Command {
            id: CommandId(Uuid::from_u128(5)),
            kind: vuelos::CREAR_RESERVA.into(),
            subject: ID,
            correlationid: CorrelationId(Uuid::from_u128(6)),
            causationid: None,
            sagamode: SagaMode::Orchestration,
            traceparent: None,
            actor: None,
            prueba: false,
            data: body(medio),
        };
        let handled = calm_store(setting).handle(&Vuelos, &command).await.unwrap();
        let alpes_event_store::Handled::Committed { events, .. } = handled else {
            panic!("{handled:?}");
        };
        (SagaId(command.correlationid.0), fact(&events[0]))
    }

    async fn facts(&self, setting: &Setting) -> Vec<Fact> {
        events(setting).await.iter().map(fact).collect()
    }

    async fn tick(&self, setting: &Setting) {
        let store = calm_store(setting);
        let sweeper = Sweeper::new(&store);
        sweeper.sweep().await.unwrap();
    }

    async fn check(&self, setting: &Setting, saga: &Saga) -> Vec<String> {
        let mut found = vec![];
        let mut must = |holds: bool, text: String| {
            if !holds {
                found.push(text);
            }
        };
        let stands = saga.status == alpes_saga::Status::Completed;
        let ledger = simulador::ledger(&*setting.tables, &pagos::key(ID)).await;
        let charged = simulador::balance(&ledger.unwrap()).to_string();
        let expected = if stands {
            total(&body(simulador::VISA))
        } else {
            0.0
        };
        must(
            charged.parse() == Ok(expected),
            format!("{charged} is charged, not {expected}"),
        );
        let seats = inventory::read(&*setting.tables, &flight()).await.unwrap();
        must(
            seats.held == i64::from(stands) * i64::from(PASSENGERS),
            format!("{} seats are held", seats.held),
        );
        let reader = calm_store(setting);
        let stream = StreamId::new(VUELOS, ID);
        let stream = reader.reader().read_one(stream).await.unwrap();
        let history = stream.decode(&events::catalogue(), 1, u32::MAX).unwrap();
        let history: Vec<_> = history
            .into_iter()
            .map(|stored| (stored.event, stored.payload))
            .collect();
        let estado = Fold::fold(&history).estado();
        let expected = if stands {
            EstadoReserva::Aprobada
        } else {
            EstadoReserva::Cancelada
        };
        must(estado == Some(expected), format!("it is {estado:?}"));
        self.tick(setting).await;
        let tables = &*setting.tables;
        let verified = verify(tables, &*setting.log, reader.reader(), None).await;
        let differences = verified.unwrap().differences;
        must(differences.is_empty(), format!("{differences:?}"));
        found
    }

    fn rules(&self) -> Arc<alpes_saga::Rules> {
        match &self.planted {
            None => Arc::new(alpes_saga::transition),
            Some(planted) => planted.rules(),
        }
    }

    fn tamper(
        &self,
        tables: Arc<dyn Tables>,
        line: Arc<dyn Participants>,
    ) -> (Arc<dyn Tables>, Arc<dyn Participants>) {
        match &self.planted {
            None => (tables, line),
            Some(planted) => planted.tamper(tables, line),
        }
    }
}
