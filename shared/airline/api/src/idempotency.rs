//! The ids of the commands that HTTP requests send.

use alpes_messages::{CommandId, Problem, Violation};
use alpes_ports::Ids;
use events::IdReserva;
use lambda_http::Request;
use uuid::{Uuid, uuid};

use crate::Header;

/// Name of the header with the idempotency key.
const HEADER: &str = "idempotency-key";
const MAX_KEY: usize = 255;

/// Namespace of this system's version 5 UUIDs. The namespace must never change, because another namespace would give
/// new command ids to idempotency keys in use.
const NAMESPACE: Uuid = uuid!("6f0a6a57-6d0e-5c52-9c5e-0d5f5b3c2a11");

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

/// Reads the key. A key with a comma is refused, because it may be two keys: a proxy may join two headers of one name
/// with a comma (RFC 9110, 5.3), and HTTP APIs of API Gateway do so.
fn key(request: &Request) -> Result<Option<&str>, Violation> {
    let printable = |key: &str| {
        (1..=MAX_KEY).contains(&key.len())
            && key
                .bytes()
                .all(|byte| (byte.is_ascii_graphic() || byte == b' ') && byte != b',')
    };
    match Header::of(request, HEADER) {
        Header::Absent => Ok(None),
        Header::Text(key) if printable(key) => Ok(Some(key)),
        _ => {
            let rule = format!(
                "Debe aparecer una sola vez y tener de 1 a {MAX_KEY} caracteres ASCII imprimibles, sin comas"
            );
            Err(Violation::new("Idempotency-Key", "formato", rule))
        }
    }
}

/// The id of the command that a request sends. Every repetition of an operation with the same idempotency key gets the
/// same command id. A request without a key gets a new command id.
#[must_use]
pub fn command_id(operation: &str, key: Option<&str>, ids: &dyn Ids) -> CommandId {
    CommandId(match key {
        Some(key) => {
            let operation = Uuid::new_v5(&NAMESPACE, operation.as_bytes());
            Uuid::new_v5(&operation, key.as_bytes())
        }
        None => ids.fresh(),
    })
}

/// The id of the reservation that a command makes.
#[must_use]
pub fn reservation_of(command: CommandId) -> IdReserva {
    IdReserva(Uuid::new_v5(&command.0, b"reserva"))
}
