//! The commands and events that the test endpoints accept.

use alpes_messages::{EventType, Problem};
use events::{COMMANDS, Catalogue, CommandType, Payload, kinds};

/// The type of command that a path names.
///
/// # Errors
///
/// A [`Problem`] that lists the known commands, if the path names none of them.
pub(crate) fn command(contexto: &str, comando: &str) -> Result<&'static CommandType, Problem> {
    let mut known = COMMANDS.iter();
    let found = known.find(|known| known.context.name == contexto && known.name == comando);
    found.ok_or_else(|| {
        let known = COMMANDS.iter();
        let names = known.map(|known| format!("{}/{}", known.context.name, known.name));
        no_such(&format!("{contexto}/{comando}"), names)
    })
}

/// The type of event that a path names.
///
/// # Errors
///
/// A [`Problem`] that lists the known events, if the path names none of them.
pub(crate) fn event<'a>(
    catalogue: &'a Catalogue,
    contexto: &str,
    evento: &str,
) -> Result<&'a EventType<Payload>, Problem> {
    catalogue.find(contexto, evento).ok_or_else(|| {
        let types = catalogue.types();
        let names = types.map(|known| format!("{}/eventos/{}", known.context.name, known.name));
        no_such(&format!("{contexto}/eventos/{evento}"), names)
    })
}

fn no_such(name: &str, names: impl Iterator<Item = String>) -> Problem {
    let names: Vec<_> = names.collect();
    let detail = format!("No hay {name} en /pruebas. Hay: {}", names.join(", "));
    Problem::of(kinds::NOT_FOUND).because(detail)
}
