//! Sagas of the stack under test: waited for, and held against what was really charged and really held.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use alpes_messages::{Event, StreamId};
use alpes_saga::{Saga, SagaId, Sagas, Status};
use events::{GDS, IdReserva, VUELOS};
use gds::inventory::{self, Inventory, Vuelo};
use pagos::simulador::{self, Tipo};
use serde_json::{Value, json};

use crate::{Answer, PATIENCE, Stack, pause_after, reservation, unique};

/// Between two wake-ups: the schedule has one a minute.
const TICK: Duration = Duration::from_secs(1);
/// How long no saga of those that are waited for may get on: they wait in one log with those of all other tests.
const PATIENCE_IN_LINE: Duration = PATIENCE.saturating_mul(2);
/// Sagas of one look.
const AT_A_LOOK: usize = 100;

/// When this program wakes sagas again, for all of its tests.
static NEXT_TICK: Mutex<Option<Instant>> = Mutex::new(None);

/// A reservation that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Booked {
    /// The reservation.
    pub id: IdReserva,
    /// Its saga.
    pub saga: SagaId,
}

impl From<&Answer> for Booked {
    fn from(answer: &Answer) -> Self {
        let saga = answer.expect(202)["id_correlacion"].clone();
        Self {
            id: reservation(answer),
            saga: saga.as_str().unwrap().parse().unwrap(),
        }
    }
}

/// How participants are to misbehave for one reservation.
#[derive(Clone, Copy)]
pub struct Falla<'a> {
    /// Whose command.
    pub contexto: &'a str,
    /// Its type.
    pub comando: &'a str,
    /// How.
    pub modo: &'a str,
    /// How often; with 0 it is taken back.
    pub veces: u32,
}

impl Falla<'_> {
    /// Nobody answers who is to charge.
    pub const SILENT_PAYMENT: Self = Falla {
        contexto: "pagos",
        comando: "PagarReserva",
        modo: "silencio",
        veces: 1_000,
    };
}

/// What became of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// How its saga stands.
    pub saga: Status,
    /// How the reservation stands, by its last event.
    pub reserva: &'static str,
    /// How often the provider took money.
    pub charges: usize,
    /// How often the provider gave money back.
    pub refunds: usize,
    /// Whether it holds seats.
    pub seated: bool,
}

impl Outcome {
    /// Charged once, seated, approved.
    pub const APPROVED: Self = Self {
        saga: Status::Completed,
        reserva: "Aprobada",
        charges: 1,
        refunds: 0,
        seated: true,
    };
    /// Cancelled before anything was charged.
    pub const NOT_CHARGED: Self = Self {
        saga: Status::Compensated,
        reserva: "Cancelada",
        charges: 0,
        refunds: 0,
        seated: false,
    };
    /// Cancelled after it was charged, which was given back.
    pub const REFUNDED: Self = Self {
        charges: 1,
        refunds: 1,
        ..Self::NOT_CHARGED
    };
}

impl Stack {
    /// Books over HTTP.
    pub fn booked(&self, body: &Value) -> Booked {
        self.booked_as(&unique("reserva"), body)
    }

    /// Books over HTTP under a key, which says beforehand which reservation it will be. See [`Self::reservation_of`].
    pub fn booked_as(&self, key: &str, body: &Value) -> Booked {
        let body = body.to_string();
        let answer = self.api.book(body.as_bytes(), &[("Idempotency-Key", key)]);
        let booked = Booked::from(&answer);
        assert_eq!(booked.id, self.reservation_of(key));
        booked
    }

    /// The reservation that a key makes.
    pub fn reservation_of(&self, key: &str) -> IdReserva {
        let id = api::command_id("POST /vuelos/reserva", Some(key), &*self.world.ids);
        api::reservation_of(id)
    }

    /// Has a participant misbehave, for this reservation alone.
    pub fn misbehave(&self, id: IdReserva, falla: Falla) {
        let body = json!({
            "contexto": falla.contexto,
            "comando": falla.comando,
            "id_reserva": id,
            "modo": falla.modo,
            "veces": falla.veces,
        });
        self.api.send("/pruebas/fallas", &body).expect(202);
    }

    /// Says how many seats of a flight are free.
    pub fn set_seats(&self, vuelo: &Vuelo, sillas: u32) {
        let body = json!({
            "origen": vuelo.origen,
            "destino": vuelo.destino,
            "fecha_salida": vuelo.fecha_salida,
            "sillas": sillas,
        });
        self.api.send("/pruebas/inventario", &body).expect(202);
    }

    /// The seats of a flight.
    pub fn seats(&self, vuelo: &Vuelo) -> Inventory {
        self.wait(inventory::read(&*self.tables, vuelo)).unwrap()
    }

    /// The sagas.
    pub fn sagas(&self) -> Sagas {
        self.wiring.sagas()
    }

    /// A saga as the API tells it.
    pub fn saga(&self, booked: Booked) -> Value {
        self.api.get(&format!("/sagas/{}", booked.saga)).expect(200)
    }

    /// Waits until nothing more happens by itself in any of these sagas, as long as they get on; how each stands.
    pub fn at_rest(&self, of: &[Booked]) -> Vec<Status> {
        let mut found: BTreeMap<SagaId, Status> = BTreeMap::new();
        let (mut last, mut since) = (vec![], Instant::now());
        loop {
            let missing: Vec<_> = of
                .iter()
                .map(|booked| booked.saga)
                .filter(|id| !found.contains_key(id))
                .collect();
            if missing.is_empty() {
                return of.iter().map(|booked| found[&booked.saga]).collect();
            }
            let (look, mut moving) = (Instant::now(), vec![]);
            for saga in self.look(&missing) {
                if is_at_rest(&saga) {
                    found.insert(saga.id, saga.status);
                } else {
                    moving.push((saga.id, saga.log.len(), saga.repeats()));
                }
            }
            if moving != last {
                (last, since) = (moving, Instant::now());
            }
            assert!(
                since.elapsed() < PATIENCE_IN_LINE,
                "{} sagas do not come to rest, {} of them have begun: {:?}",
                missing.len(),
                last.len(),
                last.first()
            );
            let pause = pause_after(look);
            self.tick();
            std::thread::sleep(pause);
        }
    }

    /// Those of these sagas that have begun.
    fn look(&self, ids: &[SagaId]) -> Vec<Saga> {
        let sagas = self.sagas();
        let chunks = ids.chunks(AT_A_LOOK);
        let chunks = chunks.map(|ids| self.wait(sagas.load_each(ids)));
        let stored = chunks.flatten().filter_map(|saga| saga.unwrap());
        stored.map(|stored| stored.saga).collect()
    }

    /// How many of these sagas have come to rest.
    pub fn resting(&self, of: &[Booked]) -> usize {
        let ids: Vec<_> = of.iter().map(|booked| booked.saga).collect();
        let sagas = self.look(&ids);
        sagas.iter().filter(|saga| is_at_rest(saga)).count()
    }

    /// Wakes sagas and resumes reactions whose time has come, unless that was done just now. One that fails shows in sagas that do not get on.
    pub fn tick(&self) {
        let Ok(mut next) = NEXT_TICK.try_lock() else {
            return;
        };
        let begun = Instant::now();
        if next.is_none_or(|next| next <= begun) {
            for task in ["wake", "reactions"] {
                self.invoke("timers", &json!({ "task": task }));
            }
            *next = Some(Instant::now() + pause_after(begun).max(TICK));
        }
    }

    /// Waits until a reservation has come to rest, in its saga and in the view; what became of it.
    pub fn outcome(&self, booked: Booked) -> Outcome {
        let outcome = self.outcomes(&[booked])[0];
        self.seen_as(booked.id, outcome.reserva);
        outcome
    }

    /// Waits until all of these reservations' sagas have come to rest; what became of each.
    pub fn outcomes(&self, of: &[Booked]) -> Vec<Outcome> {
        let states = self.at_rest(of);
        let told = of.iter().zip(states);
        told.map(|(booked, saga)| self.told(booked.id, saga))
            .collect()
    }

    fn told(&self, id: IdReserva, saga: Status) -> Outcome {
        let kinds = |context| self.kinds(StreamId::new(context, id));
        let of_vuelos = kinds(VUELOS);
        let has = |kind: &str| of_vuelos.iter().any(|known| known == kind);
        let key = pagos::key(id);
        let ledger = self.wait(simulador::ledger(&*self.tables, &key)).unwrap();
        let moved = |tipo| ledger.iter().filter(|moved| moved.tipo == tipo).count();
        let held = kinds(GDS);
        Outcome {
            saga,
            reserva: match (has("ReservaCancelada"), has("ReservaAprobada")) {
                (true, _) => "Cancelada",
                (false, true) => "Aprobada",
                (false, false) => "Pendiente",
            },
            charges: moved(Tipo::Cargo),
            refunds: moved(Tipo::Devolucion),
            seated: held
                .last()
                .is_some_and(|kind| kind == "ReservaGDSConfirmada"),
        }
    }

    /// The types of the events of a stream.
    pub fn kinds(&self, id: StreamId) -> Vec<String> {
        let stream = self.wait(self.streams().read_one(id)).unwrap();
        let events = stream.events.iter().map(|text| {
            let event: Event = serde_json::from_str(text).unwrap();
            event.kind
        });
        events.collect()
    }
}

/// True if nothing more happens by itself.
fn is_at_rest(saga: &Saga) -> bool {
    let stuck = saga.status == Status::NeedsIntervention;
    saga.status.has_ended() || stuck
}

/// The log of a saga as the API tells it, a line each: what was sent, what was answered, what was decided. Without attempts that were
/// not answered and what came from the stream besides, for how much of that comes before the end is a matter of speed.
pub fn story(saga: &Value) -> Vec<String> {
    let lines = saga["log"].as_array().unwrap().iter();
    let lines = lines.filter(|line| line["sentido"] != "nota" && line["tipo"] != "SinRespuesta");
    lines
        .map(|line| {
            let names = ["evento", "comando", "estado", "motivo", "nota", "problema"];
            let about = names.iter().find_map(|name| line[name].as_str());
            let what = line["tipo"].as_str().unwrap();
            format!("{what} {}", about.unwrap_or_default())
        })
        .collect()
}
