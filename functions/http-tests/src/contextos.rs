//! The commands and events that the test endpoints accept.

use alpes_messages::{Context, EventType, Problem};
use events::{Catalogue, GDS, PAGOS, Payload, VUELOS, kinds};

/// The commands of each context.
pub const COMANDOS: [(Context, &[&str]); 3] = [
    (
        VUELOS,
        &[
            vuelos::CREAR_RESERVA,
            vuelos::APROBAR_RESERVA,
            vuelos::CANCELAR_RESERVA,
        ],
    ),
    (PAGOS, &[pagos::PAGAR_RESERVA, pagos::REVERTIR_PAGO]),
    (GDS, &[gds::CONFIRMAR_RESERVA, gds::REVERTIR_CONFIRMACION]),
];

/// Every command, with its context.
pub(crate) fn commands() -> impl Iterator<Item = (Context, &'static str)> {
    let of_context = |(context, names): (Context, &'static [&'static str])| {
        names.iter().map(move |name| (context, *name))
    };
    COMANDOS.into_iter().flat_map(of_context)
}

/// The command in a path.
///
/// # Errors
///
/// A [`Problem`] that lists the known commands, if this one is unknown.
pub(crate) fn command(contexto: &str, comando: &str) -> Result<(Context, &'static str), Problem> {
    let found = commands().find(|(context, name)| context.name == contexto && *name == comando);
    found.ok_or_else(|| {
        let names = commands().map(|(context, name)| format!("{}/{name}", context.name));
        no_such(&format!("{contexto}/{comando}"), names)
    })
}

/// The event in a path.
///
/// # Errors
///
/// The errors of [`command`], for events.
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
