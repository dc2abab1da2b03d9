//! What runs came by, and what they never did.
//!
//! A search that never comes by something proves nothing about it. So all that a world can do is listed here, and a long search in
//! which some of it never happened fails.

use std::{borrow::Cow, collections::BTreeMap, fmt::Write};

use alpes_saga::{Conduct, Direction, Estado, Meaning, Saga, What};
use simulation::Kernel;
use source_mapping::Rule;

/// What happened, by kind and name, and how often.
pub type Counts = BTreeMap<(&'static str, Cow<'static, str>), u64>;

/// The kind of what a saga's log says, with its mode.
const LINE: &str = "saga line";
/// The kind of how a saga ended, with its mode.
const END: &str = "saga end";
/// The kind of the rules of mappings.
const RULE: &str = "rule";

/// What happens to effects, functions, mappings, the schedule and clocks; and what operators do.
const HAPPENS: &[(&str, &[&str])] = &[
    ("clocks", &["back", "forward"]),
    (
        "fault",
        &[
            "conflict",
            "conflict among failed conditions",
            "fails before",
            "fails after",
            "gap",
            "happens twice",
            "happens late",
            "index lags",
            "kills before",
            "kills after",
            "slow",
            "stale read",
            "throttled",
        ],
    ),
    (
        "execution",
        &[
            "cancelled where it was stuck",
            "failed",
            "forgotten: Compensada",
            "forgotten: Completada",
            "forgotten: RequiereIntervencion",
            "redriven at once",
            "stopped",
            "timed out",
        ],
    ),
    (
        "lambda",
        &[
            "answered",
            "cold start",
            "could not bear a record",
            "died",
            "failed",
            "started twice",
            "throttled",
            "timed out",
            "warm start",
        ],
    ),
    ("large", &["accepted", "refused"]),
    ("log", &["poison", "reservation of the first builds"]),
    (
        "mapping",
        &[
            "discarded",
            "expired",
            "gave up a shard",
            "lease lost",
            "made anew",
            "merge",
            "split",
        ],
    ),
    (
        "operator",
        &[
            "deployed a build with a mistake",
            "deployed a build: newer",
            "deployed a build: older",
            "deployed a state machine: newer",
            "deployed a state machine: older",
            "deployed everything anew",
            "discarded what nobody can read",
            "had a saga go on",
            "had a saga go on in vain",
            "rebuilt a view",
            "may not have a saga go on any more",
            "redrove an execution",
            "repaired participants",
            "the projector is down",
            "took a saga over",
            "undid a step by hand",
        ],
    ),
    ("other builds", &["parked", "reaction", "saga"]),
    (
        "participant",
        &[
            "error AprobarReserva",
            "error CancelarReserva",
            "error ConfirmarReserva",
            "error PagarReserva",
            "error RevertirConfirmacion",
            "error RevertirPago",
            "silencio AprobarReserva",
            "silencio CancelarReserva",
            "silencio ConfirmarReserva",
            "silencio PagarReserva",
            "silencio RevertirConfirmacion",
            "silencio RevertirPago",
        ],
    ),
    (
        "reader",
        &[
            "followed a saga",
            "followed events",
            "read a report",
            "read everything",
            "saw a saga before it began",
            "walked through a list",
            "walked through sagas",
        ],
    ),
    (
        "refused",
        &["a cancellation", "a resumption", "an odd letter"],
    ),
    ("schedule", &["late", "silent", "twice"]),
    ("stream", &["forgot records"]),
    ("timers", &["a few things at once"]),
];

/// What a saga's log says, by who moves the saga on. `ComandoRechazado` is never to come, and is for `shared/testing/saga-kit`: a participant
/// refuses nothing that this definition sends.
const LINES: &[(Conduct, &[&str])] = &[
    (
        Conduct::Orquestacion,
        &[
            "CancelacionPedida",
            "ComandoEnviado",
            "ComandoImposible",
            "CompensacionEnviada",
            "EventoRecibido duda",
            "EventoRecibido exito",
            "EventoRecibido fallo",
            "EventoRecibido nota",
            "EventoRecibido reversion",
            "Fin",
            "Inicio",
            "PasoMarcado",
            "Reanudada",
            "Relevo",
            "RequiereIntervencion",
            "SinRespuesta deshacer",
            "SinRespuesta hacer",
            "TiempoAgotado deshacer",
            "TiempoAgotado hacer",
        ],
    ),
    (
        Conduct::Coreografia,
        &[
            "EventoRecibido exito",
            "EventoRecibido fallo",
            "EventoRecibido nota",
            "EventoRecibido reversion",
            "Fin",
            "Inicio",
            "Retraso",
        ],
    ),
    (
        Conduct::StepFunctions,
        &[
            "CancelacionPedida",
            "EjecucionIniciada deshacer",
            "EjecucionIniciada hacer",
            "EventoRecibido exito",
            "EventoRecibido fallo",
            "EventoRecibido nota",
            "EventoRecibido reversion",
            "Fin",
            "Inicio",
            "RequiereIntervencion",
            "Retraso",
        ],
    ),
];

/// How a saga can stand in the end, by who moves it on.
const ENDS: &[(Conduct, &[Estado])] = &[
    (
        Conduct::Orquestacion,
        &[Estado::Completada, Estado::Compensada],
    ),
    (
        Conduct::Coreografia,
        &[Estado::Completada, Estado::Compensada],
    ),
    (
        Conduct::StepFunctions,
        &[Estado::Completada, Estado::Compensada],
    ),
];

/// What a line of a saga's log is.
fn line(what: &What) -> &'static str {
    match what {
        What::Inicio { .. } => "Inicio",
        What::ComandoEnviado { .. } => "ComandoEnviado",
        What::EventoRecibido { sentido, .. } => match sentido {
            Meaning::Exito => "EventoRecibido exito",
            Meaning::Fallo => "EventoRecibido fallo",
            Meaning::Duda => "EventoRecibido duda",
            Meaning::Reversion => "EventoRecibido reversion",
            Meaning::Nota => "EventoRecibido nota",
        },
        What::ComandoRechazado { .. } => "ComandoRechazado",
        What::ComandoImposible { .. } => "ComandoImposible",
        What::SinRespuesta { direccion, .. } => match direccion {
            Direction::Hacer => "SinRespuesta hacer",
            Direction::Deshacer => "SinRespuesta deshacer",
        },
        What::TiempoAgotado { direccion, .. } => match direccion {
            Direction::Hacer => "TiempoAgotado hacer",
            Direction::Deshacer => "TiempoAgotado deshacer",
        },
        What::EjecucionIniciada { direccion, .. } => match direccion {
            Direction::Hacer => "EjecucionIniciada hacer",
            Direction::Deshacer => "EjecucionIniciada deshacer",
        },
        What::CancelacionPedida { .. } => "CancelacionPedida",
        What::CompensacionEnviada { .. } => "CompensacionEnviada",
        What::RequiereIntervencion { .. } => "RequiereIntervencion",
        What::Reanudada { .. } => "Reanudada",
        What::PasoMarcado { .. } => "PasoMarcado",
        What::Relevo {} => "Relevo",
        What::Retraso {} => "Retraso",
        What::Fin { .. } => "Fin",
    }
}

fn of(conduct: Conduct, what: &str) -> String {
    format!("{conduct:?}: {what}")
}

/// Counts what became of a saga.
pub(crate) fn count(kernel: &Kernel, saga: &Saga) {
    for entry in &saga.log {
        kernel.count(LINE, of(saga.conduct, line(&entry.what)));
    }
    kernel.count(END, of(saga.conduct, saga.estado.name()));
}

/// How many sagas were counted.
#[must_use]
pub fn sagas(counts: &Counts) -> u64 {
    let ends = counts.iter().filter(|((kind, _), _)| *kind == END);
    ends.map(|(_, times)| times).sum()
}

/// All that a long search must come by.
fn expected() -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
    let happens = HAPPENS.iter().flat_map(|(kind, names)| {
        let names = names.iter();
        names.map(|name| (*kind, Cow::Borrowed(*name)))
    });
    let lines = LINES.iter().flat_map(|(conduct, lines)| {
        let lines = lines.iter();
        lines.map(|line| (LINE, of(*conduct, line).into()))
    });
    let ends = ENDS.iter().flat_map(|(conduct, ends)| {
        let ends = ends.iter();
        ends.map(|end| (END, of(*conduct, end.name()).into()))
    });
    let rules = Rule::ALL.iter().map(|rule| (RULE, rule.id().into()));
    happens.chain(lines).chain(ends).chain(rules)
}

/// What was to be expected, and never came.
#[must_use]
pub fn never(counts: &Counts) -> Vec<String> {
    let missing = expected().filter(|what| !counts.contains_key(what));
    missing
        .map(|(kind, name)| format!("{kind}: {name}"))
        .collect()
}

/// Counts as text, a line each.
#[must_use]
pub fn told(counts: &Counts) -> String {
    let mut text = String::new();
    let mut kind = "";
    for ((of, name), times) in counts {
        if *of != kind {
            text.push_str(of);
            text.push('\n');
            kind = of;
        }
        // A string takes whatever is written to it.
        let _ = writeln!(text, "  {times:>12}  {name}");
    }
    text
}
