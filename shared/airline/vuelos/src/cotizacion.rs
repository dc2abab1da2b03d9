//! Quotes: the price of a journey for a while, signed by the installation.
//!
//! ```text
//! body ──► parse ──► Viaje ──► Cotizacion::of ──► token(key of the day) ──► the client
//!
//! token ──► Cotizacion::read ──► verifies(key of the day), for the caller      before the store
//!                           └──► price_of(journey, now)                        in the decision
//! ```
//!
//! A quote can be used many times and holds no seat. Its signature, its caller and its day never change with time, so
//! they are checked before the event store is asked. Its end is checked in the decision, behind the receipt of the
//! command, so that a repeated request gets the answer of the first one also after the end.
//!
//! The key of a quote depends on the day of its issue, so a key is of no use for the quotes of later days.

use std::fmt::Write;

use alpes_event_store::Signer;
use alpes_messages::{Problem, Violation, hex, letters, of_letters};
use events::{
    kinds,
    vuelos::{Itinerario, Precio, legs},
};
use jiff::{SignedDuration, Timestamp};
use parse::Regla;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tarifa;

/// How long a quote is valid.
pub const VALIDITY: SignedDuration = SignedDuration::from_mins(15);
/// The longest token of a quote, in characters.
pub const MAX_COTIZACION: usize = 1024;

/// Between the content of a token and its signature.
const SIGNATURE: char = '-';
const SECONDS_OF_A_DAY: i64 = 86_400;

/// A quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cotizacion {
    /// The caller for whom the quote is; empty for anyone.
    caller: String,
    /// A hash of the legs and of the number of passengers.
    journey: String,
    /// The price.
    pub precio: Precio,
    /// The second at which the quote ends.
    end: i64,
}

/// A quote whose signature has not been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The content.
    pub cotizacion: Cotizacion,
    content: String,
    signature: Vec<u8>,
}

impl Cotizacion {
    /// The quote of a journey for this number of passengers.
    #[must_use]
    pub fn of(itinerarios: &[Itinerario], passengers: usize, caller: &str, now: Timestamp) -> Self {
        Self {
            caller: caller.to_owned(),
            journey: hash(itinerarios, passengers),
            precio: tarifa::price(itinerarios, passengers),
            end: now.as_second().saturating_add(VALIDITY.as_secs()),
        }
    }

    /// The time at which the quote ends.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        Timestamp::from_second(self.end).unwrap_or(Timestamp::MAX)
    }

    /// The id of the key that signs the quote: the number of the day of its issue.
    #[must_use]
    pub fn key_id(&self) -> String {
        let issued = self.end.saturating_sub(VALIDITY.as_secs());
        issued.div_euclid(SECONDS_OF_A_DAY).to_string()
    }

    /// The quote as text without digits, because a text with many digits may look like the number of a payment card, which
    /// the API refuses. It is signed with the key of [`Self::key_id`].
    #[must_use]
    pub fn token(&self, key: &Signer) -> String {
        // A quote has only texts and numbers, so it always has a JSON form.
        let content = serde_json::to_string(self).unwrap_or_default();
        let signature = key.sign(&[&content]);
        format!(
            "{}{SIGNATURE}{}",
            letters(content.as_bytes()),
            letters(&signature)
        )
    }

    /// Reads a token. `None` if the text is no token.
    #[must_use]
    pub fn read(token: &str) -> Option<Token> {
        let (content, signature) = token.split_once(SIGNATURE)?;
        let content = String::from_utf8(of_letters(content)?).ok()?;
        Some(Token {
            cotizacion: serde_json::from_str(&content).ok()?,
            content,
            signature: of_letters(signature)?,
        })
    }

    /// The price of this journey, if the quote is of this journey and has not ended.
    ///
    /// # Errors
    ///
    /// A [`Problem`] that names the rule.
    pub fn price_of(
        self,
        itinerarios: &[Itinerario],
        passengers: usize,
        now: Timestamp,
    ) -> Result<Precio, Problem> {
        if self.journey != hash(itinerarios, passengers) {
            let detalle = "Es de otro viaje o de otro número de pasajeros";
            return Err(refused(Regla::Cotizacion, detalle.to_owned()));
        }
        if self.end() <= now {
            let detalle = format!("Venció el {}; pida otra", self.end());
            return Err(refused(Regla::CotizacionVencida, detalle));
        }
        Ok(self.precio)
    }
}

impl Token {
    /// Checks that the installation has signed the quote for this caller. `key` is the key of [`Cotizacion::key_id`].
    ///
    /// # Errors
    ///
    /// A [`Problem`].
    pub fn check(&self, caller: &str, key: &Signer) -> Result<(), Problem> {
        let is_ours = key.verifies(&[&self.content], &self.signature);
        if is_ours && self.cotizacion.caller == caller {
            return Ok(());
        }
        Err(unknown())
    }
}

/// The refusal of a text that is no quote of this installation for the caller.
#[must_use]
pub fn unknown() -> Problem {
    let detalle = "No es una cotización que se haya dado a quien llama";
    refused(Regla::Cotizacion, detalle.to_owned())
}

fn refused(regla: Regla, detalle: String) -> Problem {
    let violation = Violation::new("cotizacion", regla.name(), detalle);
    Problem::of(kinds::QUOTE).at(vec![violation])
}

/// A hash of all that decides the price. Names of airports and passengers do not, so a client may add them later.
fn hash(itinerarios: &[Itinerario], passengers: usize) -> String {
    let mut text = format!("{passengers}");
    for leg in legs(itinerarios) {
        let (from, to) = (&leg.origen.codigo, &leg.destino.codigo);
        let (departs, arrives) = (leg.fecha_salida, leg.fecha_llegada);
        // Writing to a `String` never fails.
        let _ = write!(text, "\n{from} {departs} {to} {arrives}");
    }
    hex(&Sha256::digest(text))
}
