//! Airports: the IATA codes, the position of each airport, and which airports are closed.
//!
//! The data come from airportsdata (MIT, September 2026) and `OurAirports` (public domain, February 2026). The data are
//! embedded as text: records of one width, sorted by code. A lookup is a binary search in the text, so a starting
//! process builds no table.

/// The file has a header, an empty line, and then the records. `data/generate.py` compares the two sources and writes
/// this file.
const DATA: &str = include_str!("../data/aeropuertos.txt");

/// Width of a record in bytes: code, latitude, longitude, open or closed, end of line.
const WIDTH: usize = 3 + 8 + 9 + 1 + 1;

/// Mean radius of the Earth (IUGG), in km.
const EARTH_RADIUS: f64 = 6371.0088;

/// A known airport.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ubicacion {
    /// Degrees north.
    pub latitud: f64,
    /// Degrees east.
    pub longitud: f64,
}

/// Whether the airline sells flights from and to an airport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servicio {
    /// The airport is open, and flights are sold.
    Abierto,
    /// The airport is closed, or not yet open.
    Cerrado,
}

/// The service of the airport with this IATA code; `None` if no airport has this code.
#[must_use]
pub fn service(codigo: &str) -> Option<Servicio> {
    Some(match record(codigo)?.get(20)? {
        b'C' => Servicio::Cerrado,
        _ => Servicio::Abierto,
    })
}

/// The position of the airport with this IATA code; `None` if no airport has this code.
#[must_use]
pub fn locate(codigo: &str) -> Option<Ubicacion> {
    let record = str::from_utf8(record(codigo)?).ok()?;
    Some(Ubicacion {
        latitud: record.get(3..11)?.parse().ok()?,
        longitud: record.get(11..20)?.parse().ok()?,
    })
}

/// Great-circle distance in km, by the haversine formula on a sphere.
#[must_use]
pub fn distance(from: Ubicacion, to: Ubicacion) -> f64 {
    let (from_lat, to_lat) = (from.latitud.to_radians(), to.latitud.to_radians());
    let lat = (to_lat - from_lat) / 2.0;
    let lon = (to.longitud - from.longitud).to_radians() / 2.0;
    let chord = lat.sin().powi(2) + from_lat.cos() * to_lat.cos() * lon.sin().powi(2);
    2.0 * EARTH_RADIUS * chord.sqrt().min(1.0).asin()
}

fn records() -> &'static [[u8; WIDTH]] {
    let (_, records) = DATA.split_once("\n\n").unwrap_or_default();
    records.as_bytes().as_chunks().0
}

fn record(codigo: &str) -> Option<&'static [u8; WIDTH]> {
    let codigo: &[u8; 3] = codigo.as_bytes().try_into().ok()?;
    let records = records();
    let place = records
        .binary_search_by(|record| record.first_chunk().cmp(&Some(codigo)))
        .ok()?;
    records.get(place)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The positions of the airports in the second source.
    const SECOND: &str = include_str!("../data/ourairports.txt");
    /// Decisions about single airports, as CSV with the columns `code,decision,km,reason`.
    const DECISIONS: &str = include_str!("../data/decisiones.csv");
    /// Largest distance between the positions of an airport in the two sources, in km.
    const APART: f64 = 10.0;

    fn codes() -> impl Iterator<Item = &'static str> {
        records()
            .iter()
            .map(|record| str::from_utf8(&record[..3]).unwrap())
    }

    fn second() -> BTreeMap<&'static str, Ubicacion> {
        let (_, rows) = SECOND.split_once("\n\n").unwrap();
        let place = |row: &'static str| {
            let place = Ubicacion {
                latitud: row[3..11].parse().unwrap(),
                longitud: row[11..20].parse().unwrap(),
            };
            (&row[..3], place)
        };
        rows.lines().map(place).collect()
    }

    /// The airport codes with one of these decisions, each with its decision.
    fn decided(decisions: &[&str]) -> BTreeMap<&'static str, &'static str> {
        let rows = DECISIONS.lines().skip(1).map(|row| {
            let mut fields = row.splitn(4, ',');
            let [code, decision, _km, reason] = [(); 4].map(|()| fields.next().unwrap());
            assert!(reason.len() > 20, "{row}: no reason");
            (code, decision)
        });
        rows.filter(|(_, decision)| decisions.contains(decision))
            .collect()
    }

    #[test]
    fn the_data_is_sorted_and_whole() {
        let (_, text) = DATA.split_once("\n\n").unwrap();
        assert_eq!(text.len(), 8_165 * WIDTH);
        assert!(records().is_sorted_by(|one, next| one[..3] < next[..3]));
        for record in records() {
            let code = str::from_utf8(&record[..3]).unwrap();
            assert!(code.bytes().all(|letter| letter.is_ascii_uppercase()));
            let place = locate(code).unwrap();
            assert!(place.latitud.abs() <= 90.0 && place.longitud.abs() <= 180.0);
            assert!(b"OC".contains(&record[20]), "{code}");
            assert_eq!(record.last(), Some(&b'\n'));
        }
    }

    #[test]
    fn every_place_is_that_of_the_second_source_or_decided() {
        let (second, decided) = (second(), decided(&["airportsdata", "ourairports"]));
        let mut undecided = vec![];
        for code in codes() {
            let km = second
                .get(code)
                .map(|second| distance(locate(code).unwrap(), *second));
            match (decided.get(code), km) {
                (Some(&"ourairports"), Some(km)) => assert!(km < 0.1, "{code}: {km} km"),
                (Some(&"airportsdata"), km) => {
                    assert!(km.is_none_or(|km| km > APART), "{code}: {km:?} km");
                }
                (None, Some(km)) if km <= APART => {}
                _ => undecided.push((code, km)),
            }
        }
        assert_eq!(undecided, []);
        for code in decided.keys() {
            assert!(locate(code).is_some(), "{code}: decided, and not there");
        }
    }

    #[test]
    fn what_is_closed_sells_nothing_and_what_is_open_does() {
        let closed = codes().filter(|code| service(code) == Some(Servicio::Cerrado));
        assert_eq!(closed.count(), 87);
        // Former airports of Berlin (Tegel), Phnom Penh and Dazhou; closed airports of Tripoli and Donetsk; and the
        // airport of Vlora, which is being built.
        for code in ["TXL", "PNH", "DAX", "TIP", "DOK", "VLO"] {
            assert_eq!(service(code), Some(Servicio::Cerrado), "{code}");
        }
        for code in ["BER", "KTI", "DZH", "MJI", "ULH", "SPR", "LCR", "WSI"] {
            assert_eq!(service(code), Some(Servicio::Abierto), "{code}");
        }
        for (code, decision) in decided(&["open", "closed"]) {
            let closed = service(code) == Some(Servicio::Cerrado);
            assert_eq!(closed, decision == "closed", "{code}");
        }
    }

    #[test]
    fn finds_what_there_is_and_nothing_else() {
        for code in ["BOG", "JFK", "LHR", "AAA", "ZZV"] {
            assert_eq!(service(code), Some(Servicio::Abierto), "{code}");
        }
        for code in ["ZZZ", "XXX", "bog", "BO", "BOGO", "", "ñA", "# A"] {
            assert_eq!(service(code), None, "{code}");
        }
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let km = |from, to| distance(locate(from).unwrap(), locate(to).unwrap()).round();
        // The known distances are on the ellipsoid WGS 84, by Vincenty's formula. The distance on the sphere is within
        // half a percent of the known one.
        for (from, to, known) in [
            ("BOG", "JFK", 3_981.0),
            ("LHR", "JFK", 5_555.0),
            ("SYD", "SCL", 11_363.0),
        ] {
            let error = (km(from, to) - known).abs() / known;
            assert!(error < 0.005, "{from}-{to}: {} km", km(from, to));
        }
        assert!((km("BOG", "BOG")).abs() < f64::EPSILON);
    }
}
