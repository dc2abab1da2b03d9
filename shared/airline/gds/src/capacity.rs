//! The number of seats of a flight.
//!
//! The build script packs the capacities of real flights into sorted records of one width. A lookup is a binary search
//! in the packed bytes, so a starting process builds no table.

use jiff::Timestamp;

use crate::record::{self, KEY, SEATS};

/// Number of seats of a flight that is not in the reference data.
pub const DEFAULT_SEATS: u32 = 180;

const WIDTH: usize = KEY + SEATS;

const DATA: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/capacities.bin"));

/// The number of seats of a flight. For a flight of the reference data, it is the seats of the aircraft that flew the
/// flight. For any other flight it is [`DEFAULT_SEATS`].
#[must_use]
pub fn capacity(origen: &str, destino: &str, fecha_salida: Timestamp) -> u32 {
    known(origen, destino, fecha_salida).unwrap_or(DEFAULT_SEATS)
}

fn known(origen: &str, destino: &str, fecha_salida: Timestamp) -> Option<u32> {
    let key = record::key(origen, destino, fecha_salida)?;
    let records = records();
    let place = records
        .binary_search_by(|record| record.first_chunk().cmp(&Some(&key)))
        .ok()?;
    let seats = records.get(place)?.last_chunk()?;
    Some(u16::from_be_bytes(*seats).into())
}

fn records() -> &'static [[u8; WIDTH]] {
    DATA.as_chunks().0
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read};

    use flate2::read::GzDecoder;
    use jiff::ToSpan;

    use super::*;

    /// The flights of the CSV with their seats, read row by row without packing.
    fn source() -> BTreeMap<(String, String, Timestamp), u32> {
        let mut text = String::new();
        GzDecoder::new(&include_bytes!("../data/flights_h1.csv.gz")[..])
            .read_to_string(&mut text)
            .unwrap();
        let mut lines = text.lines();
        let header = lines.next().unwrap();
        assert_eq!(
            header,
            "fecha_salida,fecha_llegada,origen,destino,aerolinea,vuelo,sillas"
        );
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), 40_000);
        let mut flights = BTreeMap::new();
        for row in rows {
            let flight = (
                row[2].to_owned(),
                row[3].to_owned(),
                row[0].parse().unwrap(),
            );
            *flights.entry(flight).or_default() += row[6].parse::<u32>().unwrap();
        }
        flights
    }

    #[test]
    fn every_flight_of_the_source_has_its_seats_and_no_other_is_known() {
        let source = source();
        assert_eq!(DATA.len(), source.len() * WIDTH);
        assert!(records().is_sorted_by(|one, next| one[..KEY] < next[..KEY]));
        for ((origen, destino, fecha_salida), seats) in &source {
            assert_eq!(capacity(origen, destino, *fecha_salida), *seats);
        }
    }

    #[test]
    fn rows_of_one_flight_add_up() {
        // The CSV has two rows for this flight: one with an aircraft of 149 seats, and one with an aircraft of 55
        // seats.
        let departure = "2013-01-05T14:00:00Z".parse().unwrap();
        assert_eq!(capacity("EWR", "ATL", departure), 149 + 55);
    }

    #[test]
    fn a_flight_that_is_not_known_has_the_default() {
        let departure: Timestamp = "2013-01-01T10:15:00Z".parse().unwrap();
        assert_ne!(known("EWR", "IAH", departure), None);
        for (origen, destino, departure) in [
            ("EWR", "IAH", departure + 1.second()),
            ("EWR", "IAH", departure + 1.nanosecond()),
            ("EWR", "IAH", "1969-12-31T23:59:59Z".parse().unwrap()),
            ("EWR", "IAH", "2200-12-31T23:59:59Z".parse().unwrap()),
            ("IAH", "EWR", departure),
            ("EW", "RIAH", departure),
            ("EWRI", "AH", departure),
            ("", "", departure),
            ("BOG", "JFK", departure),
        ] {
            assert_eq!(known(origen, destino, departure), None);
            assert_eq!(capacity(origen, destino, departure), DEFAULT_SEATS);
        }
    }
}
