//! Reads sagas of the stack under test: waits for their ends, and compares them with the charges and the seats.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use alpes_messages::{Event, StreamId};
use alpes_saga::{Direction, Entry, Saga, SagaId, Sagas, Status, What};
use events::{GDS, IdReserva, VUELOS};
use gds::inventory::{self, Inventory, Vuelo};
use pagos::simulador::{self, Tipo};
use serde_json::{Value, json};

use crate::{Answer, PATIENCE, Stack, pause_after, reservation, unique};

/// The pause between wake-ups of sagas. The deployed schedule wakes sagas only once a minute.
const TICK: Duration = Duration::from_secs(1);
/// How long the awaited sagas may make no progress. These sagas share a log with the sagas of all other tests.
const PATIENCE_IN_LINE: Duration = PATIENCE.saturating_mul(2);
/// The most sagas in one read of the table.
const AT_A_LOOK: usize = 100;

/// The time of the next wake-up of sagas by this test program. All of its tests share it.
static NEXT_TICK: Mutex<Option<Instant>> = Mutex::new(None);

/// An accepted reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Booked {
    /// The reservation's id.
    pub id: IdReserva,
    /// The saga's id.
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

/// A fault to inject into a participant for one reservation.
#[derive(Clone, Copy)]
pub struct Falla<'a> {
    /// The context of the command.
    pub contexto: &'a str,
    /// The type of the command.
    pub comando: &'a str,
    /// The mode of the fault.
    pub modo: &'a str,
    /// The number of commands that the fault affects; 0 removes the fault.
    pub veces: u32,
}

impl Falla<'_> {
    /// The command that charges gets no answer.
    pub const SILENT_PAYMENT: Self = Falla {
        contexto: "pagos",
        comando: "PagarReserva",
        modo: "silencio",
        veces: 1_000,
    };
}

/// The outcome of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The status of the reservation's saga.
    pub saga: Status,
    /// The reservation's state, by its last event.
    pub reserva: &'static str,
    /// How many charges the provider made.
    pub charges: usize,
    /// How many refunds the provider made.
    pub refunds: usize,
    /// True if the reservation holds seats.
    pub seated: bool,
}

impl Outcome {
    /// The reservation is charged once, has its seats, and is approved.
    pub const APPROVED: Self = Self {
        saga: Status::Completed,
        reserva: "Aprobada",
        charges: 1,
        refunds: 0,
        seated: true,
    };
    /// The reservation is cancelled before any charge.
    pub const NOT_CHARGED: Self = Self {
        saga: Status::Compensated,
        reserva: "Cancelada",
        charges: 0,
        refunds: 0,
        seated: false,
    };
    /// The reservation is cancelled after a charge, which is refunded.
    pub const REFUNDED: Self = Self {
        charges: 1,
        refunds: 1,
        ..Self::NOT_CHARGED
    };
}

impl Stack {
    /// Makes a reservation over HTTP.
    pub fn booked(&self, body: &Value) -> Booked {
        self.booked_as(&unique("reserva"), body)
    }

    /// Makes a reservation over HTTP with an idempotency key. The reservation's id follows from the key: see
    /// [`Self::reservation_of`].
    pub fn booked_as(&self, key: &str, body: &Value) -> Booked {
        let body = body.to_string();
        let answer = self.api.book(body.as_bytes(), &[("Idempotency-Key", key)]);
        Booked::from(&answer)
    }

    /// The id of the reservation that a request with this idempotency key makes. Only the stack can compute it.
    pub fn reservation_of(&self, key: &str) -> IdReserva {
        let none = Falla {
            veces: 0,
            ..Falla::SILENT_PAYMENT
        };
        self.misbehave(key, none)
    }

    /// Sets a fault of a participant for the reservation that a request with this idempotency key makes, and for no
    /// other. Returns the reservation's id.
    pub fn misbehave(&self, key: &str, falla: Falla) -> IdReserva {
        self.set_fault("clave", &json!(key), falla)
    }

    /// Replaces the fault of a participant for this reservation.
    pub fn change_fault(&self, id: IdReserva, falla: Falla) {
        self.set_fault("id_reserva", &json!(id), falla);
    }

    fn set_fault(&self, field: &str, of: &Value, falla: Falla) -> IdReserva {
        let body = json!({
            "contexto": falla.contexto,
            "comando": falla.comando,
            field: of,
            "modo": falla.modo,
            "veces": falla.veces,
        });
        let answer = self.api.send("/pruebas/fallas", &body).expect(202);
        serde_json::from_value(answer["id_reserva"].clone()).unwrap()
    }

    /// Sets the number of free seats of a flight.
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

    /// The saga table.
    pub fn sagas(&self) -> Sagas {
        self.wiring.sagas()
    }

    /// A saga as the API shows it.
    pub fn saga(&self, booked: Booked) -> Value {
        self.api.get(&format!("/sagas/{}", booked.saga)).expect(200)
    }

    /// Waits until each of these sagas has ended or waits for a person. Panics if they make no progress for too long
    /// before that. Returns their statuses.
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
                "{} sagas are not at rest, and {} of them have begun: {:?}",
                missing.len(),
                last.len(),
                last.first()
            );
            let pause = pause_after(look);
            self.tick();
            std::thread::sleep(pause);
        }
    }

    /// Asserts that a reservation ended as it must. On an unkind stack, a step may get no answer at any of its attempts:
    /// its saga's log tells so, and everything is undone then.
    pub fn must_be(&self, booked: Booked, outcome: Outcome, expected: Outcome) {
        if outcome != expected && self.gave_up(booked) {
            let undone = [Outcome::REFUNDED, Outcome::NOT_CHARGED];
            assert!(undone.contains(&outcome), "{booked:?}: {outcome:?}");
            return;
        }
        assert_eq!(outcome, expected, "{booked:?}");
    }

    /// True if the stack is unkind, and a step of this saga got no answer at any of its attempts.
    pub fn gave_up(&self, booked: Booked) -> bool {
        let timed_out = |entry: &Entry| {
            let What::TimedOut { direction, .. } = entry.what else {
                return false;
            };
            direction == Direction::Do
        };
        self.is_unkind()
            && self
                .look(&[booked.saga])
                .iter()
                .any(|saga| saga.log.iter().any(timed_out))
    }

    /// Reads these sagas. Sagas that have not begun are left out.
    fn look(&self, ids: &[SagaId]) -> Vec<Saga> {
        let sagas = self.sagas();
        let chunks = ids.chunks(AT_A_LOOK);
        let chunks = chunks.map(|ids| self.wait(sagas.load_each(ids)));
        let stored = chunks.flatten().filter_map(|saga| saga.unwrap());
        stored.map(|stored| stored.saga).collect()
    }

    /// How many of these sagas have ended or wait for a person.
    pub fn resting(&self, of: &[Booked]) -> usize {
        let ids: Vec<_> = of.iter().map(|booked| booked.saga).collect();
        let sagas = self.look(&ids);
        sagas.iter().filter(|saga| is_at_rest(saga)).count()
    }

    /// Wakes due sagas and resumes due reactions, unless a test did so less than a second ago. Errors are ignored: a
    /// test that waits for sagas panics if they make no progress.
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

    /// Waits until a reservation's saga has ended or waits for a person and the view shows the reservation, and returns
    /// its outcome.
    pub fn outcome(&self, booked: Booked) -> Outcome {
        let outcome = self.outcomes(&[booked])[0];
        self.seen_as(booked.id, outcome.reserva);
        outcome
    }

    /// Waits until the sagas of these reservations have ended or wait for a person, and returns the outcome of each
    /// reservation.
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

    /// The types of the events in an event stream.
    pub fn kinds(&self, id: StreamId) -> Vec<String> {
        let stream = self.wait(self.streams().read_one(id)).unwrap();
        let events = stream.events.iter().map(|text| {
            let event: Event = serde_json::from_str(text).unwrap();
            event.kind
        });
        events.collect()
    }
}

/// True if the saga has ended or waits for a person.
fn is_at_rest(saga: &Saga) -> bool {
    let stuck = saga.status == Status::NeedsIntervention;
    saga.status.has_ended() || stuck
}

/// The log of a saga as the API shows it, one text for each line: commands, answers and decisions. Attempts without an
/// answer and entries that are only notes are left out, because their number depends on speed.
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
