//! `ConfirmarReserva`: takes a seat on every leg for each passenger, or none at all.

use std::collections::BTreeMap;

use alpes_event_store::{Case, Decision};
use alpes_messages::{NewEvent, Problem, Violation};
use alpes_ports::Write;
use events::{
    Payload,
    gds::{ConfirmacionFallida, ConfirmarReserva, ReservaGDSConfirmada, Sillas},
    kinds,
    vuelos::{Aeropuerto, Itinerario, Leg, Odo, Pasajero, Segmento, legs},
};
use parse::{Node, Regla, Violations, invalid};
use serde_json::Value;

use crate::inventory::{self, Vuelo};

/// Largest number of items in a list of itinerarios, odos, segmentos or legs.
pub const MAX_LIST: usize = 99;
/// Largest number of distinct flights of one confirmation. A transaction has room for 100 writes, and the commit of the
/// event is one of these writes.
pub const MAX_FLIGHTS: usize = 99;

/// The `motivo` of a failure for lack of seats.
const SIN_SILLAS: &str = "No hay sillas";

/// Reads the command's data. This context checks only the shape of the data, and `vuelos` checks whether the journey
/// can be flown.
fn parse(data: &Value) -> Result<ConfirmarReserva, Vec<Violation>> {
    parse::read(data, |data, violations| {
        let data = data.object(&["itinerarios", "pasajeros"], violations)?;
        let itinerarios = data.list("itinerarios", MAX_LIST, violations, read_itinerario)?;
        if seats(&itinerarios, 1).len() > MAX_FLIGHTS {
            let detalle = format!("Debe tener {MAX_FLIGHTS} vuelos distintos como máximo");
            violations.add(data.path.field("itinerarios"), Regla::Limite, detalle);
        }
        let pasajeros = data.optional("pasajeros", violations, |node, violations| {
            node.items(MAX_LIST, violations, read_pasajero)
        });
        Some(ConfirmarReserva {
            itinerarios,
            pasajeros,
        })
    })
}

fn read_pasajero(node: Node<'_>, violations: &mut Violations) -> Option<Pasajero> {
    let pasajero = node.object(&["nombre"], violations)?;
    let nombre = pasajero.optional("nombre", violations, |node, violations| {
        node.text(violations).map(str::to_owned)
    });
    Some(Pasajero { nombre })
}

fn read_itinerario(node: Node<'_>, violations: &mut Violations) -> Option<Itinerario> {
    let itinerario = node.object(&["odos"], violations)?;
    let odos = itinerario.list("odos", MAX_LIST, violations, read_odo)?;
    Some(Itinerario { odos })
}

fn read_odo(node: Node<'_>, violations: &mut Violations) -> Option<Odo> {
    let odo = node.object(&["segmentos"], violations)?;
    let segmentos = odo.list("segmentos", MAX_LIST, violations, read_segmento)?;
    Some(Odo { segmentos })
}

fn read_segmento(node: Node<'_>, violations: &mut Violations) -> Option<Segmento> {
    let segmento = node.object(&["legs"], violations)?;
    let legs = segmento.list("legs", MAX_LIST, violations, read_leg)?;
    Some(Segmento { legs })
}

fn read_leg(node: Node<'_>, violations: &mut Violations) -> Option<Leg> {
    let fields = ["fecha_salida", "fecha_llegada", "origen", "destino"];
    let leg = node.object(&fields, violations)?;
    let date = |node: Node<'_>, violations: &mut Violations| node.date(violations);
    let fecha_salida = leg.required("fecha_salida", violations, date);
    let fecha_llegada = leg.required("fecha_llegada", violations, date);
    let origen = leg.required("origen", violations, read_aeropuerto);
    let destino = leg.required("destino", violations, read_aeropuerto);
    Some(Leg {
        fecha_salida: fecha_salida?,
        fecha_llegada: fecha_llegada?,
        origen: origen?,
        destino: destino?,
    })
}

fn read_aeropuerto(node: Node<'_>, violations: &mut Violations) -> Option<Aeropuerto> {
    let aeropuerto = node.object(&["codigo", "nombre"], violations)?;
    let codigo = aeropuerto.required("codigo", violations, |node, violations| {
        node.code(violations).map(str::to_owned)
    });
    let nombre = aeropuerto.optional("nombre", violations, |node, violations| {
        node.text(violations).map(str::to_owned)
    });
    Some(Aeropuerto {
        codigo: codigo?,
        nombre,
    })
}

/// Decides a confirmation. A repeated confirmation of a reservation returns the first outcome. A reservation whose
/// confirmation was reverted gets no seats any more.
///
/// The outcome is `ReservaGDSConfirmada` with the writes that take the seats. If the transaction refused some of these
/// writes, the outcome of the second decision is `ConfirmacionFallida`.
pub(crate) fn decide(case: &Case<'_, Payload>) -> Result<Decision, Problem> {
    let ConfirmarReserva {
        itinerarios,
        pasajeros,
    } = parse(&case.command.data).map_err(invalid)?;
    let reverted = |payload: &Payload| matches!(payload, Payload::ConfirmacionGDSRevertida(_));
    if case.latest(reverted).is_some() {
        return Err(Problem::of(kinds::STATE)
            .because("La confirmación se revirtió; ya no se toman sillas para esta reserva"));
    }
    let decided = |payload: &Payload| {
        matches!(
            payload,
            Payload::ReservaGDSConfirmada(_) | Payload::ConfirmacionFallida(_)
        )
    };
    if let Some(already) = case.already(decided) {
        return Ok(already);
    }
    let passengers = pasajeros.map_or(1, |pasajeros| pasajeros.len());
    let sillas = seats(&itinerarios, passengers);
    if !case.refused.is_empty() {
        let refused = case.refused.iter();
        let without = refused.filter_map(|place| sillas.get(*place).cloned());
        let failed = failed(case, SIN_SILLAS, without.collect());
        return Ok(Decision::commit(vec![failed]));
    }
    Ok(Decision::Commit {
        with: sillas
            .iter()
            .map(inventory::take)
            .map(Write::from)
            .collect(),
        events: vec![
            ReservaGDSConfirmada {
                id_reserva: case.command.subject,
                sillas,
                fecha_actualizacion: case.now,
            }
            .into(),
        ],
    })
}

/// The event of a failure that a test asked for; `None` if the reservation's stream in `gds` already has an event.
pub(crate) fn failure(case: &Case<'_, Payload>) -> Option<NewEvent> {
    let undecided = case.history.is_empty();
    undecided.then(|| failed(case, parse::FALLA_INDUCIDA, vec![]))
}

fn failed(case: &Case<'_, Payload>, motivo: &str, sin_sillas: Vec<Sillas>) -> NewEvent {
    ConfirmacionFallida {
        id_reserva: case.command.subject,
        motivo: motivo.into(),
        sin_sillas,
        fecha_actualizacion: case.now,
    }
    .into()
}

/// The seats that a journey needs. Each flight is listed once, in the order of the flights' keys, with one seat for
/// each leg on the flight and each passenger.
fn seats(itinerarios: &[Itinerario], passengers: usize) -> Vec<Sillas> {
    let passengers = u32::try_from(passengers).unwrap_or(u32::MAX);
    let mut flights: BTreeMap<Vuelo, u32> = BTreeMap::new();
    for leg in legs(itinerarios) {
        let seats = flights.entry(vuelo(leg)).or_default();
        *seats = seats.saturating_add(passengers);
    }
    let flights = flights.into_iter();
    flights.map(|(vuelo, seats)| vuelo.seats(seats)).collect()
}

fn vuelo(leg: &Leg) -> Vuelo {
    Vuelo {
        origen: leg.origen.codigo.clone(),
        destino: leg.destino.codigo.clone(),
        fecha_salida: leg.fecha_salida,
    }
}
