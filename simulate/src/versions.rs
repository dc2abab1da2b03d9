//! Older and newer builds, which work side by side.

use alpes_event_store::Stream;
use alpes_messages::StreamId;
use alpes_ports::{Condition, FunctionName, Tables, Write};
use alpes_saga::{Definition, Definitions};
use events::{CONTEXTS, IdReserva, VUELOS};
use jiff::SignedDuration;
use reserva_saga::{current, function_of};
use serde_json::{Value, json};
use simulation::Dice;
use wiring::Build;

use crate::{
    Scenario,
    functions::{HTTP_COMMANDS, HTTP_QUERIES},
    system::System,
};

/// The build as far as a function knows it. A context always knows its own events, since it writes them.
pub fn known_to(name: FunctionName, build: &Build) -> Build {
    let own = CONTEXTS
        .into_iter()
        .find(|context| function_of(*context) == name);
    let api = [HTTP_COMMANDS, HTTP_QUERIES].contains(&name);
    let own = own.or(api.then_some(VUELOS));
    let current = events::catalogue();
    let lacks = current.types().any(|known| {
        let found = build.catalogue.find(known.context.name, known.name);
        own == Some(known.context) && found.is_none()
    });
    let mut known = build.clone();
    if lacks {
        known.catalogue = current;
    }
    known
}

/// The builds of a run.
#[derive(Clone)]
pub struct Builds {
    /// A build that may lack one event type, and that lacks the saga's new definition if there is one.
    pub older: Build,
    /// The build that every function has at the end of a run.
    pub newest: Build,
}

impl Builds {
    /// The builds of a scenario. If the scenario changes no versions, both are the current build.
    pub fn of(scenario: &Scenario, dice: &Dice) -> Self {
        let mut builds = Self {
            older: Build::current(),
            newest: Build::current(),
        };
        if scenario.versions_one_in == 0 {
            return builds;
        }
        let known = events::catalogue();
        // A saga begins with ReservaCreada, so every build knows this event type.
        let kinds = known.types().map(|known| known.name);
        let kinds: Vec<_> = kinds.filter(|kind| *kind != "ReservaCreada").collect();
        if let Some(kind) = dice.pick(&kinds) {
            builds.older.catalogue = known.without(kind);
        }
        if scenario.new_definition {
            builds.newest.definitions = Definitions::new(vec![current(), next()]);
        }
        builds
    }
}

/// A reservation in the form of the first builds.
const OLD: &str = include_str!("../../shared/airline/events/samples/vuelos/ReservaCreada.v1.json");

/// Stores two reservations in the form of the first builds, with unpublished events: one reservation is a minute old,
/// and the other is years old.
pub async fn leave_old_reservations(system: &System) {
    let now = system.world.clock.now();
    for ago in [
        SignedDuration::from_mins(1),
        SignedDuration::from_hours(24 * 900),
    ] {
        let id = IdReserva(system.world.ids.fresh());
        let then = now.saturating_sub(ago).unwrap_or(now);
        let mut event: Value = serde_json::from_str(OLD).unwrap_or_default();
        if let Some(event) = event.as_object_mut() {
            event.insert("id".into(), json!(system.world.ids.fresh()));
            event.insert("time".into(), then.as_millisecond().into());
            if let Some(Value::Object(data)) = event.get_mut("data") {
                data.insert("id_reserva".into(), json!(id));
                data.insert("fecha_creacion".into(), then.as_millisecond().into());
            }
        }
        let item = json!({
            "version": 1, "events": [event.to_string()], "published": 0, "receipts": {},
            "gsi1pk": "sweep-00", "gsi1sk": then.to_string(),
        });
        let put = Write::Put {
            key: Stream::key(StreamId::new(VUELOS, id)),
            item: item.as_object().cloned().unwrap_or_default(),
            condition: Condition::Absent,
        };
        let written = system.tables.write(&put).await;
        debug_assert!(written.is_ok(), "{written:?}");
        system
            .kernel
            .count("log", "reservation of the first builds");
    }
}

/// The version of the saga's definition after the current one, with the same steps and two more attempts for the
/// command of each step.
fn next() -> Definition {
    let mut next = current();
    next.version += 1;
    for step in &mut next.steps {
        if let Some(call) = &mut step.call {
            call.retry.attempts += 2;
        }
    }
    next
}
