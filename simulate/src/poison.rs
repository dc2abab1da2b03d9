//! Poison records: records of the log that no build can read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alpes_consumer::Parked;
use alpes_messages::StreamId;
use alpes_ports::{FunctionName, Log, NewRecord};
use futures::executor::block_on;
use notices::NOTIFIER;
use reserva_saga::{ORCHESTRATOR, PARTICIPANT_GDS, PARTICIPANT_PAGOS, PARTICIPANT_VUELOS};
use serde_json::{Value, json};

use crate::{functions::PROJECTOR, system::System};

/// A valid event, from which some poison records are made.
const SAMPLE: &str =
    include_str!("../../shared/airline/events/samples/vuelos/ReservaAprobada.v1.json");

/// The consumers that read every record, and park the unreadable ones.
const READERS: [FunctionName; 3] = [PROJECTOR, ORCHESTRATOR, NOTIFIER];
/// The consumers of records whose `sagamode` is coreografia.
const PARTICIPANTS: [FunctionName; 3] = [PARTICIPANT_VUELOS, PARTICIPANT_PAGOS, PARTICIPANT_GDS];

/// A poison record.
#[derive(Clone)]
pub struct Poison {
    pub data: Vec<u8>,
    /// True if the record passes the filters of the participants' mappings.
    choreographed: bool,
}

impl Poison {
    /// The stream that the record claims to belong to; `None` if it claims none.
    pub fn claims(&self) -> Option<StreamId> {
        let value: Value = serde_json::from_slice(&self.data).ok()?;
        value.get("stream")?.as_str()?.parse().ok()
    }

    fn readers(&self) -> impl Iterator<Item = FunctionName> {
        let participants = PARTICIPANTS.into_iter().filter(|_| self.choreographed);
        READERS.into_iter().chain(participants)
    }
}

/// The poison records that were appended.
#[derive(Clone, Default)]
pub struct Poisons(Arc<Mutex<Vec<Poison>>>);

impl Poisons {
    fn lock(&self) -> MutexGuard<'_, Vec<Poison>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The poison records so far.
    pub fn all(&self) -> Vec<Poison> {
        self.lock().clone()
    }

    /// True if these bytes are a poison record.
    pub fn has(&self, data: &[u8]) -> bool {
        self.lock().iter().any(|poison| poison.data == data)
    }
}

fn brew(number: usize, id: &str, kind: u64) -> Poison {
    let mut choreographed = false;
    let mut envelope = |change: Value| {
        choreographed = true;
        let mut event: Value = serde_json::from_str(SAMPLE).unwrap_or_default();
        if let (Value::Object(event), Value::Object(change)) = (&mut event, change) {
            event.insert("id".into(), id.into());
            event.insert("subject".into(), id.into());
            event.insert("stream".into(), format!("reserva-{id}").into());
            event.insert("sagamode".into(), "coreografia".into());
            event.extend(change);
        }
        event.to_string().into_bytes()
    };
    let newer = "urn:aeroalpes:esquema:vuelos:ReservaAprobada:v9";
    let data = match kind {
        0 => [b"\xff\xfe\x00".as_slice(), number.to_string().as_bytes()].concat(),
        1 => format!("{{\"type\": \"ReservaCreada\", \"id\": {number}").into_bytes(),
        2 => json!([number, "ReservaCreada"]).to_string().into_bytes(),
        3 => json!({"specversion": "1.0", "type": "ReservaCreada", "number": number})
            .to_string()
            .into_bytes(),
        4 => envelope(
            json!({"type": "ReservaEmbarcada", "dataschema": "urn:aeroalpes:esquema:vuelos:ReservaEmbarcada:v1"}),
        ),
        5 => envelope(json!({"data": {"number": number}})),
        6 => envelope(json!({"dataschema": newer})),
        _ => envelope(json!({"time": "ayer", "streamversion": -1})),
    };
    Poison {
        data,
        choreographed,
    }
}

/// Appends a poison record among the records of a random reservation.
pub async fn append(system: &System) {
    let dice = system.kernel.dice();
    let records = system.log.records();
    let Some(beside) = dice.pick(&records) else {
        return;
    };
    let number = system.poisons.all().len();
    let id = system.world.ids.fresh().to_string();
    let poison = brew(number, &id, dice.below(8));
    system.poisons.lock().push(poison.clone());
    system.kernel.count("log", "poison");
    system.kernel.note("poison is appended to the log");
    let appended = system
        .stream
        .append(NewRecord::new(&beside.partition_key, &poison.data));
    let appended = appended.await;
    debug_assert!(appended.is_ok(), "{appended:?}");
}

/// Checks that each consumer has parked every poison record with its bytes, and no other record.
pub fn check(system: &System, broken: &mut Vec<String>) {
    let parking = system.undisturbed().parking();
    let parked = match block_on(parking.list()) {
        Ok(parked) => parked,
        Err(error) => return broken.push(format!("the parking lot: {error}")),
    };
    let data = |parked: &Parked| block_on(parking.data(parked)).ok().flatten();
    let found: Vec<_> = parked
        .iter()
        .map(|parked| (parked.owner.as_str(), data(parked)))
        .collect();
    for poison in system.poisons.all() {
        for reader in poison.readers() {
            let is_it = |(owner, data): &&(&str, Option<Vec<u8>>)| {
                *owner == reader.0 && data.as_ref() == Some(&poison.data)
            };
            if found.iter().find(is_it).is_none() {
                let text = String::from_utf8_lossy(&poison.data);
                broken.push(format!("{} has not parked {text}", reader.0));
            }
        }
    }
    for (owner, data) in found {
        if !data.is_some_and(|data| system.poisons.has(&data)) {
            broken.push(format!("{owner} has parked a readable record"));
        }
    }
}
