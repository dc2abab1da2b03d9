//! Reservations to make, with the outcomes that they must have.

use serde_json::{Value, json};

use crate::{Api, Booked, Falla, Outcome, Stack, at_its_own_time, flights, paid_with, unique};

/// The planned fate of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The reservation is approved.
    Good,
    /// The reservation's payment is declined.
    Declined,
    /// The reservation's flight has no seat.
    NoSeat,
    /// The confirmation of the reservation's seats gets no answer.
    NoAnswer,
    /// The client cancels the reservation at once.
    Cancelled,
}

impl Fate {
    /// True if the outcome is allowed where functions are slow or die. There a step may get no answer at any attempt,
    /// and is then undone.
    pub fn allows(self, outcome: Outcome) -> bool {
        match self {
            Self::Good => {
                [Outcome::APPROVED, Outcome::REFUNDED, Outcome::NOT_CHARGED].contains(&outcome)
            }
            Self::Declined => outcome == Outcome::NOT_CHARGED,
            Self::NoSeat | Self::NoAnswer | Self::Cancelled => {
                [Outcome::REFUNDED, Outcome::NOT_CHARGED].contains(&outcome)
            }
        }
    }
}

/// A reservation to make.
pub struct Order {
    /// The reservation's planned fate.
    pub fate: Fate,
    /// The body of the request.
    pub body: Value,
    key: String,
}

impl Stack {
    /// Prepares a reservation of a journey at a time of its own, and the faults that its fate needs.
    pub fn order(&self, fate: Fate, journey: Value) -> Order {
        self.order_on(fate, at_its_own_time(journey))
    }

    /// Prepares a reservation of these flights, and the faults that its fate needs.
    pub fn order_on(&self, fate: Fate, mut body: Value) -> Order {
        let key = unique("orden");
        match fate {
            Fate::Good | Fate::Cancelled => {}
            Fate::Declined => body = paid_with(body, "tok_rechazada"),
            Fate::NoSeat => self.set_seats(&flights(&body)[0], 0),
            Fate::NoAnswer => {
                let falla = Falla {
                    contexto: "gds",
                    comando: "ConfirmarReserva",
                    modo: "error",
                    veces: 1_000,
                };
                self.misbehave(&key, falla);
            }
        }
        Order { fate, body, key }
    }
}

impl Api {
    /// Makes the reservation. Also returns how many answers were lost.
    pub fn place(&self, order: &Order) -> (Booked, u32) {
        let headers = [("Idempotency-Key", order.key.as_str())];
        let answer = self.book(order.body.to_string().as_bytes(), &headers);
        (Booked::from(&answer), answer.lost)
    }

    /// Makes the reservation, and cancels it if that is its fate. Also returns how many answers were lost.
    pub fn insist(&self, order: &Order) -> (Booked, u32) {
        let (booked, lost) = self.place(order);
        if order.fate == Fate::Cancelled {
            self.cancel(booked.id, &json!({})).accepted();
        }
        (booked, lost)
    }
}
