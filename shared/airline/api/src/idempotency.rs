//! The ids of the commands that HTTP requests send.

use std::sync::Arc;

use alpes_event_store::Secret;
use alpes_messages::{CommandId, Problem, Violation};
use alpes_ports::{Ids, TableError};
use events::IdReserva;
use lambda_http::Request;
use uuid::{Builder, Uuid};

use crate::{Caller, Header};

/// Name of the header with the idempotency key.
const HEADER: &str = "idempotency-key";
/// Longest key, in characters.
pub const MAX_KEY: usize = 255;

/// The operation that makes a reservation. The ids of its commands and reservations follow from this name.
pub const CREATION: &str = "POST /vuelos/reserva";

/// Reads the `Idempotency-Key` of a request, if the request has one, and returns the key with the value of `read`,
/// which is the result of reading the request's body.
///
/// # Errors
///
/// A [`Problem`] that lists the violations of the header and of the body together.
pub fn with_key<T>(
    request: &Request,
    read: Result<T, Vec<Violation>>,
) -> Result<(Option<&str>, T), Problem> {
    match (key(request), read) {
        (Ok(key), Ok(read)) => Ok((key, read)),
        (key, read) => {
            let errores = key.err().into_iter().chain(read.err().unwrap_or_default());
            Err(parse::invalid(errores))
        }
    }
}

/// True if the text can be an idempotency key.
#[must_use]
pub fn is_key(text: &str) -> bool {
    let printable = |byte: u8| (byte.is_ascii_graphic() || byte == b' ') && byte != b',';
    (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(printable)
}

/// Reads the key. A key with a comma is refused, because it may be two keys: a proxy may join two headers of one name
/// with a comma (RFC 9110, 5.3), and HTTP APIs of API Gateway do so.
fn key(request: &Request) -> Result<Option<&str>, Violation> {
    match Header::of(request, HEADER) {
        Header::Absent => Ok(None),
        Header::Text(key) if is_key(key) => Ok(Some(key)),
        _ => {
            let rule = format!(
                "Debe aparecer una sola vez y tener de 1 a {MAX_KEY} caracteres ASCII imprimibles, sin comas"
            );
            Err(Violation::new("Idempotency-Key", "formato", rule))
        }
    }
}

/// Gives the commands that HTTP requests send their ids.
///
/// The id of a request with an idempotency key follows from the caller, the operation and the key by the installation's
/// [`Secret`]. So a key belongs to the caller who sends it, and nobody can compute an id from a key.
pub struct CommandIds {
    secret: Arc<Secret>,
    ids: Arc<dyn Ids>,
}

impl CommandIds {
    /// The ids of the installation with this secret. Commands without a key get their ids from `ids`.
    #[must_use]
    pub fn new(secret: Arc<Secret>, ids: Arc<dyn Ids>) -> Self {
        Self { secret, ids }
    }

    /// The id of the command that a request sends. Every repetition of an operation by the same caller with the same
    /// idempotency key gets the same id. A request without a key gets a new id.
    ///
    /// # Errors
    ///
    /// The secret was not to be read.
    pub async fn id(
        &self,
        caller: &Caller,
        operation: &str,
        key: Option<&str>,
    ) -> Result<CommandId, TableError> {
        let Some(key) = key else {
            return Ok(CommandId(self.ids.fresh()));
        };
        let signer = self.secret.signer(&["ids"]).await?;
        let actor = caller.actor().unwrap_or_default();
        let signature = signer.sign(&[&actor, operation, key]);
        let half = signature.first_chunk().copied().unwrap_or_default();
        Ok(CommandId(Builder::from_custom_bytes(half).into_uuid()))
    }
}

/// The id of the reservation that a command makes.
#[must_use]
pub fn reservation_of(command: CommandId) -> IdReserva {
    IdReserva(Uuid::new_v5(&command.0, b"reserva"))
}
