//! Airports: which IATA codes exist, and where on Earth they are.
//!
//! The data, from airportsdata (MIT), are embedded as text: records of one width, sorted by code, so that a lookup is a binary
//! search in the text and a process that starts has nothing to build.

/// A header, an empty line, then the records. `data/generate.py` writes it.
const DATA: &str = include_str!("../data/aeropuertos.txt");

/// Code, latitude, longitude, end of line.
const WIDTH: usize = 3 + 8 + 9 + 1;

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

/// True if an airport has this IATA code.
#[must_use]
pub fn exists(codigo: &str) -> bool {
    record(codigo).is_some()
}

/// Where the airport with this IATA code is; `None` if there is none.
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
    use super::*;

    #[test]
    fn the_data_is_sorted_and_whole() {
        let (_, text) = DATA.split_once("\n\n").unwrap();
        assert_eq!(text.len(), 7_884 * WIDTH);
        assert!(records().is_sorted_by(|one, next| one[..3] < next[..3]));
        for record in records() {
            let code = str::from_utf8(&record[..3]).unwrap();
            assert!(code.bytes().all(|letter| letter.is_ascii_uppercase()));
            let place = locate(code).unwrap();
            assert!(place.latitud.abs() <= 90.0 && place.longitud.abs() <= 180.0);
            assert_eq!(record.last(), Some(&b'\n'));
        }
    }

    #[test]
    fn finds_what_there_is_and_nothing_else() {
        for code in ["BOG", "JFK", "LHR", "AAA", "ZZV"] {
            assert!(exists(code), "{code}");
        }
        for code in ["ZZZ", "XXX", "bog", "BO", "BOGO", "", "ñA", "# A"] {
            assert!(!exists(code), "{code}");
        }
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let km = |from, to| distance(locate(from).unwrap(), locate(to).unwrap()).round();
        // On the ellipsoid of WGS 84, by Vincenty's formula: the sphere is within half a percent of it.
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
