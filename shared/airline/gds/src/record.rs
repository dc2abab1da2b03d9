//! A record of the packed table of capacities. A record has the origin, the destination, the departure in seconds, and
//! then the seats. The departure is big-endian, so that records sort by their bytes. Both the build script, which
//! writes the records, and `capacity`, which reads them, include this file.

use jiff::Timestamp;

/// Number of bytes of the seats, at the end of a record.
pub(crate) const SEATS: usize = 2;
/// Number of bytes of a flight's key, which is two airport codes and the departure.
pub(crate) const KEY: usize = 3 + 3 + 4;

/// The key of a flight, with which the flight's record begins; `None` for a flight that cannot be in the table.
pub(crate) fn key(origen: &str, destino: &str, fecha_salida: Timestamp) -> Option<[u8; KEY]> {
    if origen.len() != 3 || fecha_salida.subsec_nanosecond() != 0 {
        return None;
    }
    let second = u32::try_from(fecha_salida.as_second()).ok()?.to_be_bytes();
    let key = [origen.as_bytes(), destino.as_bytes(), second.as_slice()].concat();
    key.try_into().ok()
}
