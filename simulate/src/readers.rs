//! Readers of the API: they read lists page by page, reports, sagas and events, and compare each answer with earlier
//! answers and with the stored data.
//!
//! | read | promise | exception |
//! | --- | --- | --- |
//! | a list of reservations | each row fits the filter and appears once, newest first | |
//! | | no row shows a state that is not committed | |
//! | | no row returns to an earlier state | within the lag of indexes |
//! | | a row that was in the list before its first page was read is on some page | rows that left the state; where indexes lag, rows that changed their state |
//! | a report | the states of a day add up to its total, which never exceeds the reservations made, and never falls | |
//! | a list of sagas | each saga has the status that was asked for and appears once, newest first | |
//! | | a saga that was in the list before, and whose log did not grow, is on some page | sagas that an older build cannot read |
//! | a saga | the saga can be read as soon as its reservation is accepted | sagas with another id than the reservation's |
//! | | a reader that saw the saga's log never reads that the saga has not begun | |
//! | | the saga's log grows only at its end, and a compensated saga stays compensated | logs that include the history of an execution |
//! | any time | the time has 3 decimals | dates from clients |
//! | events of a reservation | the events can be read as soon as the reservation is accepted; no event vanishes or changes | |
//!
//! If clocks are put back during a rebuild, readers may return to the view's old generation. In that case only the
//! checks that do not depend on earlier answers apply. When the system has settled, everything is read once more and
//! must equal the stored data.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use alpes_event_store::{Stream, TABLE as STREAMS};
use alpes_messages::{Context, Event, Moment, StreamId};
use alpes_ports::{Item, Key};
use alpes_projections::TABLE as VIEWS;
use alpes_saga::{SagaId, Status};
use api::saga::estado;
use events::{CONTEXTS, IdReserva, PAGOS, VUELOS};
use futures::executor::block_on;
use jiff::{Timestamp, tz::TimeZone};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use simulation::{LAG, uneven_times};
use views::reservas::NAME as VIEW;

use crate::{
    Scenario,
    check::DATES_OF_CLIENTS,
    clients::{Booking, Memory},
    functions::{HTTP_COMMANDS, HTTP_QUERIES},
    http::{self, Answer},
    refusals::Bracket,
    system::System,
};

/// The states of a reservation, in an order in which it can pass through them.
const STATES: [&str; 4] = ["Pendiente", "Pagada", "Aprobada", "Cancelada"];
/// The event that leads to each state.
const FACTS: [&str; 4] = [
    "ReservaCreada",
    "ReservaPagada",
    "ReservaAprobada",
    "ReservaCancelada",
];
/// The most pages that a reader reads of one list.
const PAGES: usize = 60;
/// How many reservations are read one by one after the system has settled.
const SOME: usize = 6;
/// The report queries for the days of clients' reservations, and for those of the first builds' reservations.
const DAYS: [&str; 2] = [
    "?desde=2025-08-01&hasta=2026-07-31",
    "?desde=2023-08-01&hasta=2024-07-31",
];

/// The answers that readers saw, with their times.
#[derive(Default)]
pub struct Seen {
    rows: BTreeMap<String, Row>,
    sagas: BTreeMap<String, Listed>,
    /// The totals that were read for each day, each with its time.
    totals: BTreeMap<String, Vec<(u64, u64)>>,
}

/// A reservation that a reader saw in the view.
#[derive(Default)]
struct Row {
    id_cliente: Option<String>,
    /// The times at which the reservation was first seen in each state or a later one.
    since: [Option<u64>; STATES.len()],
}

impl Row {
    /// The furthest state in which the reservation was seen before a moment.
    fn rank_at(&self, moment: u64) -> Option<usize> {
        let by_then = |since: &Option<u64>| since.is_some_and(|since| since <= moment);
        self.since.iter().rposition(by_then)
    }
}

/// A saga that a reader saw in a list.
struct Listed {
    at: u64,
    estado: String,
    actualizacion: String,
}

impl Seen {
    /// Notes a reservation from an answer of the API.
    pub fn row(&mut self, answer: &Value, at: u64) {
        if let Some(row) = answer.as_object() {
            self.item(row, at);
        }
    }

    /// Notes a reservation from the view's row.
    fn item(&mut self, row: &Item, at: u64) {
        let text = |name| row.get(name).and_then(Value::as_str);
        let Some((id, rank)) = text("id_reserva").zip(text("estado").and_then(rank)) else {
            return;
        };
        let row = self.rows.entry(id.to_owned()).or_default();
        row.id_cliente = text("id_cliente").map(str::to_owned);
        for since in row.since.iter_mut().take(rank + 1) {
            since.get_or_insert(at);
        }
    }
}

fn rank(estado: &str) -> Option<usize> {
    STATES.iter().position(|state| *state == estado)
}

/// A filter of lists of reservations.
#[derive(Clone, Default)]
struct Filter {
    estado: Option<&'static str>,
    id_cliente: Option<String>,
}

impl Filter {
    /// The query parameters of this filter, with a page size.
    fn query(&self, limit: u64) -> String {
        let mut query = format!("?limite={limit}");
        if let Some(estado) = self.estado {
            query.push_str("&estado=");
            query.push_str(estado);
        }
        if let Some(client) = &self.id_cliente {
            query.push_str("&id_cliente=");
            query.push_str(client);
        }
        query
    }

    fn is_of(&self, id_cliente: Option<&str>) -> bool {
        let wanted = self.id_cliente.as_deref();
        wanted.is_none_or(|wanted| id_cliente == Some(wanted))
    }
}

/// A list that was read to its end.
#[derive(Default)]
struct Walk {
    begun: u64,
    /// The rows by their ids.
    rows: BTreeMap<String, Value>,
}

/// A list and how to read its pages.
struct Listing<'a> {
    /// The path with its query parameters.
    path: String,
    /// The field of the answer that has the rows.
    rows: &'a str,
    /// The fields with a row's id and with its time of creation, which orders the list.
    id: &'a str,
    since: &'a str,
    limit: u64,
}

/// A reader that sends requests.
#[derive(Clone)]
struct Reader {
    system: System,
    scenario: Scenario,
    memory: Memory,
}

/// Starts the readers.
pub fn begin(system: &System, scenario: &Scenario, memory: &Memory) {
    let reader = Reader {
        system: system.clone(),
        scenario: *scenario,
        memory: memory.clone(),
    };
    for number in 0..scenario.readers * scenario.clients.div_ceil(6).min(6) {
        let rounds = 3 + scenario.bookings.min(10) / 2;
        reader.memory.spawn(
            &reader.system.kernel,
            &format!("reading {number}"),
            reader.clone().work(rounds),
        );
    }
}

/// Reads everything once after the system has settled. Only half of the runs do so, because these reads cost as much as
/// all reads of the clients.
pub fn read_all(system: &System, scenario: &Scenario, memory: &Memory) {
    let reader = Reader {
        system: system.clone(),
        scenario: *scenario,
        memory: memory.clone(),
    };
    if system.kernel.dice().one_in(2) {
        system.kernel.count("reader", "read everything");
        reader.memory.spawn(
            &reader.system.kernel,
            "reading all",
            reader.clone().read_all(),
        );
    }
}

impl Reader {
    fn below(&self, bound: u64) -> u64 {
        self.system.kernel.dice().below(bound)
    }

    fn now(&self) -> u64 {
        self.system.kernel.elapsed()
    }

    async fn pause(&self, milliseconds: u64) {
        let pause = Duration::from_millis(self.below(milliseconds));
        self.system.kernel.sleep(pause).await;
    }

    fn complain(&self, complaint: String) {
        self.memory.complain(complaint);
    }

    /// How many milliseconds an index may lag.
    fn lag(&self) -> u64 {
        if self.scenario.stale_one_in == 0 {
            0
        } else {
            LAG
        }
    }

    /// True if a reader may get answers from the view's generation before the rebuild.
    fn may_go_back(&self) -> bool {
        let counts = self.system.kernel.counts();
        let back = counts.contains_key(&("clocks", "back".into()));
        back && (self.scenario.rebuild_one_in > 0 || self.scenario.retention > 0)
    }

    async fn work(self, rounds: u64) {
        for _ in 0..rounds {
            self.pause(14_000).await;
            match self.below(8) {
                0..=2 => self.some_list().await,
                3 => self.some_sagas().await,
                4 => self.some_report().await,
                5 => self.some_saga().await,
                6 => self.some_events().await,
                _ => self.resume_in_vain().await,
            }
        }
    }

    /// Asks until an answer comes. `None` for an error that lasts.
    async fn get(&self, path: &str) -> Option<Answer> {
        let event = http::event("GET", path, &[], None);
        for _ in 0..5 {
            let answered = self.system.api.call(HTTP_QUERIES, &event).await;
            let answer = answered.ok().map(|answer| Answer::read(&answer));
            match answer {
                Some(answer) if answer.status != 503 => {
                    for time in uneven_times(&answer.body, DATES_OF_CLIENTS) {
                        self.complain(format!("GET {path} has the time {time}"));
                    }
                    return Some(answer);
                }
                _ => self.pause(1_500).await,
            }
        }
        None
    }

    /// The body of an answer with status 200; `None` for any other answer.
    async fn body(&self, path: &str) -> Option<Value> {
        let answer = self.get(path).await?;
        if answer.status != 200 {
            self.complain(format!("GET {path} is answered by {}", answer.text));
            return None;
        }
        Some(answer.body)
    }

    /// Notes the rows that the view has now, unless the view was rebuilt. A reader that asks from now on must see
    /// at least these rows.
    fn look_at_the_view(&self) {
        let tables = &self.system.tables;
        if tables.item(&Key::new(VIEWS, VIEW, "alias")).is_some() {
            return;
        }
        let first = format!("{VIEW}.1#");
        let (mut known, at) = (self.memory.known(), self.now());
        let _: Vec<()> = tables.find(VIEWS, |key, item| {
            let is_row = key.pk.starts_with(&first) && key.sk == "row";
            // The view does not list a reservation before the view has folded the reservation's first event.
            if is_row && item.contains_key("gsi1pk") {
                known.seen.item(item, at);
            }
            None
        });
    }

    /// Reads a list to its end. `look` gets each row, with the time at which its page was asked for.
    async fn walk(&self, listing: &Listing<'_>, look: impl Fn(&Value, u64)) -> Option<Walk> {
        let mut walk = Walk {
            begun: self.now(),
            ..Walk::default()
        };
        let mut last: Option<String> = None;
        let mut next: Option<String> = None;
        for _ in 0..PAGES {
            self.look_at_the_view();
            let begun = self.now();
            let path = match &next {
                Some(next) => format!("{}&siguiente={next}", listing.path),
                None => listing.path.clone(),
            };
            let page = self.body(&path).await?;
            let rows = page.get(listing.rows).and_then(Value::as_array);
            let rows = rows.cloned().unwrap_or_default();
            if u64::try_from(rows.len()).is_ok_and(|rows| rows > listing.limit) {
                self.complain(format!("GET {path} has {} rows", rows.len()));
            }
            for row in rows {
                let text = |name| row.get(name).and_then(Value::as_str).unwrap_or_default();
                let id = text(listing.id).to_owned();
                let place = format!("{}#{id}", text(listing.since));
                if last.as_ref().is_some_and(|last| *last <= place) {
                    self.complain(format!("GET {path} has {place} after {last:?}"));
                }
                last = Some(place);
                look(&row, begun);
                if walk.rows.insert(id.clone(), row).is_some() {
                    self.complain(format!("GET {path} has {id} again"));
                }
            }
            let Some(more) = page.get("siguiente").and_then(Value::as_str) else {
                return Some(walk);
            };
            next = Some(more.to_owned());
            self.pause(if self.below(3) == 0 { 2_000 } else { 100 })
                .await;
        }
        None
    }

    /// A page size that gives a few pages, however many rows there are.
    fn limit(&self, rows: usize) -> u64 {
        let rows = u64::try_from(rows).unwrap_or(0);
        let least = rows.div_ceil(12).max(1);
        (least + self.below(least + 2)).min(100)
    }

    async fn some_list(&self) {
        let dice = self.system.kernel.dice();
        let clients: Vec<String> = {
            let known = self.memory.known();
            let rows = known.seen.rows.values();
            let clients: BTreeSet<_> = rows.filter_map(|row| row.id_cliente.clone()).collect();
            clients.into_iter().collect()
        };
        let client = dice.one_in(3).then(|| dice.pick(&clients).cloned());
        let filter = Filter {
            estado: dice
                .one_in(3)
                .then(|| dice.pick(&STATES).copied())
                .flatten(),
            id_cliente: client.flatten(),
        };
        let rows = self.memory.known().seen.rows.len();
        let limit = self.limit(rows);
        if let Some(walk) = self.list(&filter, limit).await {
            self.system.kernel.count("reader", "read a list");
            self.look_for_what_was_there(&filter, &walk).await;
        }
    }

    async fn list(&self, filter: &Filter, limit: u64) -> Option<Walk> {
        let listing = Listing {
            path: format!("/vuelos/reserva{}", filter.query(limit)),
            rows: "reservas",
            id: "id_reserva",
            since: "fecha_creacion",
            limit,
        };
        let path = &listing.path;
        let look = |row: &Value, begun| self.look_at_row(path, filter, row, begun);
        self.walk(&listing, look).await
    }

    /// Checks a row of a list: the row fits the filter, shows no state that is not committed, and shows no earlier
    /// state than an earlier answer.
    fn look_at_row(&self, path: &str, filter: &Filter, row: &Value, begun: u64) {
        let text = |name| row.get(name).and_then(Value::as_str);
        let (id, estado) = (text("id_reserva"), text("estado").unwrap_or_default());
        let wanted = filter.estado.is_none_or(|wanted| wanted == estado);
        if !wanted || !filter.is_of(text("id_cliente")) {
            self.complain(format!("GET {path} has {row}"));
        }
        let (Some(id), Some(rank)) = (id, rank(estado)) else {
            return self.complain(format!("GET {path} has {row}"));
        };
        if rank > 0 && committed(&self.system, id).is_none_or(|committed| rank > committed) {
            self.complain(format!(
                "GET {path} has {id} as {estado}, which it never was"
            ));
        }
        let before = {
            let mut known = self.memory.known();
            let by_then = begun.saturating_sub(self.lag());
            let before = known.seen.rows.get(id).and_then(|row| row.rank_at(by_then));
            known.seen.row(row, self.now());
            before
        };
        if let Some(before) = before
            && before > rank
            && !self.may_go_back()
        {
            let before = STATES.get(before).unwrap_or(&"");
            self.complain(format!(
                "GET {path} has {id} as {estado}, and it was {before}"
            ));
        }
    }

    /// Checks that each row which was in a list before a reader began to read the list was on some page.
    async fn look_for_what_was_there(&self, filter: &Filter, walk: &Walk) {
        let by_then = walk.begun.saturating_sub(self.lag());
        let missing: Vec<(String, usize)> = {
            let known = self.memory.known();
            let rows = known.seen.rows.iter();
            let wanted = filter.estado.and_then(rank);
            let was_there = rows.filter_map(|(id, row)| {
                let rank = row.rank_at(by_then)?;
                let is_of = filter.is_of(row.id_cliente.as_deref());
                let is_in = wanted.is_none_or(|wanted| wanted == rank);
                (is_of && is_in).then(|| (id.clone(), rank))
            });
            was_there
                .filter(|(id, _)| !walk.rows.contains_key(id))
                .collect()
        };
        for (id, rank) in missing.into_iter().take(3) {
            let moves = self.lag() > 0 || filter.estado.is_some();
            if moves && !self.is_still(&id, rank).await {
                continue;
            }
            if !self.may_go_back() {
                let query = filter.query(0);
                self.complain(format!(
                    "{id} was in the list {query}, and is on no page of it"
                ));
            }
        }
    }

    /// True if a reservation is still in this state.
    async fn is_still(&self, id: &str, rank: usize) -> bool {
        let answer = self.get(&format!("/vuelos/reserva/{id}")).await;
        let estado = answer.as_ref().and_then(|answer| answer.field("estado"));
        estado == STATES.get(rank).copied()
    }

    async fn some_sagas(&self) {
        let dice = self.system.kernel.dice();
        let Some(status) = dice.pick(&Status::ALL).copied() else {
            return;
        };
        let rows = self.memory.known().seen.rows.len();
        let Some(walk) = self.sagas(status, self.limit(rows)).await else {
            return;
        };
        self.system.kernel.count("reader", "read a list of sagas");
        let by_then = walk.begun.saturating_sub(self.lag());
        let missing: Vec<(String, String)> = {
            let mut known = self.memory.known();
            let sagas = known.seen.sagas.iter();
            let was_there = sagas.filter(|(id, saga)| {
                saga.at <= by_then && saga.estado == estado(status) && !walk.rows.contains_key(*id)
            });
            let missing = was_there.map(|(id, saga)| (id.clone(), saga.actualizacion.clone()));
            let missing = missing.collect();
            let at = self.now();
            for (id, saga) in &walk.rows {
                let text = |name| saga.get(name).and_then(Value::as_str);
                let listed = Listed {
                    at,
                    estado: estado(status).to_owned(),
                    actualizacion: text("actualizacion").unwrap_or_default().to_owned(),
                };
                known.seen.sagas.insert(id.clone(), listed);
            }
            missing
        };
        for (id, actualizacion) in missing {
            let saga = id.parse().ok().and_then(|id| self.stored(id));
            let is_still = saga.is_some_and(|saga| {
                saga.status == status && Moment::from(saga.updated()).to_string() == actualizacion
            });
            if is_still && !self.scenario.new_definition {
                self.complain(format!("the saga {id} was {status}, and is on no page"));
            }
        }
    }

    async fn sagas(&self, status: Status, limit: u64) -> Option<Walk> {
        let estado = estado(status);
        let listing = Listing {
            path: format!("/sagas?estado={estado}&limite={limit}"),
            rows: "sagas",
            id: "id_correlacion",
            since: "inicio",
            limit,
        };
        let look = |row: &Value, _| {
            if row.get("estado").and_then(Value::as_str) != Some(estado) {
                self.complain(format!("among sagas in {estado}: {row}"));
            }
        };
        self.walk(&listing, look).await
    }

    fn stored(&self, id: SagaId) -> Option<alpes_saga::Saga> {
        let stored = block_on(self.system.sagas().load(id)).ok()?;
        stored.map(|stored| stored.saga)
    }

    async fn some_report(&self) {
        let name = if self.below(2) == 0 {
            "totales"
        } else {
            "reservas-por-dia"
        };
        let days = if self.below(2) == 0 { "" } else { DAYS[0] };
        let begun = self.now();
        let path = format!("/vuelos/reportes/{name}{days}");
        let Some(totals) = self.report(&path).await else {
            return;
        };
        self.system.kernel.count("reader", "read a report");
        let made = made(&self.system);
        let mut fallen = vec![];
        {
            let mut known = self.memory.known();
            let at = self.now();
            for (day, told) in &known.seen.totals {
                let before = told.iter().filter(|(at, _)| *at <= begun);
                let before = before.map(|(_, total)| *total).max().unwrap_or(0);
                let total = totals.get(day).copied().unwrap_or(0);
                if total < before {
                    fallen.push(format!(
                        "GET {path}: {day} has the total {total}, and had {before} before"
                    ));
                }
            }
            for (day, total) in &totals {
                let told = known.seen.totals.entry(day.clone()).or_default();
                told.push((at, *total));
            }
        }
        if !fallen.is_empty() && !self.may_go_back() {
            for fallen in fallen {
                self.complain(fallen);
            }
        }
        for (day, total) in totals {
            let made = made.get(&day).copied().unwrap_or(0);
            if total > made {
                self.complain(format!(
                    "GET {path}: {day} has {total}, and {made} were made"
                ));
            }
        }
    }

    /// The totals of a report. If a day's row has a count for each state, the counts must add up to the day's total.
    async fn report(&self, path: &str) -> Option<BTreeMap<String, u64>> {
        let body = self.body(path).await?;
        let mut totals = BTreeMap::new();
        for row in body.get("filas").and_then(Value::as_array)? {
            let number = |name| row.get(name).and_then(Value::as_u64);
            let total = number("total").unwrap_or(0);
            let states: Vec<u64> = STATES.into_iter().filter_map(number).collect();
            if !states.is_empty() && states.iter().sum::<u64>() != total {
                self.complain(format!("GET {path} does not add up: {row}"));
            }
            let day = row.get("dia").and_then(Value::as_str).unwrap_or_default();
            totals.insert(day.to_owned(), total);
        }
        Some(totals)
    }

    /// A random reservation that was accepted, or that a reader saw in a list.
    fn some_reservation(&self) -> Option<(String, SagaId)> {
        let all = {
            let known = self.memory.known();
            let accepted = known.bookings.iter().flat_map(Booking::accepted);
            let seen = known.seen.rows.keys().map(String::as_str);
            let all: BTreeSet<String> = accepted.chain(seen).map(str::to_owned).collect();
            all.into_iter().collect::<Vec<_>>()
        };
        let id = self.system.kernel.dice().pick(&all)?.clone();
        let saga = saga_of(&self.system, &id)?;
        Some((id, saga))
    }

    /// Reads a random saga several times.
    async fn some_saga(&self) {
        let Some((id, saga)) = self.some_reservation() else {
            return;
        };
        let path = format!("/sagas/{saga}");
        // A saga with another id than its reservation can be found only after it has begun.
        let may_be_missing = saga.to_string() != id;
        let mut before: Option<Value> = None;
        for _ in 0..3 {
            let Some(answer) = self.get(&path).await else {
                return;
            };
            if answer.status == 404 && may_be_missing && before.is_none() {
                self.pause(4_000).await;
                continue;
            }
            if answer.status != 200 {
                return self.complain(format!("GET {path} is answered by {}", answer.text));
            }
            if let Some(why) = before
                .as_ref()
                .and_then(|before| goes_back(before, &answer.body))
            {
                self.complain(format!("GET {path}: {why}"));
            }
            before = Some(answer.body);
            self.pause(5_000).await;
        }
        self.system.kernel.count("reader", "followed a saga");
    }

    /// Reads the events of a random reservation several times.
    async fn some_events(&self) {
        let Some((id, _)) = self.some_reservation() else {
            return;
        };
        let mut before: Vec<String> = vec![];
        for _ in 0..3 {
            let Some(told) = self.events(&id).await else {
                return;
            };
            if !is_within(&before, &told) {
                self.complain(format!(
                    "{id} had the events {before:#?}, and has {told:#?}"
                ));
            }
            before = told;
            self.pause(4_000).await;
        }
        self.system.kernel.count("reader", "followed events");
    }

    /// The events of a reservation, byte for byte as answered. The answer must have every event that was committed
    /// before the request, and no event without a commit.
    async fn events(&self, id: &str) -> Option<Vec<String>> {
        let path = format!("/vuelos/reserva/{id}/eventos");
        let stored = || {
            let texts = CONTEXTS.map(|context| texts(&self.system, context, id));
            texts.concat()
        };
        let before = stored();
        let answer = self.get(&path).await?;
        if answer.status != 200 {
            self.complain(format!("GET {path} is answered by {}", answer.text));
            return None;
        }
        let told = told(&answer);
        let after = stored();
        let lacks = before.iter().find(|text| !told.contains(text));
        let invented = told.iter().find(|text| !after.contains(text));
        if let Some(text) = lacks {
            self.complain(format!("GET {path} lacks {text}"));
        }
        if let Some(text) = invented {
            self.complain(format!("GET {path} has {text}, which was not committed"));
        }
        Some(told)
    }

    /// Asks to resume a random saga that may need no person.
    async fn resume_in_vain(&self) {
        let Some((_, saga)) = self.some_reservation() else {
            return;
        };
        let path = format!("/sagas/{saga}/reanudacion");
        let event = http::event("POST", &path, &[], Some(&json!({})));
        let bracket = Bracket::open(&self.system, saga);
        let answered = self.system.api.call(HTTP_COMMANDS, &event).await;
        let Some(answer) = answered.ok().map(|answer| Answer::read(&answer)) else {
            return;
        };
        match answer.status {
            409 => {
                self.system.kernel.count("refused", "a resumption");
                let untrue = bracket.resumption(&self.system, &answer);
                if let Some(untrue) = untrue {
                    self.complain(untrue);
                }
            }
            202 | 404 | 503 => {}
            _ => self.complain(format!("POST {path} is answered by {}", answer.text)),
        }
    }

    /// Reads every list and report after the system has settled. Each list and report must equal the event streams.
    async fn read_all(self) {
        let stored = self.stored_reservations();
        let clients: BTreeSet<_> = stored
            .values()
            .filter_map(|(_, client)| client.clone())
            .collect();
        let clients: Vec<_> = clients.into_iter().collect();
        let client = self.system.kernel.dice().pick(&clients).cloned();
        let mut filters = vec![Filter::default()];
        for estado in STATES {
            filters.push(Filter {
                estado: Some(estado),
                id_cliente: client.clone().filter(|_| self.below(3) == 0),
            });
        }
        filters.extend(client.map(|client| Filter {
            estado: None,
            id_cliente: Some(client),
        }));
        for filter in &filters {
            let Some(walk) = self.list(filter, self.limit(stored.len())).await else {
                continue;
            };
            let wanted = stored.iter().filter(|(_, (rank, client))| {
                let estado = STATES.get(*rank).copied();
                filter.is_of(client.as_deref())
                    && filter.estado.is_none_or(|wanted| Some(wanted) == estado)
            });
            let wanted: BTreeSet<&String> = wanted.map(|(id, _)| id).collect();
            let found: BTreeSet<&String> = walk.rows.keys().collect();
            if found != wanted {
                let query = filter.query(0);
                self.complain(format!("the list {query} has {found:#?}, not {wanted:#?}"));
            }
        }
        self.read_all_sagas(&stored).await;
        self.read_all_reports().await;
        let ids: Vec<&String> = stored.keys().collect();
        for _ in 0..SOME.min(ids.len()) {
            if let Some(id) = self.system.kernel.dice().pick(&ids) {
                self.events(id).await;
            }
        }
    }

    /// The state and the client of each reservation, from its event streams.
    fn stored_reservations(&self) -> BTreeMap<String, (usize, Option<String>)> {
        let ids = self.system.tables.find(STREAMS, |key, _| {
            let stream: StreamId = key.pk.parse().ok()?;
            (stream.is_of(VUELOS)).then(|| stream.id.to_string())
        });
        let all = ids.into_iter().filter_map(|id| {
            let rank = committed(&self.system, &id)?;
            let opening = texts(&self.system, VUELOS, &id).into_iter().next()?;
            let opening: Value = serde_json::from_str(&opening).ok()?;
            let client = opening.pointer("/data/id_cliente").and_then(Value::as_str);
            let client = client.filter(|client| *client != "None").map(str::to_owned);
            Some((id, (rank, client)))
        });
        all.collect()
    }

    async fn read_all_sagas(&self, stored: &BTreeMap<String, (usize, Option<String>)>) {
        let mut standing: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let sagas = self.system.tables.find(alpes_saga::TABLE, |key, item| {
            // Items of other builds are in no list, because no build here can read them.
            if self.system.foreign.has(key) {
                return None;
            }
            let status = item.get("status")?.as_str()?;
            let mut known = Status::ALL.into_iter();
            let status = known.find(|known| known.name() == status)?;
            Some((estado(status), key.pk.clone()))
        });
        for (estado, id) in sagas {
            standing.entry(estado).or_default().insert(id);
        }
        for status in Status::ALL {
            let estado = estado(status);
            let Some(walk) = self.sagas(status, self.limit(stored.len())).await else {
                continue;
            };
            let found: BTreeSet<String> = walk.rows.into_keys().collect();
            let wanted = standing.remove(estado).unwrap_or_default();
            if found != wanted {
                self.complain(format!(
                    "the sagas in {estado} are {found:#?}, not {wanted:#?}"
                ));
            }
            if let Some(id) = found.first() {
                let saga = self.body(&format!("/sagas/{id}")).await;
                let told = saga.as_ref().and_then(|saga| saga.get("estado"));
                if told.is_some_and(|told| told != estado) {
                    self.complain(format!(
                        "the saga {id} is {told:?}, and in the list of {estado}"
                    ));
                }
            }
        }
    }

    async fn read_all_reports(&self) {
        let made = made(&self.system);
        for days in DAYS {
            let [from, to] = ["desde=", "hasta="].map(|name| {
                let day = days.split_once(name).map(|(_, day)| day.get(..10));
                day.flatten().unwrap_or_default()
            });
            let wanted = made
                .iter()
                .filter(|(day, _)| (from..=to).contains(&day.as_str()));
            let wanted: BTreeMap<String, u64> =
                wanted.map(|(day, made)| (day.clone(), *made)).collect();
            for name in ["totales", "reservas-por-dia"] {
                let path = format!("/vuelos/reportes/{name}{days}");
                let told = self.report(&path).await;
                if told.as_ref().is_some_and(|told| *told != wanted) {
                    self.complain(format!("GET {path} shows {told:?}, not {wanted:?}"));
                }
            }
        }
    }
}

/// The events of a stream as they are stored.
pub fn texts(system: &System, context: Context, id: &str) -> Vec<String> {
    let Ok(id) = id.parse::<IdReserva>() else {
        return vec![];
    };
    let item = system.tables.item(&Stream::key(StreamId::new(context, id)));
    let events = item.as_ref().and_then(|item| item.get("events"));
    let events = events.and_then(Value::as_array).into_iter().flatten();
    events
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// The saga of a reservation.
pub fn saga_of(system: &System, id: &str) -> Option<SagaId> {
    let opening = texts(system, VUELOS, id).into_iter().next()?;
    let catalogue = &system.builds.newest.catalogue;
    let (event, _) = Event::decode(opening.as_bytes(), catalogue).ok()?;
    Some(reserva_saga::saga_id(&event))
}

/// The state of a reservation by its committed events; `None` if it was never made.
fn committed(system: &System, id: &str) -> Option<usize> {
    #[derive(Deserialize)]
    struct Named {
        r#type: String,
    }
    let texts = [VUELOS, PAGOS].map(|context| texts(system, context, id));
    let named = texts
        .iter()
        .flatten()
        .filter_map(|text| serde_json::from_str(text).ok());
    let ranks = named.filter_map(|Named { r#type }| FACTS.iter().position(|fact| *fact == r#type));
    ranks.max()
}

/// The number of reservations made on each day.
fn made(system: &System) -> BTreeMap<String, u64> {
    let days = system.tables.find(STREAMS, |key, item| {
        let stream: StreamId = key.pk.parse().ok()?;
        let opening = item.get("events")?.as_array()?.first()?.as_str()?;
        let opening: Value = serde_json::from_str(opening).ok()?;
        let made = opening.pointer("/data/fecha_creacion")?;
        let made: Timestamp = match made.as_i64() {
            Some(milliseconds) => Timestamp::from_millisecond(milliseconds).ok()?,
            None => made.as_str()?.parse().ok()?,
        };
        let day = TimeZone::UTC.to_datetime(made).date().to_string();
        (stream.is_of(VUELOS)).then_some(day)
    });
    let mut made = BTreeMap::new();
    for day in days {
        *made.entry(day).or_default() += 1;
    }
    made
}

/// The events of an answer, byte for byte.
fn told(answer: &Answer) -> Vec<String> {
    #[derive(Deserialize)]
    struct Whole {
        body: String,
    }
    #[derive(Deserialize)]
    struct Told {
        eventos: Vec<Box<RawValue>>,
    }
    let whole = serde_json::from_str(&answer.text);
    let told = whole.and_then(|Whole { body }| serde_json::from_str(&body));
    let told = told.map_or_else(|_| vec![], |Told { eventos }| eventos);
    told.iter().map(|text| text.get().to_owned()).collect()
}

/// True if `after` has every item of `before`, in the same order.
fn is_within<T: PartialEq>(before: &[T], after: &[T]) -> bool {
    let mut after = after.iter();
    before.iter().all(|one| after.any(|other| other == one))
}

/// The violation, if there is one, when a saga was first read as `before` and then as `after`.
fn goes_back(before: &Value, after: &Value) -> Option<String> {
    let text = |saga: &Value, name: &str| {
        let text = saga.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let [was, is] = [before, after].map(|saga| text(saga, "estado"));
    let back = match was.as_str() {
        "Compensada" => was != is,
        "Completada" | "Compensando" | "RequiereIntervencion" => {
            is == "EnCurso" && text(after, "modo") != "stepfunctions"
        }
        _ => false,
    };
    if back {
        return Some(format!("it was {was}, and is {is}"));
    }
    let [was, is] = [before, after].map(|saga| text(saga, "origen"));
    if was == "vista" && is != was {
        return Some(format!(
            "its answer came from {was}, and now comes from {is}"
        ));
    }
    let [had, has] = [before, after].map(|saga| {
        let log = saga.get("log").and_then(Value::as_array);
        log.map(Vec::as_slice).unwrap_or_default()
    });
    // The history of an execution is inserted among the saga's own entries.
    let grows = match text(after, "modo").as_str() {
        "stepfunctions" => had.is_empty() || has.first() == had.first(),
        _ => has.starts_with(had),
    };
    (!grows).then(|| format!("its log was\n  {before}\nand is\n  {after}"))
}
