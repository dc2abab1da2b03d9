//! A record of the packed table of capacities: origin, destination, departure in seconds (big-endian, so that records
//! sort by their bytes), then the seats. The build script writes these records and `capacity` reads them, so both
//! include this file.

use jiff::Timestamp;

/// Bytes of the seats at the end of a record.
pub(crate) const SEATS: usize = 2;
/// Bytes of a flight's key: two airport codes and the departure.
pub(crate) const KEY: usize = 3 + 3 + 4;

/// The key of a flight, with which its record begins; `None` for a flight that cannot be in the table.
pub(crate) fn key(origen: &str, destino: &str, fecha_salida: Timestamp) -> Option<[u8; KEY]> {
    if origen.len() != 3 || fecha_salida.subsec_nanosecond() != 0 {
        return None;
    }
    let second = u32::try_from(fecha_salida.as_second()).ok()?.to_be_bytes();
    let key = [origen.as_bytes(), destino.as_bytes(), second.as_slice()].concat();
    key.try_into().ok()
}
