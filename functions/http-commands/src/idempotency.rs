//! The identity of a command that came over HTTP.

use events::{CommandId, IdReserva, Violation};
use lambda_http::Request;
use uuid::{Uuid, uuid};

/// The header.
pub(crate) const HEADER: &str = "idempotency-key";
const MAX_KEY: usize = 255;

/// Names of this system's version 5 UUIDs. Never changes: keys in use would lose their meaning.
const NAMESPACE: Uuid = uuid!("6f0a6a57-6d0e-5c52-9c5e-0d5f5b3c2a11");

/// The key of a request, if it has one.
///
/// # Errors
///
/// The rule that the header breaks.
pub(crate) fn key(request: &Request) -> Result<Option<&str>, Violation> {
    let mut values = request.headers().get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let printable = |key: &&str| {
        (1..=MAX_KEY).contains(&key.len())
            && key
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    };
    if let (Some(key), None) = (value.to_str().ok().filter(printable), values.next()) {
        return Ok(Some(key));
    }
    let rule =
        format!("Debe aparecer una vez y tener de 1 a {MAX_KEY} caracteres ASCII imprimibles");
    Err(Violation::new("Idempotency-Key", "formato", rule))
}

/// The command that a key stands for: the same for every repetition of the request.
pub(crate) fn command_id(operation: &str, key: &str) -> CommandId {
    CommandId(Uuid::new_v5(
        &Uuid::new_v5(&NAMESPACE, operation.as_bytes()),
        key.as_bytes(),
    ))
}

/// The reservation that a command makes.
pub(crate) fn reservation_of(command: CommandId) -> IdReserva {
    IdReserva(Uuid::new_v5(&command.0, b"reserva"))
}
