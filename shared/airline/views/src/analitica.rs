//! The view `analitica`: the number of reservations made on each day, by their current state.
//!
//! Each row stores the day and the counted state of one reservation. Queries read only the counters. The day is the day
//! on which the reservation was made, in UTC. A row without its `ReservaCreada` is kept, and not counted.

use std::collections::BTreeMap;

use alpes_messages::Event;
use alpes_ports::{Item, TableError, Tables};
use alpes_projections::{Count, Generation, Unfoldable, View, fold_as, read_counters};
use events::{Payload, vuelos::EstadoReserva};
use jiff::{civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::hechos::Hechos;

/// The view's name.
pub const NAME: &str = "analitica";

/// The view `analitica`.
pub struct Analitica;

/// A row of the view, for one reservation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Fila {
    /// The day on which the reservation was made; `None` until `ReservaCreada` arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    dia: Option<Date>,
    hechos: Hechos,
}

impl View<Payload> for Analitica {
    fn name(&self) -> &'static str {
        NAME
    }

    fn fold(&self, row: &mut Item, _event: &Event, payload: &Payload) -> Result<(), Unfoldable> {
        fold_as(row, |fila: &mut Fila| {
            if let Payload::ReservaCreada(made) = payload {
                let made = made.fecha_creacion.timestamp();
                fila.dia = Some(TimeZone::UTC.to_datetime(made).date());
            }
            fila.hechos.hear(payload);
        })
    }

    fn counts(&self, row: &Item) -> Option<Vec<Count>> {
        let counted = Fila::deserialize(row).ok().and_then(|fila| {
            Some(Count {
                group: fila.dia?.to_string(),
                name: fila.hechos.estado()?.name().to_owned(),
            })
        });
        Some(counted.into_iter().collect())
    }
}

/// The reservations made on one day, by their current state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dia {
    /// The day, in UTC.
    pub dia: Date,
    /// Number of reservations in each state. A state without reservations may be missing.
    pub cuentas: BTreeMap<EstadoReserva, u64>,
}

impl Dia {
    /// Number of reservations made on the day.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.cuentas.values().sum()
    }
}

/// The days from `from` to `to`, both included, on which reservations were made, in order.
///
/// # Errors
///
/// See [`TableError`].
pub async fn pivot(
    tables: &dyn Tables,
    generation: &Generation,
    from: Date,
    to: Date,
) -> Result<Vec<Dia>, TableError> {
    // This key sorts after all keys of the day `to`, and before the keys of the next day.
    let end = format!("{to}~");
    let groups = read_counters(tables, generation, &from.to_string(), &end).await?;
    let days = groups.into_iter().filter_map(|(group, numbers)| {
        let dia = Dia {
            dia: group.parse().ok()?,
            cuentas: cuentas(&numbers),
        };
        (dia.total() > 0).then_some(dia)
    });
    Ok(days.collect())
}

/// Converts counters to counts. The parts of a counter are not read at one moment. A read may see that a reservation
/// left a state without seeing that the reservation entered that state, so a number may be negative. A negative number
/// is subtracted from the numbers of the later states. The reservation is then counted nowhere, and the total is never
/// too high.
fn cuentas(numbers: &BTreeMap<String, i64>) -> BTreeMap<EstadoReserva, u64> {
    let number = |estado: EstadoReserva| numbers.get(estado.name()).copied().unwrap_or(0);
    let states = EstadoReserva::ALL.into_iter();
    let mut unseen: i64 = states.clone().map(|estado| number(estado).min(0)).sum();
    let counted = states.filter_map(|estado| {
        let seen = number(estado).max(0);
        let count = (seen + unseen).max(0);
        unseen = (seen + unseen).min(0);
        u64::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .map(|count| (estado, count))
    });
    counted.collect()
}
