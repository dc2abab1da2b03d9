//! `analitica`: how many reservations were made on each day, by the state they are in now.
//!
//! A row tells of one reservation when it was made and what it is counted as; the counters are what is read. The day is that of its
//! creation, in UTC. A row whose ReservaCreada is missing is kept, and not counted.

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

/// The view.
pub struct Analitica;

/// A row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Fila {
    /// The day it was made; `None` until ReservaCreada is heard.
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

/// The reservations made on one day, by the state they are in now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dia {
    /// The day, in UTC.
    pub dia: Date,
    /// How many of them are in each state; one that none is in may be missing.
    pub cuentas: BTreeMap<EstadoReserva, u64>,
}

impl Dia {
    /// How many were made.
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
    // After every key of that day, and before those of the next.
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

/// Lanes are not read at one moment: a reservation may be seen to leave a state that it was not yet seen to come to, and that state's
/// number be less than nothing. Then it is counted nowhere, so that the total is never too high, and later falls.
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
