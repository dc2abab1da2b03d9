//! The expected views: the fold of every event stream, computed here from the events alone.

use std::collections::BTreeMap;

use alpes_event_store::Stream;
use alpes_messages::{CorrelationId, Moment, Version};
use e2e::{Stack, eventually};
use events::{
    IdReserva, Payload,
    vuelos::{EstadoReserva, Itinerario, ReservaCreada},
};
use jiff::{ToSpan, civil::Date};
use serde_json::{Value, json};

/// The most days that one request for a report may ask for.
const REPORT: i32 = 366;
const PAGE: usize = 100;

/// The known events of one reservation. Its event streams may come in any order.
#[derive(Default)]
struct Heard {
    made: Option<(ReservaCreada, CorrelationId)>,
    /// The most advanced state that the reservation's events lead to.
    estado: Option<EstadoReserva>,
    last: Option<Moment>,
}

impl Heard {
    fn hear(&mut self, stream: &Stream) {
        let events = stream.decode(&events::catalogue(), 1, Version::MAX);
        for stored in events.unwrap() {
            self.last = self.last.max(Some(stored.event.time));
            let estado = match stored.payload {
                Payload::ReservaCreada(made) => {
                    self.made = Some((made, stored.event.correlationid));
                    EstadoReserva::Pendiente
                }
                Payload::ReservaPagada(_) => EstadoReserva::Pagada,
                Payload::ReservaAprobada(_) => EstadoReserva::Aprobada,
                Payload::ReservaCancelada(_) => EstadoReserva::Cancelada,
                _ => continue,
            };
            self.estado = self.estado.max(Some(estado));
        }
    }

    /// The reservation as a list shows it. `None` if its first event is missing: then it is neither listed nor counted.
    fn listed(self) -> Option<Value> {
        let (made, id_correlacion) = self.made?;
        Some(json!({
            "id_reserva": made.id_reserva,
            "id_cliente": made.id_cliente,
            "id_correlacion": id_correlacion,
            "estado": self.estado,
            "fecha_creacion": made.fecha_creacion,
            "fecha_actualizacion": self.last,
            "viaje": viaje(&made.itinerarios),
            "numero_pasajeros": made.pasajeros.len(),
            "importe": made.pago.map(|pago| json!({
                "monto": pago.monto, "monto_vat": pago.monto_vat, "moneda": pago.moneda,
            })),
        }))
    }
}

/// A journey as a list shows it; `None` for a journey without legs.
fn viaje(itinerarios: &[Itinerario]) -> Option<Value> {
    let legs: Vec<_> = events::vuelos::legs(itinerarios).collect();
    let (first, last) = legs.first().zip(legs.last())?;
    Some(json!({
        "origen": first.origen.codigo,
        "destino": last.destino.codigo,
        "fecha_salida": first.fecha_salida,
        "fecha_llegada": last.fecha_llegada,
        "numero_legs": legs.len(),
    }))
}

/// Every reservation, as a list shows it.
pub struct Fold(pub BTreeMap<IdReserva, Value>);

/// Waits until every list and report equals the fold, and returns the fold.
pub fn agree(stack: &Stack) -> Fold {
    // Publish the events that processes committed before they died.
    stack.sweep();
    eventually("lists and reports equal the fold", || {
        // Sagas of earlier tests may still run.
        stack.tick();
        let fold = Fold::of(stack);
        match fold.difference(stack) {
            None => Some(fold),
            Some(difference) => {
                println!("not yet: {difference}");
                None
            }
        }
    })
}

impl Fold {
    fn of(stack: &Stack) -> Self {
        let mut heard: BTreeMap<IdReserva, Heard> = BTreeMap::new();
        for (key, item) in stack.every_item(alpes_event_store::TABLE) {
            let stream = Stream::from_item(key.pk.parse().unwrap(), &item).unwrap();
            heard.entry(stream.id.id).or_default().hear(&stream);
        }
        let listed = heard
            .into_iter()
            .filter_map(|(id, heard)| Some((id, heard.listed()?)));
        Self(listed.collect())
    }

    /// The state of a reservation.
    pub fn estado(&self, id: IdReserva) -> &str {
        self.0[&id]["estado"].as_str().unwrap()
    }

    /// The rows of the report `reservas-por-dia`.
    fn pivot(&self) -> Vec<Value> {
        let mut days: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for (id, reserva) in &self.0 {
            let day = &reserva["fecha_creacion"].as_str().unwrap()[..10];
            let counts = days.entry(day).or_default();
            *counts.entry(self.estado(*id)).or_default() += 1;
        }
        let rows = days.into_iter().map(|(day, counts)| {
            let total: u64 = counts.values().sum();
            let mut row = json!({ "dia": day, "total": total });
            for estado in EstadoReserva::ALL.map(EstadoReserva::name) {
                row[estado] = counts.get(estado).copied().unwrap_or(0).into();
            }
            row
        });
        rows.collect()
    }

    /// The first difference between the API and the fold.
    fn difference(&self, stack: &Stack) -> Option<String> {
        let pivot = self.pivot();
        let totals: Vec<_> = pivot
            .iter()
            .map(|row| json!({ "dia": row["dia"], "total": row["total"] }))
            .collect();
        for (report, expected) in [("reservas-por-dia", pivot), ("totales", totals)] {
            let found = whole_report(stack, report, &expected);
            if found != expected {
                return Some(format!("{report} is {found:?}, the fold {expected:?}"));
            }
        }
        EstadoReserva::ALL
            .into_iter()
            .find_map(|estado| self.list_difference(stack, estado.name()))
    }

    fn list_difference(&self, stack: &Stack, estado: &str) -> Option<String> {
        let filter = format!("&estado={estado}");
        let found: BTreeMap<IdReserva, Value> = stack
            .api
            .list(&filter, PAGE, None)
            .into_iter()
            .map(|reserva| {
                let id = reserva["id_reserva"].as_str().unwrap().parse().unwrap();
                (id, reserva)
            })
            .collect();
        let expected = self.0.iter();
        let expected: BTreeMap<_, _> = expected
            .filter(|(id, _)| self.estado(**id) == estado)
            .collect();
        for (id, reserva) in &expected {
            if found.get(id) != Some(reserva) {
                let found = found.get(id);
                return Some(format!("{estado}: {id} is {found:?}, the fold {reserva}"));
            }
        }
        let more = found.keys().find(|id| !expected.contains_key(id));
        more.map(|id| format!("{estado}: {id} is in another state by the fold"))
    }
}

/// The rows of a report between two days, read in as many requests as needed.
fn whole_report(stack: &Stack, report: &str, expected: &[Value]) -> Vec<Value> {
    let day = |row: &Value| row["dia"].as_str().unwrap().parse::<Date>().unwrap();
    let (Some(first), Some(last)) = (expected.first().map(day), expected.last().map(day)) else {
        return vec![];
    };
    let (mut rows, mut from) = (vec![], first);
    while from <= last {
        let to = from + (REPORT - 1).days();
        let path = format!("/vuelos/reportes/{report}?desde={from}&hasta={to}");
        let piece = stack.api.get(&path).expect(200);
        rows.extend(piece["filas"].as_array().unwrap().iter().cloned());
        from = to + 1.day();
    }
    rows
}
