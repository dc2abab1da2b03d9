//! Reservations with their streams, a log to deliver from, and a projector over tables in memory.

use std::sync::Arc;

use alpes_consumer::{Outcome, Parked, Parking};
use alpes_event_store::{StreamReader, TABLE as STREAMS};
use alpes_messages::{
    Command, CommandId, Context, CorrelationId, Event, EventId, Moment, NewEvent, Origin, SagaMode,
    StreamId, SubjectId,
};
use alpes_ports::{Item, Key, LogRecord, Path, SequenceNumber, Tables, Update, World};
use alpes_projections::{Projector, View};
use events::{Catalogue, Payload, pagos, vuelos};
use futures::{FutureExt, executor::block_on};
use jiff::Timestamp;
use serde_json::{Value, json};
use simulation::Faults;
use twins::MemoryTables;
use uuid::Uuid;
use views::reservas::Reservas;

pub fn id(number: u128) -> SubjectId {
    SubjectId(Uuid::from_u128(number))
}

pub fn moment(seconds: i64) -> Moment {
    Timestamp::from_second(1_769_853_600 + seconds)
        .unwrap()
        .into()
}

pub fn pago() -> vuelos::Pago {
    serde_json::from_value(
        json!({ "monto": "10.00", "monto_vat": "1.90", "moneda": "USD", "medio": "tok_visa" }),
    )
    .unwrap()
}

pub fn creada(id_reserva: SubjectId, client: &str, at: i64) -> NewEvent {
    vuelos::ReservaCreada {
        id_reserva,
        id_cliente: Some(client.to_owned()).filter(|client| !client.is_empty()),
        estado: vuelos::EstadoReserva::Pendiente,
        fecha_creacion: moment(at),
        itinerarios: vec![],
        pago: Some(pago()),
    }
    .into()
}

pub fn pagada(id_reserva: SubjectId, at: i64) -> NewEvent {
    pagos::ReservaPagada {
        id_reserva,
        pago: pago(),
        fecha_actualizacion: moment(at),
    }
    .into()
}

pub fn aprobada(id_reserva: SubjectId, at: i64) -> NewEvent {
    vuelos::ReservaAprobada {
        id_reserva,
        fecha_actualizacion: moment(at),
    }
    .into()
}

pub fn fallida(id_reserva: SubjectId, at: i64) -> NewEvent {
    let motivo = "por probar".to_owned();
    vuelos::AprobacionReservaFallida {
        id_reserva,
        fecha_actualizacion: moment(at),
        motivo,
    }
    .into()
}

pub fn cancelada(id_reserva: SubjectId, at: i64) -> NewEvent {
    let motivo = "por probar".to_owned();
    vuelos::ReservaCancelada {
        id_reserva,
        fecha_actualizacion: moment(at),
        motivo,
    }
    .into()
}

/// The view that most tests look at, alone.
pub fn reservas() -> Vec<Arc<dyn View<Payload>>> {
    vec![Arc::new(Reservas)]
}

/// What outlives a process.
#[derive(Clone)]
pub struct Bench {
    pub tables: Arc<MemoryTables>,
    pub world: World,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            tables: Arc::new(MemoryTables::new()),
            world: twins::world(1).0,
        }
    }

    /// Commits events to their stream, each at its time, and gives the records that the log would have of them.
    pub fn commit(
        &self,
        subject: SubjectId,
        context: Context,
        new: Vec<(NewEvent, i64)>,
    ) -> Vec<LogRecord> {
        let stream = StreamId::new(context, subject);
        let key = alpes_event_store::Stream::key(stream);
        let before = block_on(self.tables.get_one(&key, alpes_ports::Consistency::Strong)).unwrap();
        let version = before.map_or(0, |item| {
            u32::try_from(item["version"].as_u64().unwrap()).unwrap()
        });
        let command = Command {
            id: CommandId(Uuid::from_u128(1)),
            kind: "Probar".into(),
            subject,
            correlationid: CorrelationId(Uuid::from_u128(2)),
            causationid: None,
            prueba: false,
            sagamode: SagaMode::Orchestration,
            traceparent: None,
            data: Value::Null,
        };
        let mut records = vec![];
        let mut texts = vec![];
        for (version, (new, at)) in (version + 1..).zip(new) {
            let id = EventId(Uuid::from_u128(
                subject.0.as_u128() * 1_000 + u128::from(version),
            ));
            let event = Event::placed(
                new,
                Origin {
                    command: &command,
                    stream,
                    version,
                    id,
                    time: moment(at),
                },
            );
            let text = event.encode().unwrap();
            records.push(record(&subject.to_string(), text.as_bytes()));
            texts.push(Value::from(text));
        }
        let total = version + u32::try_from(texts.len()).unwrap();
        let mut update = Update::of(key)
            .append(Path::of("events"), texts)
            .set(Path::of("version"), total);
        update = update
            .set(Path::of("published"), total)
            .set(Path::of("receipts"), Item::new());
        block_on(self.tables.write(&update.into())).unwrap();
        records
    }

    pub fn projector(
        &self,
        faults: &Faults,
        catalogue: Catalogue,
        views: Vec<Arc<dyn View<Payload>>>,
    ) -> Projector<Payload> {
        let tables = Arc::new(faults.tables(self.tables.clone()));
        Projector::new(
            tables.clone(),
            StreamReader::new(tables, catalogue),
            self.world.clone(),
            views,
        )
    }

    /// Delivers a batch to a process under `faults`; `None` if the process died of it.
    pub fn deliver(&self, faults: &Faults, records: &[LogRecord]) -> Option<Outcome> {
        let projector = self.projector(faults, events::catalogue(), reservas());
        projector.consumer().consume(records).now_or_never()
    }

    /// Delivers a batch until it is done.
    pub fn settle(&self, records: &[LogRecord]) -> Outcome {
        let outcome = self.deliver(&Faults::none(), records).unwrap();
        assert_eq!(outcome.failed, None);
        outcome
    }

    /// The rows of a generation of `reservas`, by reservation, without what the projector keeps for itself.
    pub fn rows(&self, generation: &str) -> Vec<(String, Item)> {
        let rows = self
            .tables
            .all(alpes_projections::TABLE)
            .into_iter()
            .filter_map(|(Key { pk, .. }, mut item)| {
                let subject = pk.strip_prefix(&format!("{generation}#"))?.to_owned();
                item.remove("rev");
                Some((subject, item))
            });
        rows.collect()
    }

    pub fn row(&self, subject: SubjectId) -> Option<Item> {
        self.rows("reservas.1")
            .into_iter()
            .find(|(id, _)| *id == subject.to_string())
            .map(|(_, item)| item)
    }

    pub fn parked(&self) -> Vec<Parked> {
        block_on(
            Parking::new(
                self.tables.clone(),
                self.world.clock.clone(),
                &events::catalogue(),
            )
            .list(),
        )
        .unwrap()
    }

    pub fn reader(&self) -> StreamReader<Payload> {
        StreamReader::new(self.tables.clone(), events::catalogue())
    }

    pub fn stream_items(&self) -> usize {
        self.tables.all(STREAMS).len()
    }
}

/// A record, at a place that follows from its bytes.
pub fn record(partition_key: &str, data: &[u8]) -> LogRecord {
    let place = data.iter().fold(7_u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(*byte))
    });
    LogRecord {
        shard: "shardId-000000000000".into(),
        sequence: SequenceNumber(format!("{place:056}")),
        partition_key: partition_key.to_owned(),
        data: data.to_vec(),
        arrived: moment(0).timestamp(),
    }
}
