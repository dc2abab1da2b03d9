//! What the functions of the airline are put together of, for `main.rs`, the simulation and the tests alike.

#![deny(missing_docs)]

use std::sync::Arc;

use alpes_messages::Context;
use alpes_participant::{Policy, Rules};
use alpes_ports::{FunctionName, Tables, World};
use events::{CONTEXTS, GDS, PAGOS, Payload, VUELOS};
use notices::NOTIFIER;
use reserva_saga::{ORCHESTRATOR, function_of};

/// What all metrics are under.
pub const METRICS: &str = "AeroAlpes";

/// The functions that consume the log and park records under their own names.
pub fn consumers() -> impl Iterator<Item = FunctionName> {
    [ORCHESTRATOR, NOTIFIER]
        .into_iter()
        .chain(CONTEXTS.map(function_of))
}

/// Every context. Payments have their ledger in `tables`.
#[must_use]
pub fn contexts(tables: &Arc<dyn Tables>, world: &World) -> [Rules<Payload>; 3] {
    [
        vuelos::rules(),
        pagos::rules(tables.clone(), world.clone()),
        gds::rules(),
    ]
}

/// What each context does about what it hears of the others.
#[must_use]
pub fn policies() -> [(Context, Vec<Policy>); 3] {
    [
        (VUELOS, vuelos::policies()),
        (PAGOS, pagos::policies()),
        (GDS, gds::policies()),
    ]
}
