//! The taken seats of flights. The table has one item for each flight.
//!
//! | attribute | content |
//! | --- | --- |
//! | `pk`, `sk` | `{origen}-{destino}#{fecha_salida}`, in UTC, one text for each instant; `vuelo` |
//! | `ocupadas` | seats of the capacity that cannot be taken; a confirmation checks this number |
//! | `reservadas` | seats that reservations hold |
//!
//! Both numbers change together, in the transaction that commits the event. `ocupadas` and `reservadas` differ only for
//! a flight whose free seats a test has set. Setting the free seats changes only `ocupadas`, which can become negative.
//! A flight without an item has all of its seats free.

use std::{collections::BTreeMap, fmt};

use alpes_messages::NewEvent;
use alpes_ports::{
    Condition, Consistency, Item, Key, Path, TableError, TableName, Tables, Update, Write,
    WriteError,
};
use events::gds::{ConfirmacionGDSRevertida, ReservaGDSConfirmada, Sillas};
use jiff::Timestamp;
use serde::Deserialize;

use crate::capacity;

/// The table of the inventory.
pub const TABLE: TableName = TableName("seats");

const OCUPADAS: &str = "ocupadas";
const RESERVADAS: &str = "reservadas";

/// A flight, identified by origin, destination and departure.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Vuelo {
    /// IATA code of the airport of departure.
    pub origen: String,
    /// IATA code of the airport of arrival.
    pub destino: String,
    /// Time of departure.
    pub fecha_salida: Timestamp,
}

/// The seats of a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// Number of seats of the aircraft.
    pub capacity: u32,
    /// Number of seats that can still be taken. It is negative if more seats are taken than exist.
    pub free: i64,
    /// Number of seats that reservations hold.
    pub held: i64,
}

impl Vuelo {
    /// The number of seats of the flight; see [`capacity()`](crate::capacity()).
    #[must_use]
    pub fn capacity(&self) -> u32 {
        capacity(&self.origen, &self.destino, self.fecha_salida)
    }

    /// A number of seats on this flight, as events have it.
    pub(crate) fn seats(self, sillas: u32) -> Sillas {
        Sillas {
            origen: self.origen,
            destino: self.destino,
            fecha_salida: self.fecha_salida,
            sillas,
        }
    }

    fn key(&self) -> Key {
        Key::new(TABLE, self.to_string(), "vuelo")
    }
}

impl From<&Sillas> for Vuelo {
    fn from(sillas: &Sillas) -> Self {
        Self {
            origen: sillas.origen.clone(),
            destino: sillas.destino.clone(),
            fecha_salida: sillas.fecha_salida,
        }
    }
}

impl fmt::Display for Vuelo {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            origen,
            destino,
            fecha_salida,
        } = self;
        write!(formatter, "{origen}-{destino}#{fecha_salida}")
    }
}

/// The write that takes these seats, on condition that the flight has enough free seats.
pub(crate) fn take(sillas: &Sillas) -> Update {
    let vuelo = Vuelo::from(sillas);
    let (capacity, wanted) = (i64::from(vuelo.capacity()), i64::from(sillas.sillas));
    let enough = Condition::Less(Path::of(OCUPADAS), capacity - wanted + 1);
    let condition = if wanted > capacity {
        enough
    } else {
        Condition::Any(vec![Condition::Absent, enough])
    };
    move_by(&vuelo, wanted).when(condition)
}

/// The writes that give these seats back.
pub(crate) fn give_back(sillas: &[Sillas]) -> Vec<Write> {
    moves(sillas, -1)
}

/// The writes that keep the inventory in step with an event that a test commits without a decision. The writes do not
/// check for free seats, because the event already says that the seats are held or given back.
#[must_use]
pub fn moved_by(event: &NewEvent) -> Vec<Write> {
    let data = &event.data;
    let moved = match event.kind {
        "ReservaGDSConfirmada" => {
            ReservaGDSConfirmada::deserialize(data).map(|event| moves(&event.sillas, 1))
        }
        "ConfirmacionGDSRevertida" => {
            ConfirmacionGDSRevertida::deserialize(data).map(|event| give_back(&event.sillas))
        }
        _ => return vec![],
    };
    moved.unwrap_or_default()
}

/// The writes that take seats (`way` is 1) or give them back (`way` is -1). Each flight has one write, even if the list
/// has the flight more than once.
fn moves(sillas: &[Sillas], way: i64) -> Vec<Write> {
    let mut flights: BTreeMap<Vuelo, i64> = BTreeMap::new();
    for told in sillas {
        *flights.entry(told.into()).or_default() += way * i64::from(told.sillas);
    }
    let moved = flights.iter().map(|(vuelo, seats)| move_by(vuelo, *seats));
    moved.map(Write::from).collect()
}

fn move_by(vuelo: &Vuelo, seats: i64) -> Update {
    Update::of(vuelo.key())
        .add(Path::of(OCUPADAS), seats)
        .add(Path::of(RESERVADAS), seats)
}

/// Reads the seats of a flight.
///
/// # Errors
///
/// See [`TableError`].
pub async fn read(tables: &dyn Tables, vuelo: &Vuelo) -> Result<Inventory, TableError> {
    let item = tables.get_one(&vuelo.key(), Consistency::Strong).await?;
    let item = item.unwrap_or_default();
    let capacity = vuelo.capacity();
    Ok(Inventory {
        capacity,
        free: i64::from(capacity) - number(&item, OCUPADAS),
        held: number(&item, RESERVADAS),
    })
}

fn number(item: &Item, attribute: &str) -> i64 {
    item.get(attribute)
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0)
}

/// Sets the number of free seats of a flight, however many seats reservations hold. Only tests use this function.
/// Reservations keep the seats that they hold, and can still give back these seats.
///
/// # Errors
///
/// See [`WriteError`].
pub async fn set_free(tables: &dyn Tables, vuelo: &Vuelo, free: u32) -> Result<(), WriteError> {
    let taken = i64::from(vuelo.capacity()) - i64::from(free);
    let update = Update::of(vuelo.key()).set(Path::of(OCUPADAS), taken);
    tables.write(&update.into()).await
}
