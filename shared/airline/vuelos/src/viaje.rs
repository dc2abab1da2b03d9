//! The rules of a whole trip: a traveller takes no flight twice, is on one flight at a time, and flies no faster than an
//! aircraft.
//!
//! The rules hold over all itinerarios of a reservation, because the reservation takes a seat on each leg of each
//! itinerario.

use events::vuelos::{Itinerario, Leg};
use jiff::SignedDuration;
use parse::{Path, Regla, Violations};

use crate::aeropuertos;

/// Largest speed of a leg by great circle, in km/h. The tutorials' sample flies from Bogotá to New York in two hours,
/// which is 1,998 km/h, so the limit must be above the speed of today's airliners.
pub const MAX_SPEED: u32 = 2_500;

/// A leg with its place in the request.
struct Placed<'a> {
    place: [usize; 4],
    leg: &'a Leg,
}

/// Checks the legs of these itinerarios, which are at `path`.
pub(crate) fn check(itinerarios: &[Itinerario], path: Path<'_>, violations: &mut Violations) {
    let legs = legs(itinerarios);
    for (number, one) in legs.iter().enumerate() {
        if is_too_fast(one.leg) {
            let detalle = format!("Debe volar a {MAX_SPEED} km/h como máximo, en línea recta");
            one.refuse("fecha_llegada", path, Regla::Velocidad, detalle, violations);
        }
        let before = || legs.iter().take(number);
        if before().any(|other| is_same_flight(other.leg, one.leg)) {
            let detalle =
                "Es un vuelo que ya está en la reserva; para más sillas, diga los pasajeros";
            one.refuse(
                "fecha_salida",
                path,
                Regla::LegRepetido,
                detalle,
                violations,
            );
        } else if before().any(|other| is_at_once(other, one)) {
            let detalle = "Se vuela al mismo tiempo que otro leg de la reserva";
            one.refuse("fecha_salida", path, Regla::LegsALaVez, detalle, violations);
        }
    }
}

fn legs(itinerarios: &[Itinerario]) -> Vec<Placed<'_>> {
    let mut legs = vec![];
    for (itinerario, Itinerario { odos }) in itinerarios.iter().enumerate() {
        for (odo, segmentos) in odos.iter().map(|odo| &odo.segmentos).enumerate() {
            for (segmento, of_segmento) in segmentos.iter().map(|one| &one.legs).enumerate() {
                legs.extend(of_segmento.iter().enumerate().map(|(number, leg)| Placed {
                    place: [itinerario, odo, segmento, number],
                    leg,
                }));
            }
        }
    }
    legs
}

impl Placed<'_> {
    fn refuse(
        &self,
        field: &str,
        path: Path<'_>,
        regla: Regla,
        detalle: impl Into<String>,
        violations: &mut Violations,
    ) {
        let [itinerario, odo, segmento, leg] = self.place;
        let itinerario = Path::Item(&path, itinerario);
        let odos = itinerario.field("odos");
        let odo = Path::Item(&odos, odo);
        let segmentos = odo.field("segmentos");
        let segmento = Path::Item(&segmentos, segmento);
        let legs = segmento.field("legs");
        let leg = Path::Item(&legs, leg);
        violations.add(leg.field(field), regla, detalle);
    }
}

/// True if a leg covers the distance between its airports faster than [`MAX_SPEED`]. A leg without a duration has
/// another fault. For an airport without a position the speed is unknown; the API refuses such an airport anyway.
fn is_too_fast(leg: &Leg) -> bool {
    let duration = duration(leg);
    let from = aeropuertos::locate(&leg.origen.codigo);
    let to = aeropuertos::locate(&leg.destino.codigo);
    from.zip(to).is_some_and(|(from, to)| {
        let most = f64::from(MAX_SPEED) * duration.as_secs_f64() / 3_600.0;
        duration.is_positive() && aeropuertos::distance(from, to) > most
    })
}

/// True if both legs are one flight: the inventory identifies a flight by the same three fields.
fn is_same_flight(one: &Leg, other: &Leg) -> bool {
    one.origen.codigo == other.origen.codigo
        && one.destino.codigo == other.destino.codigo
        && one.fecha_salida == other.fecha_salida
}

/// True if two legs of different itinerarios overlap in time. Within an itinerario each leg must depart after the
/// arrival of the leg before it, which is a rule of its own.
fn is_at_once(one: &Placed<'_>, other: &Placed<'_>) -> bool {
    let [of_one, ..] = one.place;
    let [of_other, ..] = other.place;
    of_one != of_other
        && duration(one.leg).is_positive()
        && duration(other.leg).is_positive()
        && one.leg.fecha_salida < other.leg.fecha_llegada
        && other.leg.fecha_salida < one.leg.fecha_llegada
}

fn duration(leg: &Leg) -> SignedDuration {
    leg.fecha_llegada.duration_since(leg.fecha_salida)
}
