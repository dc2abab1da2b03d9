//! Tests of the two engines that run a saga: the coordinator, and a state machine of Step Functions. Both engines get
//! the same script and must reach the same end.

use alpes_messages::{Context, SagaMode};
use alpes_saga::{Saga, Status, What};
use events::{PAGOS, vuelos::EstadoReserva};
use gds::inventory;
use pagos::simulador::Tipo;
use serde_json::Value;

use crate::{
    ORQUESTACION, STEP_FUNCTIONS, calm,
    sim::{Booking, PASSENGERS, Setup, Sim, vuelo},
};

/// The script for one reservation and its saga.
struct Script {
    medio: &'static str,
    /// Number of free seats of each flight.
    seats: &'static [u32],
    approved: bool,
    /// The context that answers a command with an error, the command, and the number of errors.
    breaks: Option<(Context, &'static str, u32)>,
    /// The client cancels the reservation once it is approved.
    cancelled: bool,
}

const GOOD: Script = Script {
    medio: "tok_visa",
    seats: &[1],
    approved: true,
    breaks: None,
    cancelled: false,
};

/// The end of a reservation, as far as both engines must agree.
#[derive(Debug, PartialEq)]
struct End {
    saga: Status,
    reserva: Option<EstadoReserva>,
    ledger: Vec<(Tipo, String)>,
    /// For each flight, the number of further reservations for whose passengers it has seats.
    free: Vec<i64>,
    lines: Vec<String>,
}

fn booking(script: &Script) -> Booking {
    let onward = inventory::Vuelo {
        origen: "JFK".into(),
        destino: "MAD".into(),
        fecha_salida: "2026-12-31T10:00:00Z".parse().unwrap(),
    };
    let flights = [vuelo("2026-12-30T10:00:00Z"), onward];
    Booking {
        medio: script.medio,
        flights: flights
            .into_iter()
            .zip(script.seats.iter().copied())
            .collect(),
        approved: script.approved,
    }
}

/// The log of a saga as short lines, without times and without the lines that only one engine writes.
pub fn lines(saga: &Saga) -> Vec<String> {
    let own = |what: &What| !matches!(what, What::ExecutionStarted { .. });
    let lines = saga.log.iter().filter(|entry| own(&entry.what));
    let line = lines.map(|entry| {
        let line = serde_json::to_value(entry).unwrap();
        let fields = [
            "type", "step", "command", "event", "meaning", "attempts", "status",
        ];
        let fields = fields.iter().filter_map(|field| match &line[*field] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        });
        fields.collect::<Vec<_>>().join(" ")
    });
    line.collect()
}

fn play(script: &Script, mode: SagaMode) -> (Sim, End) {
    let mut sim = calm(Setup::default());
    let booking = booking(script);
    let place = sim.book_so(&booking, mode);
    if let Some((context, command, times)) = script.breaks {
        sim.break_down(context, command, place, times);
    }
    sim.run().unwrap();
    if script.cancelled {
        assert!(sim.cancel(place));
        sim.run().unwrap();
    }
    sim.check().unwrap();
    let saga = sim.saga(place).unwrap();
    assert_eq!(saga.mode, mode);
    let ledger = sim.ledger(place).into_iter();
    let end = End {
        saga: saga.status,
        reserva: sim.reserva(place),
        ledger: ledger
            .map(|moved| (moved.tipo, moved.pago.monto.0.to_string()))
            .collect(),
        free: booking
            .flights
            .iter()
            .map(|(flight, _)| sim.seats(flight).free / i64::from(PASSENGERS))
            .collect(),
        lines: lines(&sim.as_it_went(place)),
    };
    (sim, end)
}

/// Runs the script with both engines, and returns their common end.
fn both(what: &str, script: &Script) -> End {
    let (_, ours) = play(script, ORQUESTACION);
    let (_, theirs) = play(script, STEP_FUNCTIONS);
    assert_eq!(ours, theirs, "{what}");
    println!("{what}: {:?}", theirs.lines);
    theirs
}

#[test]
fn both_engines_come_to_the_same_end_by_the_same_steps() {
    let undone = |what: &str, script: Script| {
        let end = both(what, &script);
        assert_eq!(end.saga, Status::Compensated, "{what}");
        let free: Vec<_> = script.seats.iter().copied().map(i64::from).collect();
        assert_eq!(end.free, free, "{what}");
        end
    };
    let end = both("approved", &GOOD);
    assert_eq!((end.saga, end.free), (Status::Completed, vec![0]));
    for medio in ["tok_rechazada", "tok_fondos_insuficientes"] {
        let end = undone(medio, Script { medio, ..GOOD });
        assert_eq!(end.ledger, []);
        assert_eq!(end.lines.len(), 6, "{:?}", end.lines);
    }
    let flaky = Script {
        medio: "tok_intermitente",
        ..GOOD
    };
    let end = both("transient error of payment", &flaky);
    assert_eq!((end.saga, end.ledger.len()), (Status::Completed, 1));
    assert_eq!(end.lines[2..4], ["NoAnswer 2"; 2], "{end:?}");
    assert!(end.lines[4].ends_with("ReservaPagada success 3"), "{end:?}");
    let mute = Script {
        medio: "tok_timeout",
        ..GOOD
    };
    let end = undone("payment without answer", mute);
    assert_eq!(end.ledger.len(), 2, "charged, and given back");
    for (what, seats) in [
        ("no seat on the first leg", &[0, 1]),
        ("no seat on the last leg", &[1, 0]),
    ] {
        let end = undone(what, Script { seats, ..GOOD });
        assert_eq!(end.ledger.len(), 2);
    }
    let refused = Script {
        approved: false,
        ..GOOD
    };
    undone("not approved", refused);
    let breaks = Some((PAGOS, pagos::REVERTIR_PAGO, 2));
    let troubled = Script {
        approved: false,
        breaks,
        ..GOOD
    };
    let end = undone("a compensation that fails twice", troubled);
    let given_back = end
        .lines
        .iter()
        .any(|line| line.ends_with("PagoRevertido reversal 3"));
    assert!(given_back, "{end:?}");
    let cancelled = Script {
        cancelled: true,
        ..GOOD
    };
    undone("cancelled once it is approved", cancelled);
}
