//! A reservation whose saga began too late.

use std::sync::Arc;

use alpes_event_store::Handled;
use alpes_ports::Clock;
use alpes_saga::SagaId;
use e2e::{Booked, Outcome, Stack, at_its_own_time, flights, nobody, sample, story};
use jiff::{SignedDuration, Timestamp};
use vuelos::{CREAR_RESERVA, Vuelos};

/// A clock that is 25 hours slow.
struct Slow(Arc<dyn Clock>);

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        self.0.now() - SignedDuration::from_hours(25)
    }
}

#[test]
fn a_reservation_of_yesterday_is_cancelled_and_never_charged() {
    let stack = Stack::from_env();
    let slow = Arc::new(Slow(stack.world.clock.clone()));
    let store = stack.store_with(|ports| ports.world.clock = slow);
    let body = at_its_own_time(sample());
    let command = stack.command(CREAR_RESERVA, nobody(), body.clone());
    let handled = stack.wait(store.handle(&Vuelos, &command)).unwrap();
    assert!(
        matches!(handled, Handled::Committed { appended: true, .. }),
        "{handled:?}"
    );

    let booked = Booked {
        id: command.subject,
        saga: SagaId(command.correlationid.0),
    };
    assert_eq!(stack.outcome(booked), Outcome::NOT_CHARGED);
    assert_eq!(stack.seats(&flights(&body)[0]).held, 0);
    assert_eq!(
        story(&stack.saga(booked)),
        [
            "Inicio ReservaCreada",
            "CancelacionPedida plazo",
            "CompensacionEnviada CancelarReserva",
            "EventoRecibido ReservaCancelada",
            "Fin Compensada",
        ]
    );
}
