//! The commands `saga` and `sagas`: the state of sagas, and the money and seats that a saga moved.

use std::error::Error;

use alpes_event_store::StreamReader;
use alpes_messages::{Event, Moment, StreamId};
use alpes_participant::{Reactions, Waiting};
use alpes_ports::Platform;
use alpes_ports::{Executions, Tables};
use alpes_saga::{Definitions, Saga, SagaId, SagaMode, Sagas, Status, Stored};
use api::saga as words;
use events::{CONTEXTS, GDS, IdReserva, PAGOS, Payload, VUELOS};
use gds::inventory::{self, Inventory, Vuelo};
use pagos::simulador::{self, Movimiento, Tipo};
use reserva_saga::{as_it_went, saga_id};
use serde_json::Value;

use crate::{
    Deployed, Outcome, asked,
    timeline::{by_timers, entry, render, standing, time_of_day, waits},
};

/// The most sagas in a list.
const LISTED: usize = 100;

pub(crate) async fn show(deployed: &Deployed, id: &str) -> Outcome {
    let id = id
        .parse()
        .map_err(|_| format!("{id} is no id: a saga's or a reservation's is a UUID"))?;
    let tables = deployed.platform.tables();
    let (reader, sagas) = (deployed.reader(), deployed.sagas());
    let saga = find(&sagas, &reader, id).await?;
    let executions = deployed.platform.executions();
    let executions = executions
        .as_deref()
        .map(|executions| executions as &dyn Executions);
    // The histories of executions do not contain the time of the next check.
    let next_look = saga.next_look;
    let mut saga = as_it_went(saga, sagas.definitions(), executions).await?;
    saga.next_look = saga.next_look.or(next_look);
    let reservation = IdReserva(saga.subject);
    let mut lines = render(&saga, sagas.definitions());
    lines.push(String::new());
    if saga.mode == SagaMode::Choreography {
        let reactions = deployed.reactions();
        lines.extend(waiting(&reactions, &reader, reservation).await?);
    }
    lines.extend(payments(&*tables, &reader, reservation).await?);
    lines.extend(seats(&*tables, &reader, reservation).await?);
    println!("{}", lines.join("\n"));
    Ok(true)
}

/// The saga with this id, or the saga of the reservation with this id.
async fn find(
    sagas: &Sagas,
    reader: &StreamReader<Payload>,
    id: SagaId,
) -> Result<Saga, Box<dyn Error>> {
    if let Some(Stored { saga, .. }) = sagas.load(id).await? {
        return Ok(saga);
    }
    let reservation = IdReserva(id.0);
    let history = reader.history(StreamId::new(VUELOS, reservation)).await?;
    let Some((opening, _)) = history.first() else {
        return Err(format!("there is neither a saga nor a reservation {id}").into());
    };
    let own = saga_id(opening);
    match sagas.load(own).await? {
        Some(Stored { saga, .. }) => Ok(saga),
        None => Err(format!(
            "saga {own} of reservation {id} has not begun: its first event has not reached the orchestrator yet"
        )
        .into()),
    }
}

/// The pending reactions of a choreography's contexts, and its deadline.
async fn waiting(
    reactions: &Reactions,
    reader: &StreamReader<Payload>,
    reservation: IdReserva,
) -> Result<Vec<String>, Box<dyn Error>> {
    let mut history = vec![];
    for context in CONTEXTS {
        history.extend(reader.history(StreamId::new(context, reservation)).await?);
    }
    let events: Vec<_> = history.iter().map(|(event, _)| event).collect();
    let mut lines = vec![];
    for (context, policies) in wiring::policies() {
        let found = reactions.of_subject(context, &policies, &events).await?;
        for one in found {
            let name = if lines.is_empty() { "waiting" } else { "" };
            lines.extend(entry(name, &put_off(&one)));
        }
    }
    Ok(lines)
}

fn put_off(waiting: &Waiting) -> String {
    let Waiting {
        context,
        event,
        command,
        is_deadline,
        attempts,
        next,
    } = waiting;
    let tried = match attempts {
        0 => String::new(),
        1 => ", tried once in vain".to_owned(),
        count => format!(", tried {count} times in vain"),
    };
    let what = if *is_deadline {
        "the deadline, unless all steps are done before"
    } else {
        "put off"
    };
    let goes_on = next.map(by_timers);
    let goes_on = goes_on.unwrap_or_else(|| "it has no time for a retry".to_owned());
    format!(
        "{}: {command} after {event}{tried}, {what}; {goes_on}",
        context.name
    )
}

async fn payments(
    tables: &dyn Tables,
    reader: &StreamReader<Payload>,
    reservation: IdReserva,
) -> Result<Vec<String>, Box<dyn Error>> {
    let stream = StreamId::new(PAGOS, reservation);
    let mut lines = entry("payment", &told(&reader.history(stream).await?));
    let moved = simulador::ledger(tables, &pagos::key(reservation)).await?;
    lines.extend(moved.iter().flat_map(|moved| entry("", &movement(moved))));
    lines.extend(entry("", &balance(&moved)));
    Ok(lines)
}

fn movement(moved: &Movimiento) -> String {
    let kind = match moved.tipo {
        Tipo::Cargo => "charge",
        Tipo::Devolucion => "refund",
    };
    let pago = &moved.pago;
    format!(
        "{} {kind} of {} + {} {}, {}",
        time_of_day(moved.cuando.timestamp()),
        pago.monto.0,
        pago.monto_vat.0,
        pago.moneda,
        pago.medio
    )
}

fn balance(moved: &[Movimiento]) -> String {
    match moved.first() {
        None => "nothing was charged".to_owned(),
        Some(charge) => {
            let (left, currency) = (simulador::balance(moved), &charge.pago.moneda);
            format!("charged and not given back: {left} {currency}")
        }
    }
}

async fn seats(
    tables: &dyn Tables,
    reader: &StreamReader<Payload>,
    reservation: IdReserva,
) -> Result<Vec<String>, Box<dyn Error>> {
    let stream = StreamId::new(GDS, reservation);
    let history = reader.history(stream).await?;
    let mut lines = entry("seats", &told(&history));
    let held = match history.last() {
        Some((_, Payload::ReservaGDSConfirmada(held))) => &*held.sillas,
        _ => &[],
    };
    if held.is_empty() {
        lines.extend(entry("", "none is held"));
    }
    for flight in held {
        let vuelo = Vuelo::from(flight);
        let Inventory { capacity, free, .. } = inventory::read(tables, &vuelo).await?;
        let seats = flight.sillas;
        let text = format!("{vuelo}: {seats} held; {free} of {capacity} are free");
        lines.extend(entry("", &text));
    }
    Ok(lines)
}

/// An event stream in one line: its events, each with its motivo (reason).
fn told(history: &[(Event, Payload)]) -> String {
    if history.is_empty() {
        return "nothing has happened".to_owned();
    }
    let events = history.iter().map(|(event, _)| {
        let motivo = event.data.get("motivo").and_then(Value::as_str);
        let motivo = motivo.map(|motivo| format!(" ({motivo})"));
        format!("{}{}", event.kind, motivo.unwrap_or_default())
    });
    events.collect::<Vec<_>>().join(", ")
}

pub(crate) async fn list(deployed: &Deployed, estado: &str) -> Outcome {
    let Some(status) = words::status(estado) else {
        let names = Status::ALL.map(words::estado).join(", ");
        return Err(format!("{estado} is no state of a saga; there are {names}").into());
    };
    let sagas = deployed.sagas();
    let page = sagas.list(status, None, LISTED).await?;
    for saga in &page.sagas {
        println!("{}", summary(saga, sagas.definitions()).join("\n"));
    }
    match (page.sagas.len(), page.next) {
        (0, _) => println!("No saga at {} is {estado}.", asked()),
        (count, None) => println!("{count} {estado}. `cargo xtask saga ID` shows one."),
        (count, Some(_)) => println!(
            "The newest {count} that are {estado}; GET /sagas?estado={estado} has them all."
        ),
    }
    Ok(true)
}

fn summary(saga: &Saga, definitions: &Definitions) -> Vec<String> {
    let begun = Moment::from(saga.started());
    let mut lines = vec![format!("{}  begun {begun}", saga.id)];
    lines.extend(entry("", &format!("reservation {}", saga.subject)));
    lines.extend(entry("", &standing(saga)));
    lines.extend(
        waits(saga, definitions)
            .iter()
            .flat_map(|waits| entry("", &format!("waits for {waits}"))),
    );
    lines
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use alpes_consumer::{Consumer, Parking};
    use alpes_event_store::{Decider, EventStore};
    use alpes_messages::{Command, CommandId, CorrelationId, SagaMode};
    use alpes_participant::{FaultMode, Faults, Reactor, Rules};
    use alpes_ports::World;
    use futures::executor::block_on;
    use gds::{CONFIRMAR_RESERVA, Gds, REVERTIR_CONFIRMACION};
    use jiff::Timestamp;
    use pagos::{PAGAR_RESERVA, Pagos, REVERTIR_PAGO, simulador::Simulador};
    use serde_json::json;
    use twins::{ManualClock, MemoryLog, MemoryTables};
    use vuelos::Vuelos;

    use super::*;

    const RESERVA: IdReserva = IdReserva(uuid::Uuid::from_u128(7));

    struct Bench {
        world: World,
        clock: Arc<ManualClock>,
        log: Arc<MemoryLog>,
        tables: Arc<MemoryTables>,
        store: EventStore<Payload>,
        pagos: Pagos,
    }

    impl Bench {
        fn new() -> Self {
            let (world, clock) = twins::world(1);
            let tables = Arc::new(MemoryTables::new());
            let log = Arc::new(MemoryLog::new(1, world.clock.clone()));
            let catalogue = events::catalogue();
            Self {
                store: EventStore::new(tables.clone(), log.clone(), world.clone(), catalogue),
                pagos: Pagos {
                    gateway: Arc::new(Simulador::new(tables.clone(), world.clone())),
                },
                tables,
                log,
                clock,
                world,
            }
        }

        fn send(&self, decider: &dyn Decider<Payload>, kind: &str, data: Value) {
            let command = Command {
                id: CommandId(uuid::Uuid::new_v5(&RESERVA.0, kind.as_bytes())),
                kind: kind.to_owned(),
                subject: RESERVA,
                correlationid: CorrelationId(RESERVA.0),
                causationid: None,
                sagamode: SagaMode::Orchestration,
                traceparent: None,
                actor: None,
                prueba: true,
                data,
            };
            block_on(self.store.handle(decider, &command)).unwrap();
        }

        fn pays(&self, medio: &str) {
            let data =
                json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": medio});
            self.send(&self.pagos, PAGAR_RESERVA, data);
        }

        fn payments(&self) -> Vec<String> {
            block_on(payments(&*self.tables, self.store.reader(), RESERVA)).unwrap()
        }

        fn seats(&self) -> Vec<String> {
            block_on(seats(&*self.tables, self.store.reader(), RESERVA)).unwrap()
        }
    }

    #[test]
    fn a_charge_and_its_refund() {
        let bench = Bench::new();
        assert_eq!(
            bench.payments(),
            [
                "payment   nothing has happened",
                "          nothing was charged"
            ]
        );
        bench.pays("tok_visa");
        bench.send(&bench.pagos, REVERTIR_PAGO, json!({}));
        let lines = bench.payments();
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[0], "payment   ReservaPagada, PagoRevertido");
        assert!(lines[1].ends_with(" charge of 100.00 + 19.00 USD, tok_visa"));
        assert!(lines[2].ends_with(" refund of 100.00 + 19.00 USD, tok_visa"));
        assert_eq!(lines[3], "          charged and not given back: 0.00 USD");
    }

    /// The reactor of a context, after it has consumed the whole log.
    fn hears(bench: &Bench, rules: Rules<Payload>) -> Reactor<Payload> {
        let (store, world) = (bench.store.clone(), bench.world.clone());
        let tables: Arc<dyn Tables> = bench.tables.clone();
        let reactor = rules.reactor(store, tables.clone(), world.clone(), true);
        let catalogue = events::catalogue();
        let consumed = {
            let consumer = Consumer {
                name: "test",
                catalogue: &catalogue,
                parking: &Parking::new(tables, world.clock, &catalogue),
                handler: &reactor.handler(Timestamp::MAX),
            };
            block_on(consumer.consume(&bench.log.records()))
        };
        assert_eq!((consumed.failed, consumed.parked), (None, 0));
        reactor
    }

    #[test]
    fn what_contexts_have_put_off_is_told_with_its_attempts_and_when_it_goes_on() {
        let bench = Bench::new();
        let sample =
            include_str!("../../../functions/participant-vuelos/events/crear_reserva.json");
        let mut command: Command = serde_json::from_str(sample).unwrap();
        command.sagamode = SagaMode::Choreography;
        block_on(bench.store.handle(&Vuelos, &command)).unwrap();
        let faults = Faults::new(bench.tables.clone());
        let (pagos, silent) = (PAGOS, FaultMode::Error);
        block_on(faults.set(pagos, PAGAR_RESERVA, None, silent, 9)).unwrap();
        let reactor = hears(
            &bench,
            Rules {
                context: pagos,
                decider: Arc::new(Pagos {
                    gateway: Arc::new(Simulador::new(bench.tables.clone(), bench.world.clone())),
                }),
                failure: ::pagos::FAILURE,
                policies: ::pagos::policies(),
            },
        );
        hears(
            &bench,
            Rules {
                context: VUELOS,
                decider: Arc::new(Vuelos),
                failure: vuelos::FAILURE,
                policies: vuelos::policies(),
            },
        );
        let told = |reactions: &Reactions| {
            let lines = waiting(reactions, bench.store.reader(), command.subject);
            let lines = block_on(lines).unwrap();
            let words: Vec<_> = lines
                .iter()
                .flat_map(|line| line.split_whitespace())
                .collect();
            words.join(" ")
        };
        let reactions = &reactor.reactions;
        bench.clock.advance(Duration::from_secs(10));
        let text = told(reactions);
        let deadline = "waiting vuelos: CancelarReserva after ReservaCreada, the deadline, unless all steps are done before; the timers \
                        go on at their first run from 10:05:00.000 on";
        let payment = "pagos: PagarReserva after ReservaCreada, tried once in vain, put off; the timers go on at their first run \
                       from 10:00:0";
        assert!(
            text.starts_with(deadline) && text.contains(payment),
            "{text}"
        );
        let due = block_on(reactions.due(&CONTEXTS, 10)).unwrap().reactions;
        block_on(reactor.resume(&due, Timestamp::MAX));
        let text = told(reactions);
        assert!(
            text.contains("PagarReserva after ReservaCreada, tried 2 times in vain, put off"),
            "{text}"
        );
    }

    #[test]
    fn a_payment_that_was_declined() {
        let bench = Bench::new();
        bench.pays("tok_rechazada");
        assert_eq!(
            bench.payments(),
            [
                "payment   PagoFallido (tarjeta rechazada)",
                "          nothing was charged"
            ]
        );
    }

    #[test]
    fn the_seats_that_are_held_until_they_are_given_back() {
        let bench = Bench::new();
        let leg = json!({
            "fecha_salida": "2022-11-22T13:10:00Z", "fecha_llegada": "2022-11-22T15:10:00Z",
            "origen": {"codigo": "BOG"}, "destino": {"codigo": "JFK"}
        });
        let itinerarios = json!([{"odos": [{"segmentos": [{"legs": [leg]}]}]}]);
        bench.send(&Gds, CONFIRMAR_RESERVA, json!({"itinerarios": itinerarios}));
        assert_eq!(
            bench.seats(),
            [
                "seats     ReservaGDSConfirmada",
                "          BOG-JFK#2022-11-22T13:10:00Z: 1 held; 179 of 180 are free"
            ]
        );
        bench.send(&Gds, REVERTIR_CONFIRMACION, json!({}));
        assert_eq!(
            bench.seats(),
            [
                "seats     ReservaGDSConfirmada, ConfirmacionGDSRevertida",
                "          none is held"
            ]
        );
    }
}
