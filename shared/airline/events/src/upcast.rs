//! Upcasters convert an old event to the newest version when the event is read. Stored events are never rewritten.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use alpes_messages::{DecodeError, Moment, StreamId, undecodable};

use crate::{IdReserva, VUELOS, vuelos::Pasajero};

/// Converts an event that the tutorials' own code published, whose `specversion` is `v1`, to today's envelope; `None`
/// for every other event.
pub(crate) fn older_envelope(value: &Value) -> Option<Result<Value, DecodeError>> {
    let specversion = value.get("specversion").and_then(Value::as_str);
    (specversion == Some("v1")).then(|| envelope(value))
}

/// Converts the tutorials' envelope to CloudEvents. The event's data stays as it is, in version 1.
///
/// The tutorials' code published only `ReservaCreada`, once for each reservation, so the event is the first of its
/// stream. That code had no sagas: the reservation's id becomes the correlation id, and the event's own id becomes its
/// cause.
fn envelope(old: &Value) -> Result<Value, DecodeError> {
    let text = |name: &str| {
        let found = old.get(name).and_then(Value::as_str);
        found.ok_or_else(|| undecodable(format!("{name} is missing in an event of version v1")))
    };
    let kind = text("type")?;
    if kind != "ReservaCreada" {
        return Err(DecodeError::UnknownType(format!(
            "{kind} of specversion v1"
        )));
    }
    let data = old.get("data").cloned().unwrap_or_default();
    let id: Uuid = text("id")?.parse().map_err(undecodable)?;
    let reservation = data.get("id_reserva").and_then(Value::as_str);
    let reservation: IdReserva = reservation
        .ok_or_else(|| undecodable("data.id_reserva is missing"))?
        .parse()
        .map_err(undecodable)?;
    Ok(json!({
        "specversion": "1.0",
        "id": id,
        "source": VUELOS.source,
        "type": kind,
        "subject": reservation,
        "time": milliseconds(old, "time")?,
        "datacontenttype": "application/json",
        "dataschema": "urn:aeroalpes:esquema:vuelos:ReservaCreada:v1",
        "stream": StreamId::new(VUELOS, reservation),
        "streamversion": 1,
        "correlationid": reservation.0,
        "causationid": id,
        "data": data,
    }))
}

/// Converts version 1 of `ReservaCreada`, written by the tutorials' code, to version 2. A client "None" becomes null,
/// the state gets the spelling of the API, and times become RFC 3339. Journey and price are absent from version 1 and
/// stay unknown.
pub(crate) fn reserva_creada_v1(old: &Value) -> Result<Value, DecodeError> {
    let client = old
        .get("id_cliente")
        .and_then(Value::as_str)
        .filter(|client| !matches!(*client, "None" | ""));
    let state = old.get("estado").and_then(Value::as_str);
    if state.is_none_or(|state| !state.eq_ignore_ascii_case("PENDIENTE")) {
        return Err(undecodable(
            "the estado of a ReservaCreada of version 1 must be PENDIENTE",
        ));
    }
    Ok(json!({
        "id_reserva": old.get("id_reserva"),
        "id_cliente": client,
        "estado": "Pendiente",
        "fecha_creacion": milliseconds(old, "fecha_creacion")?,
        "itinerarios": [],
        "pago": null,
    }))
}

/// Converts version 2 of `ReservaCreada` to version 3. Version 2 has no passengers, and each reservation was for one.
pub(crate) fn reserva_creada_v2(old: &Value) -> Result<Value, DecodeError> {
    let mut new = old.clone();
    let fields = new.as_object_mut();
    let fields = fields.ok_or_else(|| undecodable("the data of a ReservaCreada is no object"))?;
    fields.insert("pasajeros".to_owned(), json!(Pasajero::one()));
    Ok(new)
}

fn milliseconds(value: &Value, name: &str) -> Result<Moment, DecodeError> {
    let number = value.get(name).and_then(Value::as_i64);
    let number = number.ok_or_else(|| undecodable(format!("{name} is not in milliseconds")))?;
    moment(number).map_err(undecodable)
}

/// Reads a time of the tutorials' code, in milliseconds since 1970.
fn moment(milliseconds: i64) -> Result<Moment, jiff::Error> {
    Timestamp::from_millisecond(milliseconds).map(Moment::from)
}
