//! The invariants that every run must satisfy at its end, whatever went wrong during the run.

use std::collections::{BTreeMap, BTreeSet};

use alpes_consumer::TABLE as PARKED;
use alpes_event_store::{Beyond, Difference, Readings, TABLE as STREAMS, verify};
use alpes_messages::{Event, Moment, SagaMode, StreamId};
use alpes_participant::REACTIONS;
use alpes_ports::{Condition, KeyRange, LogRecord, Objects, Tables, Write};
use alpes_projections::TABLE as VIEWS;
use alpes_saga::{Entry, Saga, SagaId, Status, TABLE as SAGAS, What, fact, saga_id};
use events::{CONTEXTS, IdReserva, Payload, VUELOS, vuelos::EstadoReserva};
use futures::executor::block_on;
use gds::inventory::{self, Vuelo};
use jiff::{SignedDuration, Timestamp, civil::Date};
use pagos::simulador::{self, Tipo};

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;
use simulation::{uneven_times, uneven_times_in};
use twins::{MemoryTables, Ports};
use views::analitica;
use vuelos::{Reserva, tarifa};
use wiring::Wiring;

use crate::{
    clients::{Booking, Cancellation, id},
    executions, exercised, foreign, notices,
    poison::{self, Poison},
    system::System,
};

/// Fields with dates from clients. These dates are stored in UTC, with the decimals that the client sent.
pub(crate) const DATES_OF_CLIENTS: &[&str] = &["fecha_salida", "fecha_llegada"];

/// The number of seats taken on each flight.
type Held = BTreeMap<Vuelo, i64>;

/// A stored reservation.
struct Found {
    id: IdReserva,
    history: Vec<(Event, Payload)>,
}

impl Found {
    fn opening(&self) -> Option<&Event> {
        self.history.first().map(|(event, _)| event)
    }
}

/// Every reservation, read from its event stream.
fn reservations(system: &System) -> Result<Vec<Found>, String> {
    let streams = system.tables.all(STREAMS);
    let ids = streams.iter().filter_map(|(key, _)| {
        let stream: StreamId = key.pk.parse().ok()?;
        (stream.is_of(VUELOS) && key.sk == "stream").then_some(stream)
    });
    let reader = system.reader();
    let read = |stream: StreamId| {
        let history = block_on(reader.history(stream));
        let history = history.map_err(|error| error.to_string())?;
        Ok(Found {
            id: stream.id,
            history,
        })
    };
    ids.map(read).collect()
}

pub(crate) fn load(system: &System, id: SagaId) -> Option<Saga> {
    let stored = block_on(system.sagas().load(id)).ok()?;
    stored.map(|stored| stored.saga)
}

/// The event with which each reservation begins.
pub(crate) fn openings(system: &System) -> Vec<Event> {
    let found = reservations(system).unwrap_or_default();
    found.iter().filter_map(Found::opening).cloned().collect()
}

/// The sagas whose items have a status that `such` accepts. This function runs often, so it reads only the status in
/// each item and decodes no saga.
fn standing(system: &System, such: impl Fn(Status) -> bool) -> Vec<SagaId> {
    let asked = Status::ALL.into_iter().filter(|status| such(*status));
    let names: Vec<_> = asked.map(Status::name).collect();
    system.tables.find(SAGAS, |key, item| {
        let status = item.get("status")?.as_str()?;
        names.contains(&status).then(|| key.pk.parse().ok())?
    })
}

/// The sagas that wait for a person.
pub(crate) fn stuck(system: &System) -> Vec<Saga> {
    let waiting = standing(system, |status| status == Status::NeedsIntervention);
    let sagas = waiting.into_iter().filter_map(|id| load(system, id));
    sagas.collect()
}

/// The ids of all reservations' sagas.
fn begun(system: &System) -> Vec<SagaId> {
    #[derive(Deserialize)]
    struct Opening {
        correlationid: SagaId,
    }
    system.tables.find(STREAMS, |key, item| {
        let stream: StreamId = key.pk.parse().ok()?;
        let opening = item.get("events")?.as_array()?.first()?.as_str()?;
        let known = serde_json::from_str(opening).ok();
        let saga = known.map(|Opening { correlationid }| correlationid);
        // Events in the tutorials' original form have another envelope.
        let of_old = || {
            let (event, _) = Event::decode(opening.as_bytes(), &events::catalogue()).ok()?;
            Some(saga_id(&event))
        };
        (stream.is_of(VUELOS))
            .then(|| saga.or_else(of_old))
            .flatten()
    })
}

/// A saga that has not ended and whose reservation is stored.
pub(crate) fn under_way(system: &System) -> Option<SagaId> {
    let ended: BTreeSet<_> = standing(system, Status::has_ended).into_iter().collect();
    let mut begun = begun(system).into_iter();
    begun.find(|id| !ended.contains(id))
}

/// The reason why the system has not settled; `None` if it has settled.
pub(crate) fn restless(system: &System) -> Option<String> {
    if !system.stream.is_settled() {
        return Some(format!("{:?} are behind", system.stream.unsettled()));
    }
    let delayed = system.gaps.delayed();
    if delayed > 0 {
        return Some(format!("{delayed} records are not in the log yet"));
    }
    let waiting = system.tables.find(REACTIONS, |key, _| {
        let waits = !key.sk.starts_with("heard#") && !system.foreign.has(key);
        waits.then(|| format!("{} {} is put off", key.pk, key.sk))
    });
    let unpublished = system.tables.find(STREAMS, |key, item| {
        let waits = item.get("published") != item.get("version");
        waits.then(|| format!("{} is not published", key.pk))
    });
    if let Some(why) = waiting.into_iter().chain(unpublished).next() {
        return Some(why);
    }
    if let Some(id) = under_way(system) {
        return Some(format!("the saga {id} has not ended"));
    }
    if let Some(parked) = waiting_to_be_handled(system) {
        return Some(format!("{parked} is parked"));
    }
    let given_up = block_on(system.failures.list(KeyRange::new("", 1)));
    if !given_up.is_ok_and(|left| left.is_empty()) {
        return Some("a batch was given up".to_owned());
    }
    foreign::in_the_way(system).or_else(|| rebuilding(system))
}

/// A parked record that was neither handled nor discarded yet.
fn waiting_to_be_handled(system: &System) -> Option<String> {
    let mut all = system.tables.all(PARKED);
    all.retain(|(key, _)| !system.foreign.has(key));
    let discarded: BTreeSet<String> = all
        .iter()
        .filter(|(_, item)| item.contains_key("discarded"))
        // The record's bytes are in an item next to the entry.
        .flat_map(|(key, _)| {
            let pieces = format!("{}#pieces#{}", key.pk, key.sk);
            [format!("{} {}", key.pk, key.sk), pieces]
        })
        .collect();
    let mut waiting = all
        .iter()
        .map(|(key, _)| (format!("{} {}", key.pk, key.sk), &key.pk));
    waiting
        .find(|(place, owner)| !discarded.contains(place) && !discarded.contains(*owner))
        .map(|(place, _)| place)
}

/// The view that is being rebuilt, in words; `None` if there is none.
fn rebuilding(system: &System) -> Option<String> {
    let busy = system.tables.find(VIEWS, |key, item| {
        let busy = key.sk == "alias" && item.contains_key("rebuild");
        busy.then(|| format!("{} is being rebuilt", key.pk))
    });
    busy.into_iter().next()
}

/// Checks every invariant, and returns the violations in words.
pub(crate) fn check(system: &System, bookings: &[Booking], calm: bool) -> Vec<String> {
    let mut broken = vec![];
    let found = match reservations(system) {
        Ok(found) => found,
        Err(error) => return vec![error],
    };
    check_accepted(bookings, &found, &mut broken);
    check_large(system, bookings, &found, &mut broken);
    let by_id: BTreeMap<IdReserva, &Booking> = bookings
        .iter()
        .flat_map(|booking| {
            booking
                .accepted()
                .filter_map(id)
                .map(move |id| (id, booking))
        })
        .collect();
    let mut held = Held::new();
    check_times(system, &mut broken);
    for one in &found {
        check_one(system, one, by_id.get(&one.id).copied(), calm, &mut held)
            .unwrap_or_else(|error| broken.push(format!("{}: {error}", one.id)));
    }
    for (vuelo, count) in held {
        match block_on(inventory::read(&*system.tables, &vuelo)) {
            Ok(seats) if seats.held == count => {}
            other => broken.push(format!("{vuelo:?}: {count} seats are used, not {other:?}")),
        }
    }
    match records(system) {
        Ok(records) => {
            check_log(system, &records, &mut broken);
            check_views(system, &records).unwrap_or_else(|error| broken.push(error));
        }
        Err(error) => broken.push(error),
    }
    poison::check(system, &mut broken);
    foreign::check(system, &mut broken);
    executions::check(system, &mut broken);
    notices::check(system, calm, &mut broken);
    broken
}

/// Checks that stored times have three decimals, except for dates from clients.
fn check_times(system: &System, broken: &mut Vec<String>) {
    for table in [
        STREAMS,
        VIEWS,
        PARKED,
        SAGAS,
        REACTIONS,
        simulador::TABLE,
        ::notices::TABLE,
        inventory::TABLE,
    ] {
        for (key, item) in system.tables.all(table) {
            let keys = format!("{} {}", key.pk, key.sk);
            let of_keys = match table {
                // A flight's id contains its departure.
                inventory::TABLE => vec![],
                _ => uneven_times_in(&keys),
            };
            let uneven = uneven_times(&Value::Object(item), DATES_OF_CLIENTS);
            for time in of_keys.iter().chain(&uneven) {
                broken.push(format!("{table:?} has {time} in {keys}"));
            }
        }
    }
}

/// Checks that the saga's log has each event with the event's own time, and that the saga began at the time of the
/// reservation's first event. `in_step` is true if all clocks agree; then no event in the log may be earlier than the
/// saga's beginning.
fn check_heard(system: &System, found: &Found, saga: &Saga, in_step: bool) -> Result<(), String> {
    let mut times = BTreeMap::new();
    for context in CONTEXTS {
        let stream = StreamId::new(context, found.id);
        let history =
            block_on(system.reader().history(stream)).map_err(|error| error.to_string())?;
        for (event, _) in history {
            let place = (event.stream.to_string(), event.streamversion);
            times.insert(place, event.time);
        }
    }
    let began = Moment::from(saga.started());
    for heard in saga.log.iter().filter_map(Entry::heard) {
        let place = (heard.stream.clone(), heard.version);
        let own = times.get(&place).map(ToString::to_string);
        let (event, told) = (&heard.kind, Moment::from(heard.time));
        if own.as_ref() != Some(&told.to_string()) {
            let own = own.as_deref().unwrap_or("no time");
            return Err(format!(
                "{event} happened at {own}, and is logged as of {told}"
            ));
        }
        if in_step && told < began {
            return Err(format!(
                "{event}, of {told}, is before the beginning at {began}"
            ));
        }
    }
    match found.opening() {
        Some(opening) if opening.time == began => Ok(()),
        Some(opening) => Err(format!("it began at {began}, not at {}", opening.time)),
        None => Err("its stream is empty".to_owned()),
    }
}

/// Checks that every accepted reservation is stored, and that repeated requests got the same answer.
fn check_accepted(bookings: &[Booking], found: &[Found], broken: &mut Vec<String>) {
    let there: BTreeSet<IdReserva> = found.iter().map(|one| one.id).collect();
    for booking in bookings {
        for text in booking.accepted() {
            if id(text).is_none_or(|id| !there.contains(&id)) {
                broken.push(format!("{text} was accepted, and is not stored"));
            }
        }
        let mut accepted = booking.answers.iter().filter(|answer| answer.status == 202);
        let first = accepted.next();
        let other = accepted.find(|answer| Some(*answer) != first);
        if let Some(other) = other.filter(|_| booking.keyed) {
            broken.push(format!("one key, two answers: {first:?} {other:?}"));
        }
    }
}

/// Checks that a request which was refused as too large stored no reservation, and that the first event of an accepted
/// large reservation has at most `LIMIT` bytes.
fn check_large(system: &System, bookings: &[Booking], found: &[Found], broken: &mut Vec<String>) {
    /// The most bytes of an event that opens a stream, with its envelope.
    const LIMIT: usize = 34 * 1024;
    for large in bookings.iter().filter_map(|booking| booking.large.as_ref()) {
        let is_its = |one: &&Found| {
            one.opening().is_some_and(|opening| {
                opening.data.get("id_cliente").and_then(Value::as_str) == Some(&large.id_cliente)
            })
        };
        let its = found.iter().find(is_its);
        let size = its
            .and_then(Found::opening)
            .and_then(|opening| opening.encode().ok());
        match (large.refused, size) {
            (true, Some(_)) => broken.push(format!("{large:?} was refused, and exists")),
            (false, Some(text)) if text.len() > LIMIT => {
                broken.push(format!("{large:?} was accepted, with {} bytes", text.len()));
            }
            (true, None) => system.kernel.count("large", "refused"),
            (false, Some(_)) => system.kernel.count("large", "accepted"),
            (false, None) => {}
        }
    }
}

/// The flight of each leg of a reservation, with the seats that its passengers need.
fn flights(found: &Found) -> Vec<(Vuelo, i64)> {
    let Some((_, Payload::ReservaCreada(made))) = found.history.first() else {
        return vec![];
    };
    let passengers = i64::try_from(made.pasajeros.len()).unwrap_or(i64::MAX);
    let legs = events::vuelos::legs(&made.itinerarios);
    legs.map(|leg| {
        let vuelo = Vuelo {
            origen: leg.origen.codigo.clone(),
            destino: leg.destino.codigo.clone(),
            fecha_salida: leg.fecha_salida,
        };
        (vuelo, passengers)
    })
    .collect()
}

/// The price of a reservation with its tax, which is the fare of its journey, whatever its event says.
fn price(found: &Found) -> Decimal {
    let Some((_, Payload::ReservaCreada(made))) = found.history.first() else {
        return Decimal::ZERO;
    };
    let price = tarifa::price(&made.itinerarios, made.pasajeros.len());
    price.monto.0 + price.monto_vat.0
}

fn check_one(
    system: &System,
    found: &Found,
    booking: Option<&Booking>,
    calm: bool,
    held: &mut Held,
) -> Result<(), String> {
    let opening = found.opening().ok_or("its stream is empty")?;
    let saga = load(system, saga_id(opening)).ok_or("it has no saga")?;
    exercised::count(&system.kernel, &saga);
    check_heard(system, found, &saga, calm)?;
    let stands = saga.status == Status::Completed;
    let ledger = block_on(simulador::ledger(&*system.tables, &pagos::key(found.id)));
    let ledger = ledger.map_err(|error| error.to_string())?;
    let charges = ledger.iter().filter(|moved| moved.tipo == Tipo::Cargo);
    if charges.count() > 1 {
        return Err(format!("charged twice: {ledger:?}"));
    }
    let (balance, price) = (simulador::balance(&ledger), price(found));
    if balance != if stands { price } else { Decimal::ZERO } {
        let status = saga.status;
        return Err(format!("{status}, and {balance} of {price} is charged"));
    }
    let estado = Reserva::fold(&found.history).estado();
    let wanted = if stands {
        EstadoReserva::Aprobada
    } else {
        EstadoReserva::Cancelada
    };
    if estado != Some(wanted) {
        return Err(format!(
            "{}, and the reservation is {estado:?}",
            saga.status
        ));
    }
    for (vuelo, seats) in flights(found) {
        *held.entry(vuelo).or_default() += seats * i64::from(stands);
    }
    let Some(booking) = booking else {
        return Ok(());
    };
    if booking.mode != mode_of(opening) {
        return Err(format!("{:?} was asked for", booking.mode));
    }
    if booking.cancellation == Cancellation::Accepted && stands {
        return Err("its cancellation was accepted, and it is not cancelled".to_owned());
    }
    if stands && !booking.kind.can_stand() {
        return Err(format!("{:?}, and it stands", booking.kind));
    }
    if calm
        && !stands
        && booking.kind.can_stand()
        && booking.cancellation == Cancellation::Unasked
        && !booking.shared
    {
        return Err(format!(
            "nothing was wrong, and it was not approved: {:?}",
            saga.reason
        ));
    }
    let begins = |entry: &Entry| matches!(entry.what, What::Started { .. });
    let opened = saga.log.iter().any(begins);
    if !opened || fact(opening).subject != saga.subject {
        return Err("its saga belongs to another reservation".to_owned());
    }
    Ok(())
}

fn mode_of(opening: &Event) -> SagaMode {
    opening.sagamode
}

/// Every record that was ever appended: the archived ones, and those of the log that are not archived.
///
/// # Errors
///
/// A record whose archived form differs from the one in the log.
fn records(system: &System) -> Result<Vec<LogRecord>, String> {
    let Ok(archive) = system.undisturbed().archive();
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = block_on(archive.page(after.as_deref(), 999));
        let page = page.map_err(|error| error.to_string())?;
        for record in page.records {
            all.insert((record.shard.clone(), record.sequence.0.clone()), record);
        }
        if !page.more {
            break;
        }
        after = page.last;
    }
    for record in system.log.records() {
        let place = (record.shard.clone(), record.sequence.0.clone());
        match all.get(&place) {
            Some(archived)
                if archived.partition_key == record.partition_key
                    && archived.data == record.data => {}
            other => return Err(format!("{place:?} is archived as {other:?}")),
        }
    }
    Ok(all.into_values().collect())
}

/// Checks that streams, log and archive agree. Records of events that were never committed must be the unreadable
/// records that the run appended.
fn check_log(system: &System, archived: &[LogRecord], broken: &mut Vec<String>) {
    let mut archive = Readings::default();
    archive.add(archived, &events::catalogue());
    let kept_since = system
        .kernel
        .now()
        .saturating_sub(SignedDuration::try_from(system.retention).unwrap_or(SignedDuration::MAX));
    // An event has the time of its commit, while the log drops records by their time of arrival. So the log may also
    // lack events that are up to an hour younger than the retention.
    let kept_since = kept_since.and_then(|since| since.checked_add(SignedDuration::from_hours(1)));
    let beyond = Beyond {
        kept_since: kept_since.unwrap_or(Timestamp::MIN).into(),
        archive,
    };
    let (tables, reader) = (&*system.tables, system.reader());
    let verified = match block_on(verify(tables, &*system.log, &reader, Some(beyond))) {
        Ok(verified) => verified,
        Err(error) => return broken.push(format!("verify: {error}")),
    };
    let claimed: BTreeSet<StreamId> = system
        .poisons
        .all()
        .iter()
        .filter_map(Poison::claims)
        .collect();
    let differences = verified.differences.iter();
    let unexpected = differences.filter(|difference| {
        !(matches!(difference, Difference::Unknown(..)) && claimed.contains(&difference.stream()))
    });
    broken.extend(unexpected.map(|difference| format!("verify: {difference}")));
}

/// Checks that every view is the fold of its events.
fn check_views(system: &System, records: &[LogRecord]) -> Result<(), String> {
    let (world, _) = twins::world(1);
    let tables = std::sync::Arc::new(MemoryTables::new());
    let fresh = Wiring::new(Ports {
        tables: tables.clone(),
        ..Ports::new(world)
    });
    for (key, item) in system.tables.all(STREAMS) {
        let put = Write::Put {
            key,
            item,
            condition: Condition::Always,
        };
        block_on(tables.write(&put)).map_err(|error| error.to_string())?;
    }
    let outcome = block_on(fresh.projector().consumer().consume(records));
    let poisons = records
        .iter()
        .filter(|record| system.poisons.has(&record.data));
    if outcome.failed.is_some() || outcome.parked != poisons.count() {
        return Err(format!("the log cannot be folded: {outcome:?}"));
    }
    for view in views::registry() {
        let name = view.name();
        let live = |wiring: &Wiring<Ports>| {
            let live = block_on(wiring.generations().live(name));
            live.map_err(|error| error.to_string())
        };
        let (live, made) = (live(&system.undisturbed())?, live(&fresh)?);
        let wanted = rows(&tables, &made.to_string());
        let found = rows(&system.tables, &live.to_string());
        for key in found.keys().chain(wanted.keys()) {
            let (found, wanted) = (found.get(key), wanted.get(key));
            if found != wanted {
                return Err(format!(
                    "the view {live} has for {key}:\n  {}\nand not\n  {}",
                    text(found),
                    text(wanted)
                ));
            }
        }
        let (from, to) = (Date::constant(2026, 1, 1), Date::constant(2026, 12, 31));
        let counted = block_on(analitica::pivot(&*system.tables, &live, from, to));
        let counts = block_on(analitica::pivot(&*tables, &made, from, to));
        if counted != counts {
            return Err(format!("{live} counts {counted:?}, not {counts:?}"));
        }
    }
    Ok(())
}

fn text(row: Option<&Value>) -> String {
    row.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

/// The rows of a view's generation, without the generation's name in their keys and without `rev`.
fn rows(tables: &MemoryTables, generation: &str) -> BTreeMap<String, Value> {
    let prefix = format!("{generation}#");
    let rows = tables.all(VIEWS).into_iter().filter_map(|(key, mut item)| {
        let of = key.pk.strip_prefix(&prefix).filter(|_| key.sk == "row")?;
        item.remove("rev");
        for partition in ["gsi1pk", "gsi2pk"] {
            if let Some(Value::String(text)) = item.get_mut(partition) {
                *text = text.replacen(&prefix, "", 1);
            }
        }
        Some((of.to_owned(), Value::Object(item)))
    });
    rows.collect()
}
