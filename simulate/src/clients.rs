//! Clients of the API, with a memory of the answers that they got.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use alpes_messages::SagaMode;
use alpes_ports::FunctionName;
use alpes_projections::REBUILDER;
use events::IdReserva;
use futures::future::join;
use gds::inventory::{Vuelo, set_free};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use simulation::Kernel;

use crate::{
    Scenario,
    functions::{HTTP_COMMANDS, HTTP_QUERIES},
    http::{self, Answer},
    readers::{self, Seen},
    refusals::Bracket,
    system::System,
};

/// The reasons that clients give for cancelling.
const MOTIVOS: [&str; 3] = [PLAIN, "«aplazado» a mañana: \"ya\" \\ 🛫", ODD];
/// A reason in ASCII.
const PLAIN: &str = "cambio de planes";
/// A reason with a noncharacter. The system either refuses this reason, or announces it in a form that a queue accepts.
const ODD: &str = "cambio\u{ffff}";

/// The course of a reservation if no fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The reservation is approved.
    Good,
    /// The payment provider fails twice, and then charges.
    Flaky,
    /// The reservation's card is declined.
    Declined,
    /// The payment provider charges and never answers.
    Mute,
    /// The reservation's flight is full.
    Full,
}

impl Kind {
    const ODD: [Self; 4] = [Self::Flaky, Self::Declined, Self::Mute, Self::Full];

    fn medio(self) -> &'static str {
        use pagos::simulador::{INTERMITENTE, RECHAZADA, TIMEOUT, VISA};
        match self {
            Self::Good | Self::Full => VISA,
            Self::Flaky => INTERMITENTE,
            Self::Declined => RECHAZADA,
            Self::Mute => TIMEOUT,
        }
    }

    /// True if the reservation can end as approved.
    pub fn can_stand(self) -> bool {
        matches!(self, Self::Good | Self::Flaky)
    }
}

/// A client's cancellation of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// The client did not cancel.
    Unasked,
    /// The client asked for the cancellation, and its outcome is unknown.
    Asked,
    /// The client got the answer that the cancellation is accepted.
    Accepted,
}

/// A request for a reservation, with the answers that its client got.
#[derive(Clone, Debug)]
pub struct Booking {
    pub kind: Kind,
    pub mode: SagaMode,
    pub vuelo: Vuelo,
    /// The answers to all attempts of the request.
    pub answers: Vec<Answer>,
    /// True if the attempts share an idempotency key, so that they must make one reservation.
    pub keyed: bool,
    pub cancellation: Cancellation,
    /// True if other clients want seats on the same flight.
    pub shared: bool,
    /// For a request near the size limit: its size and outcome.
    pub large: Option<Large>,
}

/// A request near the size limit.
#[derive(Clone, Debug)]
pub struct Large {
    /// The client's id in the request.
    pub id_cliente: String,
    /// The bytes of the request's body.
    pub bytes: usize,
    /// True if the request was refused as too large.
    pub refused: bool,
}

impl Booking {
    /// The ids of the reservations that the API accepted for this request.
    pub fn accepted(&self) -> impl Iterator<Item = &str> {
        let accepted = self.answers.iter().filter(|answer| answer.status == 202);
        accepted.filter_map(|answer| answer.field("id_reserva"))
    }
}

/// The answers that clients got, and the violations that they noticed.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Known>>);

#[derive(Default)]
pub struct Known {
    /// The number of clients so far.
    clients: u64,
    pub bookings: Vec<Booking>,
    pub complaints: Vec<String>,
    /// The content of the lists and reports that readers saw.
    pub seen: Seen,
    /// The number of clients still at work.
    pub busy: usize,
}

impl Memory {
    pub fn known(&self) -> MutexGuard<'_, Known> {
        let known = self.0.lock();
        known.unwrap_or_else(PoisonError::into_inner)
    }

    pub fn complain(&self, complaint: String) {
        self.known().complaints.push(complaint);
    }

    /// Starts a process. The run does not end before this process has ended.
    pub fn spawn(
        &self,
        kernel: &Kernel,
        name: &str,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.known().busy += 1;
        let memory = self.clone();
        kernel.spawn(name, async move {
            work.await;
            memory.known().busy -= 1;
        });
    }
}

/// A client that sends requests.
#[derive(Clone)]
struct Client {
    system: System,
    scenario: Scenario,
    memory: Memory,
    number: u64,
}

/// Starts the clients.
pub fn begin(system: &System, scenario: &Scenario, memory: &Memory) {
    let first = {
        let mut known = memory.known();
        known.clients += scenario.clients;
        known.clients - scenario.clients
    };
    for number in first..first + scenario.clients {
        let client = Client {
            system: system.clone(),
            scenario: *scenario,
            memory: memory.clone(),
            number,
        };
        client.memory.spawn(
            &client.system.kernel,
            &format!("client {number}"),
            client.clone().work(),
        );
    }
    readers::begin(system, scenario, memory);
    let dice = system.kernel.dice();
    if dice.one_in(scenario.rebuild_one_in) {
        let operator = Client {
            system: system.clone(),
            scenario: *scenario,
            memory: memory.clone(),
            number: scenario.clients,
        };
        let view = if dice.one_in(2) {
            "reservas"
        } else {
            "analitica"
        };
        operator.memory.spawn(
            &operator.system.kernel,
            "operator",
            operator.clone().rebuild(view),
        );
    }
}

/// Lets an operator rebuild a view.
pub fn rebuild(system: &System, scenario: &Scenario, memory: &Memory, view: &'static str) {
    let operator = Client {
        system: system.clone(),
        scenario: *scenario,
        memory: memory.clone(),
        number: scenario.clients,
    };
    operator.memory.spawn(
        &operator.system.kernel,
        "operator",
        operator.clone().rebuild(view),
    );
}

/// The content of a client's request.
#[derive(Clone)]
struct Wish {
    kind: Kind,
    mode: SagaMode,
    vuelo: Vuelo,
    key: Option<String>,
    passengers: u32,
    /// The client's id in the request. Some requests share an id, so that lists by client have several rows.
    id_cliente: Option<String>,
    /// True if other clients want seats on the same flight.
    shared: bool,
    /// For a request near the size limit: the long name of its airports.
    large: Option<String>,
}

impl Wish {
    fn body(&self) -> Value {
        let pago = json!({ "medio": self.kind.medio() });
        let Some(name) = &self.large else {
            let legs = [self.leg(0, None)];
            let pasajeros =
                (0..self.passengers).map(|number| json!({"nombre": format!("Pasajero {number}")}));
            let mut body = json!({
                "itinerarios": [{"odos": [{"segmentos": [{"legs": legs}]}]}],
                "pasajeros": pasajeros.collect::<Vec<_>>(),
                "pago": pago,
                "saga": self.mode,
            });
            if let (Some(id_cliente), Some(fields)) = (&self.id_cliente, body.as_object_mut()) {
                fields.insert("id_cliente".to_owned(), json!(id_cliente));
            }
            return body;
        };
        let odos = (0..5).map(|odo| {
            let legs = (0..10).map(|leg| self.leg(10 * odo + leg, Some(name)));
            json!({"segmentos": [{"legs": legs.collect::<Vec<_>>()}]})
        });
        json!({
            "itinerarios": [{"odos": odos.collect::<Vec<_>>()}],
            "pago": pago,
            "saga": self.mode,
            "id_cliente": self.own_client(),
        })
    }

    /// An id that no other client uses, so a list by client has only this reservation.
    fn own_client(&self) -> String {
        let minute = self.vuelo.fecha_salida.as_second() / 60;
        format!("cliente-{minute}")
    }

    /// A leg of the journey: even numbers fly there, and odd numbers fly back. The legs are six hours apart.
    fn leg(&self, number: i64, name: Option<&str>) -> Value {
        let hours = |hours| {
            let departure = self.vuelo.fecha_salida;
            let later = departure.saturating_add(SignedDuration::from_hours(hours));
            later.unwrap_or(departure)
        };
        let airport = |code: &str| match name {
            Some(name) => json!({"codigo": code, "nombre": name}),
            None => json!({"codigo": code}),
        };
        let mut ends = [&self.vuelo.origen, &self.vuelo.destino];
        if number % 2 == 1 {
            ends.reverse();
        }
        let [from, to] = ends.map(|code| airport(code));
        json!({
            "fecha_salida": hours(6 * number), "fecha_llegada": hours(6 * number + 5),
            "origen": from, "destino": to,
        })
    }
}

/// The flight with this number. Each number has another flight.
fn vuelo(number: u64) -> Vuelo {
    let first = Timestamp::from_second(1_790_000_000).unwrap_or_default();
    let minutes = i64::try_from(number).unwrap_or(0);
    let departure = first.saturating_add(SignedDuration::from_mins(minutes));
    Vuelo {
        origen: "BOG".into(),
        destino: "JFK".into(),
        fecha_salida: departure.unwrap_or(first),
    }
}

impl Client {
    fn below(&self, bound: u64) -> u64 {
        self.system.kernel.dice().below(bound)
    }

    fn one_in(&self, times: u64) -> bool {
        self.system.kernel.dice().one_in(times)
    }

    async fn pause(&self, milliseconds: u64) {
        let pause = Duration::from_millis(self.below(milliseconds));
        self.system.kernel.sleep(pause).await;
    }

    async fn send(&self, to: FunctionName, event: &[u8]) -> Option<Answer> {
        let answered = self.system.api.call(to, event).await;
        answered.ok().map(|answer| Answer::read(&answer))
    }

    async fn work(self) {
        for number in 0..self.scenario.bookings {
            self.pause(20_000).await;
            let wish = self.wish(number).await;
            let known = &self.memory;
            let place = {
                let mut known = known.known();
                known.bookings.push(Booking {
                    kind: wish.kind,
                    mode: wish.mode,
                    vuelo: wish.vuelo.clone(),
                    answers: vec![],
                    keyed: wish.key.is_some(),
                    cancellation: Cancellation::Unasked,
                    shared: wish.shared,
                    large: wish.large.is_some().then(|| Large {
                        id_cliente: wish.own_client(),
                        bytes: wish.body().to_string().len(),
                        refused: false,
                    }),
                });
                known.bookings.len() - 1
            };
            let label = format!("client {}.{number}", self.number);
            let client = self.clone();
            self.memory.spawn(&self.system.kernel, &label, async move {
                client.book(place, &wish).await;
            });
        }
    }

    async fn wish(&self, number: u64) -> Wish {
        let kind = if self.one_in(self.scenario.odd_one_in) {
            let odd = self.system.kernel.dice().pick(&Kind::ODD);
            odd.copied().unwrap_or(Kind::Good)
        } else {
            Kind::Good
        };
        let modes = self.system.kernel.dice().pick(self.scenario.modes);
        let mode = modes.copied().unwrap_or_default();
        // Flights that many clients want have few seats. All other flights have one client each.
        let shared = self.one_in(self.scenario.shared_one_in) && kind == Kind::Good;
        let place = self.number * self.scenario.bookings + number;
        let passengers = 1 + u32::try_from(place % 3).unwrap_or(0);
        let large = self.one_in(self.scenario.large_one_in) && !shared && kind != Kind::Full;
        let vuelo = vuelo(if shared {
            self.below(shared_flights(&self.scenario))
        } else if large {
            // The legs of a large reservation take 12 days to fly. Large reservations are 80,000 minutes apart, so they
            // share no flight.
            80_000 * (1 + place)
        } else {
            12_000 + place
        });
        if !shared && !large {
            // A full flight has a seat less than the reservation needs.
            let seats = passengers - u32::from(kind == Kind::Full);
            let set = set_free(&*self.system.tables, &vuelo, seats).await;
            debug_assert!(set.is_ok(), "{set:?}");
        }
        let key = (!self.one_in(4)).then(|| format!("clave-{}-{number}", self.number));
        Wish {
            kind,
            mode,
            vuelo,
            passengers,
            id_cliente: key.is_some().then(|| format!("socio-{}", self.number / 2)),
            key,
            shared,
            large: large.then(|| self.long_name()),
        }
    }

    /// A name that makes a reservation about as large as allowed, or far too large.
    fn long_name(&self) -> String {
        if self.one_in(6) {
            return "飛".repeat(200);
        }
        let letters = usize::try_from(100 + self.below(50)).unwrap_or(100);
        "ñ".repeat(letters)
    }

    async fn book(self, place: usize, wish: &Wish) {
        let repeats =
            wish.key.is_some() && wish.large.is_none() && self.one_in(self.scenario.repeat_one_in);
        let id = if repeats && self.one_in(2) {
            self.contradict(place, wish).await
        } else if repeats {
            let both = join(self.post(place, wish), self.post(place, wish)).await;
            both.0.or(both.1)
        } else {
            self.post(place, wish).await
        };
        let Some(id) = id else {
            return;
        };
        let reader = self.clone();
        let watched = id.clone();
        let label = format!("reader {}", self.number);
        self.memory.spawn(&self.system.kernel, &label, async move {
            reader.watch(&watched).await;
        });
        if self.one_in(self.scenario.cancel_one_in) {
            self.cancel(place, &id).await;
        }
    }

    /// Posts a request until an answer arrives. Returns the id of the accepted reservation.
    async fn post(&self, place: usize, wish: &Wish) -> Option<String> {
        let key = wish.key.as_deref();
        let key = key.map(|key| ("idempotency-key", key));
        let headers = key.as_slice();
        let event = http::event("POST", "/vuelos/reserva", headers, Some(&wish.body()));
        for _ in 0..8 {
            if let Some(answer) = self.send(HTTP_COMMANDS, &event).await {
                let status = answer.status;
                if status == 202 {
                    let id = answer.field("id_reserva").map(str::to_owned);
                    let mut known = self.memory.known();
                    if let Some(booking) = known.bookings.get_mut(place) {
                        booking.answers.push(answer);
                    }
                    return id;
                }
                if self.is_too_large(place, wish, status) {
                    return None;
                }
                // A temporary refusal may be retried, and so may a conflict with other writers.
                let outrun = answer.field("type") == Some("urn:aeroalpes:problema:conflicto");
                if outrun && self.scenario.is_calm() {
                    let complaint = format!("no other writer was there: {}", answer.text);
                    self.memory.complain(complaint);
                }
                if status != 503 && !outrun {
                    let complaint = format!("a good request was refused: {}", answer.text);
                    self.memory.complain(complaint);
                    return None;
                }
            }
            self.pause(2_000).await;
        }
        None
    }

    /// True for a large request that was refused for its size. Requests well below the limit must be accepted.
    fn is_too_large(&self, place: usize, wish: &Wish, status: u64) -> bool {
        const WELL_BELOW: usize = 28 * 1024;
        if wish.large.is_none() || ![400, 413, 422].contains(&status) {
            return false;
        }
        let mut known = self.memory.known();
        let booking = known.bookings.get_mut(place);
        let large = booking.and_then(|booking| booking.large.as_mut());
        large.is_some_and(|large| {
            large.refused = large.bytes > WELL_BELOW;
            large.refused
        })
    }

    /// Sends two different requests with one key at the same time. One of the two must be refused.
    async fn contradict(&self, place: usize, wish: &Wish) -> Option<String> {
        let headers = wish.key.as_deref().map(|key| ("idempotency-key", key));
        let headers = headers.as_slice();
        let other = Wish {
            vuelo: vuelo(10_000 + self.number),
            // The other request is for a flight that is not full.
            kind: if wish.kind == Kind::Full {
                Kind::Good
            } else {
                wish.kind
            },
            large: None,
            ..wish.clone()
        };
        let events = [wish, &other]
            .map(|wish| http::event("POST", "/vuelos/reserva", headers, Some(&wish.body())));
        let [one, two] = &events;
        let both = join(self.send(HTTP_COMMANDS, one), self.send(HTTP_COMMANDS, two)).await;
        let answers = [&both.0, &both.1].map(|answer| answer.as_ref().map(|one| one.status));
        if answers == [Some(202), Some(202)] {
            let complaint = format!("one key, two requests, both accepted: {both:?}");
            self.memory.complain(complaint);
        }
        if answers[1] == Some(202) {
            // The other request was accepted, so the booking is now about the other request's reservation.
            self.became(place, &other, both.1);
            return None;
        }
        if answers[0] == Some(202) {
            let id = both
                .0
                .as_ref()
                .and_then(|answer| answer.field("id_reserva"));
            let id = id.map(str::to_owned);
            self.became(place, wish, both.0);
            return id;
        }
        // The client does not know which of the two requests was accepted, if any.
        None
    }

    fn became(&self, place: usize, wish: &Wish, answer: Option<Answer>) {
        let mut known = self.memory.known();
        if let Some(booking) = known.bookings.get_mut(place) {
            (booking.vuelo, booking.kind) = (wish.vuelo.clone(), wish.kind);
            booking.answers.extend(answer);
        }
    }

    async fn cancel(&self, place: usize, id: &str) {
        self.pause(if self.one_in(2) { 1_000 } else { 20_000 })
            .await;
        let path = format!("/vuelos/reserva/{id}/cancelacion");
        let asked = |motivo: &str| {
            let body = json!({ "motivo": motivo });
            http::event("POST", &path, &[], Some(&body))
        };
        let motivo = self.system.kernel.dice().pick(&MOTIVOS);
        let mut event = asked(motivo.copied().unwrap_or(PLAIN));
        for _ in 0..8 {
            if let Some(booking) = self.memory.known().bookings.get_mut(place) {
                booking.cancellation = Cancellation::Asked;
            }
            let bracket = Bracket::of(&self.system, id);
            let Some(answer) = self.send(HTTP_COMMANDS, &event).await else {
                self.pause(2_000).await;
                continue;
            };
            match answer.status {
                202 => {
                    if let Some(booking) = self.memory.known().bookings.get_mut(place) {
                        booking.cancellation = Cancellation::Accepted;
                    }
                    if self.one_in(3) {
                        self.cancel_again(id, &event).await;
                    }
                    return;
                }
                400 if motivo == Some(&ODD) => {
                    self.system.kernel.count("refused", "an odd letter");
                    event = asked(PLAIN);
                }
                // The reservation is cancelled already, or its execution cannot be stopped now.
                409 => return self.look_into(bracket, &answer),
                503 => self.pause(2_000).await,
                _ => {
                    let complaint = format!("it cannot be cancelled: {}", answer.text);
                    return self.memory.complain(complaint);
                }
            }
        }
    }

    /// Repeats an accepted cancellation.
    async fn cancel_again(&self, id: &str, event: &[u8]) {
        self.pause(10_000).await;
        let bracket = Bracket::of(&self.system, id);
        match self.send(HTTP_COMMANDS, event).await {
            Some(answer) if answer.status == 409 => self.look_into(bracket, &answer),
            Some(answer) if ![202, 503].contains(&answer.status) => {
                let complaint = format!("it cannot be cancelled again: {}", answer.text);
                self.memory.complain(complaint);
            }
            _ => {}
        }
    }

    /// Checks that a refused cancellation is justified by the saga's state.
    fn look_into(&self, bracket: Option<Bracket>, refusal: &Answer) {
        self.system.kernel.count("refused", "a cancellation");
        let untrue = bracket.and_then(|bracket| bracket.cancellation(&self.system, refusal));
        if let Some(untrue) = untrue {
            self.memory.complain(untrue);
        }
    }

    /// Reads a reservation again and again. The reservation must never return to an earlier state.
    async fn watch(&self, id: &str) {
        const STATES: [&str; 4] = ["Pendiente", "Pagada", "Aprobada", "Cancelada"];
        self.see_its_saga(id).await;
        let event = http::event("GET", &format!("/vuelos/reserva/{id}"), &[], None);
        let mut seen = 0;
        let rounds = 4 + self.below(6);
        for _ in 0..rounds {
            self.pause(6_000).await;
            let Some(answer) = self.send(HTTP_QUERIES, &event).await else {
                continue;
            };
            if answer.status == 503 {
                continue;
            }
            if answer.field("origen") == Some("vista") {
                let at = self.system.kernel.elapsed();
                self.memory.known().seen.row(&answer.body, at);
            }
            let estado = answer.field("estado").unwrap_or_default();
            let rank = STATES.iter().position(|state| *state == estado);
            match rank {
                Some(rank) if rank >= seen => seen = rank,
                // Readers change over to a rebuilt view at a moment by their clocks. If the clocks are put back,
                // readers return to the old generation.
                Some(rank) if self.handed_over_twice() => seen = rank,
                Some(_) => {
                    let before = STATES.get(seen).unwrap_or(&"");
                    let complaint = format!("{id} went back from {before} to {estado}");
                    self.memory.complain(complaint);
                }
                None => {
                    let complaint = format!("{id} cannot be read: {}", answer.text);
                    self.memory.complain(complaint);
                }
            }
        }
    }

    /// The saga must be readable under the reservation's id as soon as the reservation is accepted.
    async fn see_its_saga(&self, id: &str) {
        let event = http::event("GET", &format!("/sagas/{id}"), &[], None);
        let Some(answer) = self.send(HTTP_QUERIES, &event).await else {
            return;
        };
        if answer.status == 200 && answer.field("origen") == Some("comando") {
            let kernel = &self.system.kernel;
            kernel.count("reader", "saw a saga before it began");
        }
        if ![200, 503].contains(&answer.status) {
            let complaint = format!("the saga of {id} cannot be read: {}", answer.text);
            self.memory.complain(complaint);
        }
    }

    fn handed_over_twice(&self) -> bool {
        let counts = self.system.kernel.counts();
        let back = counts.contains_key(&("clocks", "back".into()));
        back && self.scenario.rebuild_one_in > 0
    }

    /// Asks for a rebuild of a view until the rebuild is done.
    async fn rebuild(self, view: &'static str) {
        self.pause(40_000).await;
        let order = json!({ "view": view, "seconds": 20 }).to_string();
        // If the operator stops asking, the timers continue the rebuild.
        for _ in 0..40 {
            let answer = self.system.api.call(REBUILDER, order.as_bytes()).await;
            let done: Value = answer
                .ok()
                .and_then(|answer| serde_json::from_slice(&answer).ok())
                .unwrap_or_default();
            if done.get("is_done") == Some(&Value::Bool(true)) {
                self.system.kernel.count("operator", "rebuilt a view");
                return;
            }
            let wait = done.get("wait_seconds").and_then(Value::as_u64);
            let wait = Duration::from_secs(wait.unwrap_or(1).max(1));
            self.system.kernel.sleep(wait).await;
        }
    }
}

/// The number of flights that many clients want. The number of these flights grows with the number of clients.
fn shared_flights(scenario: &Scenario) -> u64 {
    (scenario.clients * scenario.bookings / 8).clamp(2, 1_000)
}

/// Stocks the seats of the flights that many clients want.
pub async fn share_flights(system: &System, scenario: &Scenario) {
    for number in 0..shared_flights(scenario) {
        let set = set_free(&*system.tables, &vuelo(number), 4).await;
        debug_assert!(set.is_ok(), "{set:?}");
    }
}

/// Parses the id of a reservation.
pub fn id(text: &str) -> Option<IdReserva> {
    text.parse().ok()
}
