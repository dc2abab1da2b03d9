//! `CrearReserva`: makes a reservation for a client.

use std::fmt::Display;

use alpes_event_store::{Case, Decision};
use alpes_messages::{
    Command, CommandId, CorrelationId, Event, EventId, Moment, Origin, Problem, SagaMode, StreamId,
    Violation,
};
use events::{
    IdReserva, MAX_ACTOR, Payload, VUELOS, kinds,
    vuelos::{
        Aeropuerto, CrearReserva, EstadoReserva, Itinerario, Leg, Monto, Odo, Pago, PagoPedido,
        Pasajero, Precio, ReservaCreada, Segmento, is_client,
    },
};
use jiff::Timestamp;
use parse::{Node, Object, Regla, Violations, invalid};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Reserva,
    aeropuertos::{self, Servicio},
    cotizacion::{self, Cotizacion, MAX_COTIZACION},
    monedas, tarifa, viaje,
};

/// Largest number of items in a list of itinerarios, odos, segmentos or legs.
pub const MAX_LIST: usize = 10;
/// Largest number of legs of a reservation.
pub const MAX_LEGS: usize = 50;
/// Longest name of an airport or of a passenger, in characters.
pub const MAX_NOMBRE: usize = 200;
/// Largest number of passengers of a reservation.
pub const MAX_PASAJEROS: usize = 9;
/// Longest client id or payment token, in characters.
pub const MAX_TOKEN: usize = 64;
/// Largest event that opens a reservation's stream, in bytes of the event's JSON. The rest of the stream's item is kept
/// for later events.
pub const MAX_OPENING_EVENT: usize = 32 * 1024;

/// The earliest accepted time, 1900-01-01T00:00:00Z, in seconds since 1970.
const EARLIEST: i64 = -2_208_988_800;
/// The first second that is too late, 2201-01-01T00:00:00Z, in seconds since 1970.
const TOO_LATE: i64 = 7_289_654_400;

/// Reads the command's data, from the body of a request or from a command.
///
/// The result is in normal form: times in UTC, amounts with the decimals of their currency. Equal requests therefore
/// give equal values, and parsing a serialised result gives the same result.
///
/// # Errors
///
/// Every [`Violation`], up to [`MAX_VIOLATIONS`](parse::MAX_VIOLATIONS).
pub fn parse(body: &Value) -> Result<CrearReserva, Vec<Violation>> {
    parse::read(body, |body, violations| {
        let body = body.object(
            &[
                "itinerarios",
                "id_cliente",
                "pago",
                "cotizacion",
                "saga",
                "pasajeros",
            ],
            violations,
        )?;
        let viaje = read_viaje(&body, violations);
        let id_cliente = body.optional("id_cliente", violations, read_id_cliente);
        let pago = body.optional("pago", violations, read_pago);
        let saga = body.optional("saga", violations, read_saga);
        let cotizacion = body.optional("cotizacion", violations, read_cotizacion);
        let viaje = viaje?;
        let read = CrearReserva {
            itinerarios: viaje.itinerarios,
            id_cliente,
            pago,
            cotizacion,
            saga,
            pasajeros: viaje.pasajeros,
        };
        let size = opening_size(&read);
        if size > MAX_OPENING_EVENT {
            let detalle = format!(
                "El evento de la reserva ocuparía {size} bytes y el máximo es {MAX_OPENING_EVENT}"
            );
            violations.add(body.path.field("itinerarios"), Regla::Tamano, detalle);
        }
        Some(read)
    })
}

/// A journey and its passengers.
#[derive(Clone, Debug, PartialEq)]
pub struct Viaje {
    /// The journey.
    pub itinerarios: Vec<Itinerario>,
    /// The passengers; `None` for one passenger without a name.
    pub pasajeros: Option<Vec<Pasajero>>,
}

impl Viaje {
    /// Reads the body of a request for a quote.
    ///
    /// # Errors
    ///
    /// Every [`Violation`], up to [`MAX_VIOLATIONS`](parse::MAX_VIOLATIONS).
    pub fn parse(body: &Value) -> Result<Self, Vec<Violation>> {
        parse::read(body, |body, violations| {
            let body = body.object(&["itinerarios", "pasajeros"], violations)?;
            read_viaje(&body, violations)
        })
    }

    /// The number of passengers.
    #[must_use]
    pub fn passengers(&self) -> usize {
        passengers(self.pasajeros.as_deref())
    }
}

fn passengers(pasajeros: Option<&[Pasajero]>) -> usize {
    pasajeros.map_or(1, <[Pasajero]>::len)
}

fn read_viaje(body: &Object<'_>, violations: &mut Violations) -> Option<Viaje> {
    let mut legs = 0;
    let itinerarios = body.list(
        "itinerarios",
        MAX_LIST,
        violations,
        |itinerario, violations| read_itinerario(itinerario, &mut legs, violations),
    );
    if legs > MAX_LEGS {
        let detalle = format!("Debe tener {MAX_LEGS} legs en total como máximo");
        violations.add(body.path.field("itinerarios"), Regla::Limite, detalle);
    }
    if let Some(itinerarios) = &itinerarios {
        viaje::check(itinerarios, body.path.field("itinerarios"), violations);
    }
    let pasajeros = body.optional("pasajeros", violations, |node, violations| {
        node.items(MAX_PASAJEROS, violations, read_pasajero)
    });
    Some(Viaje {
        itinerarios: itinerarios?,
        // One passenger without a name is the same request as no passengers, so both have one normal form.
        pasajeros: pasajeros.filter(|pasajeros| *pasajeros != Pasajero::one()),
    })
}

fn read_cotizacion(node: Node<'_>, violations: &mut Violations) -> Option<String> {
    let token = node.text_up_to(MAX_COTIZACION, violations)?;
    Some(token.to_owned())
}

fn read_itinerario(
    node: Node<'_>,
    legs: &mut usize,
    violations: &mut Violations,
) -> Option<Itinerario> {
    let itinerario = node.object(&["odos"], violations)?;
    let mut before = Arrival::default();
    let odos = itinerario.list("odos", MAX_LIST, violations, |odo, violations| {
        // An odo may depart from any airport, but not before the previous odo has arrived.
        before.codigo = None;
        read_odo(odo, &mut before, legs, violations)
    })?;
    Some(Itinerario { odos })
}

/// Reads an odo. `before` is the arrival of the previous odo. The function sets `before` to the arrival of this odo.
fn read_odo(
    node: Node<'_>,
    before: &mut Arrival,
    legs: &mut usize,
    violations: &mut Violations,
) -> Option<Odo> {
    let mut arrival = std::mem::take(before);
    let odo = node.object(&["segmentos"], violations)?;
    let segmentos = odo.list("segmentos", MAX_LIST, violations, |segmento, violations| {
        let seen = *legs;
        let mut last = std::mem::take(&mut arrival);
        let segmento = segmento.object(&["legs"], violations)?;
        let read = segmento.list("legs", MAX_LIST, violations, |leg, violations| {
            *legs += 1;
            let (leg, arrival) = read_leg(leg, &last, violations);
            last = arrival;
            leg
        });
        // After a segmento without legs the place and time of arrival are unknown, so the next leg is not checked
        // against them.
        if *legs > seen {
            arrival = last;
        }
        Some(Segmento { legs: read? })
    });
    *before = arrival;
    Some(Odo {
        segmentos: segmentos?,
    })
}

/// The place and time at which the previous leg arrived, as far as they could be read.
#[derive(Default)]
struct Arrival {
    codigo: Option<String>,
    fecha: Option<Timestamp>,
}

fn read_leg(
    node: Node<'_>,
    before: &Arrival,
    violations: &mut Violations,
) -> (Option<Leg>, Arrival) {
    let fields = ["fecha_salida", "fecha_llegada", "origen", "destino"];
    let Some(leg) = node.object(&fields, violations) else {
        return (None, Arrival::default());
    };
    let salida = leg.required("fecha_salida", violations, read_fecha);
    let llegada = leg.required("fecha_llegada", violations, read_fecha);
    let origen = leg.required("origen", violations, read_aeropuerto);
    let destino = leg.required("destino", violations, read_aeropuerto);

    if let (Some(salida), Some(llegada)) = (salida, llegada)
        && llegada <= salida
    {
        violations.add(
            leg.path.field("fecha_llegada"),
            Regla::LlegadaAntesDeSalida,
            "La llegada debe ser posterior a la salida",
        );
    }
    if let (Some(origen), Some(destino)) = (&origen, &destino)
        && origen.codigo == destino.codigo
    {
        violations.add(
            leg.path.field("destino").field("codigo"),
            Regla::MismoAeropuerto,
            "El destino debe ser distinto del origen",
        );
    }
    if let (Some(arrived), Some(origen)) = (&before.codigo, &origen)
        && *arrived != origen.codigo
    {
        violations.add(
            leg.path.field("origen").field("codigo"),
            Regla::ConexionLugar,
            format!("Debe salir de {arrived}, adonde llegó el leg anterior"),
        );
    }
    if let (Some(arrived), Some(salida)) = (before.fecha, salida)
        && salida < arrived
    {
        violations.add(
            leg.path.field("fecha_salida"),
            Regla::ConexionTiempo,
            format!("No puede salir antes de que llegue el leg anterior, el {arrived}"),
        );
    }

    let arrival = Arrival {
        codigo: destino.as_ref().map(|destino| destino.codigo.clone()),
        fecha: llegada,
    };
    let read = || {
        Some(Leg {
            fecha_salida: salida?,
            fecha_llegada: llegada?,
            origen: origen?,
            destino: destino?,
        })
    };
    (read(), arrival)
}

fn read_fecha(node: Node<'_>, violations: &mut Violations) -> Option<Timestamp> {
    let fecha = node.date(violations)?;
    if !(EARLIEST..TOO_LATE).contains(&fecha.as_second()) {
        return node.fault(
            violations,
            Regla::FechaFueraDeRango,
            "Debe estar entre los años 1900 y 2200 (UTC)",
        );
    }
    Some(fecha)
}

fn read_aeropuerto(node: Node<'_>, violations: &mut Violations) -> Option<Aeropuerto> {
    let aeropuerto = node.object(&["codigo", "nombre"], violations)?;
    let codigo = aeropuerto.required("codigo", violations, |node, violations| {
        let codigo = node.code(violations)?;
        match aeropuertos::service(codigo) {
            Some(Servicio::Abierto) => Some(codigo.to_owned()),
            Some(Servicio::Cerrado) => {
                let detalle = format!("El aeropuerto {codigo} está cerrado");
                node.fault(violations, Regla::AeropuertoCerrado, detalle)
            }
            None => {
                let detalle = format!("No hay aeropuerto con el código IATA {codigo}");
                node.fault(violations, Regla::AeropuertoDesconocido, detalle)
            }
        }
    });
    let nombre = aeropuerto.optional("nombre", violations, |node, violations| {
        node.text_up_to(MAX_NOMBRE, violations).map(str::to_owned)
    });
    Some(Aeropuerto {
        codigo: codigo?,
        nombre,
    })
}

fn read_id_cliente(node: Node<'_>, violations: &mut Violations) -> Option<String> {
    read_token(
        node,
        violations,
        is_client,
        "letras, dígitos, «.», «_» o «-»",
    )
}

fn read_medio(node: Node<'_>, violations: &mut Violations) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_medio = |text: &str| (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(allowed);
    read_token(
        node,
        violations,
        is_medio,
        "letras minúsculas, dígitos o «_»",
    )
}

fn read_token(
    node: Node<'_>,
    violations: &mut Violations,
    is_token: impl Fn(&str) -> bool,
    which: &str,
) -> Option<String> {
    let token = node.text(violations)?;
    if is_token(token) {
        Some(token.to_owned())
    } else {
        let detalle = format!("Debe tener de 1 a {MAX_TOKEN} caracteres: {which}");
        node.fault(violations, Regla::Formato, detalle)
    }
}

fn read_pago(node: Node<'_>, violations: &mut Violations) -> Option<PagoPedido> {
    let pago = node.object(&["monto", "monto_vat", "moneda", "medio"], violations)?;
    let moneda = pago.optional("moneda", violations, |node, violations| {
        let moneda = node.code(violations)?;
        match monedas::decimals(moneda) {
            Some(decimals) => Some((moneda.to_owned(), decimals)),
            None => node.fault(
                violations,
                Regla::MonedaDesconocida,
                format!("No hay moneda vigente con el código ISO 4217 {moneda}"),
            ),
        }
    });
    let decimals = moneda.as_ref().map(|(_, decimals)| *decimals);
    let amount = |name, positive, violations: &mut Violations| {
        pago.optional(name, violations, |node, violations| {
            read_monto(node, decimals, positive, violations)
        })
    };
    let monto = amount("monto", true, violations);
    let monto_vat = amount("monto_vat", false, violations);
    let medio = pago.required("medio", violations, read_medio);
    Some(PagoPedido {
        monto,
        monto_vat,
        moneda: moneda.map(|(moneda, _)| moneda),
        medio: medio?,
    })
}

/// Reads an amount. `decimals` is the number of decimals of the currency; `None` if the currency is not given or unknown.
fn read_monto(
    node: Node<'_>,
    decimals: Option<u32>,
    positive: bool,
    violations: &mut Violations,
) -> Option<Monto> {
    let mut amount = if positive {
        node.positive_amount(violations)?
    } else {
        node.amount(violations)?
    };
    let shortest = amount.normalize();
    let Some(decimals) = decimals else {
        return Some(Monto(shortest));
    };
    if shortest.scale() > decimals {
        let detalle = format!("La moneda admite {decimals} decimales como máximo");
        return node.fault(violations, Regla::Decimales, detalle);
    }
    amount.rescale(decimals);
    Some(Monto(amount))
}

fn read_pasajero(node: Node<'_>, violations: &mut Violations) -> Option<Pasajero> {
    let pasajero = node.object(&["nombre"], violations)?;
    let nombre = pasajero.optional("nombre", violations, |node, violations| {
        node.words(MAX_NOMBRE, violations).map(str::to_owned)
    });
    Some(Pasajero { nombre })
}

fn read_saga(node: Node<'_>, violations: &mut Violations) -> Option<SagaMode> {
    let modes = [
        ("orquestacion", SagaMode::Orchestration),
        ("coreografia", SagaMode::Choreography),
        ("stepfunctions", SagaMode::StepFunctions),
    ];
    node.one_of(&modes, violations)
}

/// Decides a new reservation. The data must be valid, and the reservation must not have been made or cancelled before.
///
/// The outcome is `ReservaCreada` with the price of the quote or, without a quote, with the fare of the moment.
pub(crate) fn decide(case: &Case<'_, Payload>) -> Result<Decision, Problem> {
    // The data are checked before the state, because the event store may decide a command that opens a stream without
    // reading the history first. A command with invalid data must get the same answer with and without the history.
    let data = parse(&case.command.data).map_err(invalid)?;
    let reserva = Reserva::fold(case.history);
    if reserva.exists() {
        return Err(Problem::of(kinds::STATE).because("La reserva ya existe"));
    }
    if reserva.estado().is_some() {
        return Err(Problem::of(kinds::STATE)
            .because("La reserva se canceló antes de crearse; ya no se puede crear"));
    }
    let pago = pago(&data, case)?;
    Ok(Decision::commit(vec![
        reserva_creada(case.command.subject, data, pago, case.now).into(),
    ]))
}

/// The payment of the reservation. Each amount that the client sends must be that of the price. In a command of a test
/// endpoint, each amount replaces that of the price.
fn pago(data: &CrearReserva, case: &Case<'_, Payload>) -> Result<Pago, Problem> {
    let price = price(data, case.now)?;
    let Some(asked) = &data.pago else {
        return Ok(price.paid_with(tarifa::MEDIO));
    };
    if case.command.prueba {
        return Ok(Pago {
            monto: asked.monto.unwrap_or(price.monto),
            monto_vat: asked.monto_vat.unwrap_or(price.monto_vat),
            moneda: asked.moneda.clone().unwrap_or(price.moneda),
            medio: asked.medio.clone(),
        });
    }
    let amount = |amount: Option<Monto>| amount.map(|amount| amount.0);
    let wrong = [
        other("pago.monto", amount(asked.monto), &price.monto.0),
        other(
            "pago.monto_vat",
            amount(asked.monto_vat),
            &price.monto_vat.0,
        ),
        other("pago.moneda", asked.moneda.clone(), &price.moneda),
    ];
    let wrong: Vec<_> = wrong.into_iter().flatten().collect();
    if wrong.is_empty() {
        Ok(price.paid_with(asked.medio.clone()))
    } else {
        Err(Problem::of(kinds::PRICE).at(wrong))
    }
}

/// The violation of a field whose value is not that of the price.
fn other<T: PartialEq + Display>(field: &str, asked: Option<T>, price: &T) -> Option<Violation> {
    asked.filter(|asked| asked != price)?;
    let detalle = format!("Debe faltar o ser {price}");
    Some(Violation::new(field, Regla::Precio.name(), detalle))
}

fn price(data: &CrearReserva, now: Moment) -> Result<Precio, Problem> {
    let passengers = passengers(data.pasajeros.as_deref());
    let Some(token) = &data.cotizacion else {
        return Ok(tarifa::price(&data.itinerarios, passengers));
    };
    // The function that took the command from a client has checked the signature and the caller.
    let token = Cotizacion::read(token).ok_or_else(cotizacion::unknown)?;
    token
        .cotizacion
        .price_of(&data.itinerarios, passengers, now.timestamp())
}

fn reserva_creada(
    id_reserva: IdReserva,
    data: CrearReserva,
    pago: Pago,
    now: Moment,
) -> ReservaCreada {
    ReservaCreada {
        id_reserva,
        id_cliente: data.id_cliente,
        estado: EstadoReserva::Pendiente,
        fecha_creacion: now,
        itinerarios: data.itinerarios,
        pago: Some(pago),
        pasajeros: data.pasajeros.unwrap_or_else(Pasajero::one),
    }
}

/// Size of the event that opens the reservation. Values that do not come from the request, for example ids, have a
/// constant width, or count with their largest width.
fn opening_size(data: &CrearReserva) -> usize {
    let id_reserva = IdReserva(Uuid::nil());
    let now = Moment::from(Timestamp::UNIX_EPOCH);
    let command = Command {
        id: CommandId(Uuid::nil()),
        kind: crate::CREAR_RESERVA.into(),
        subject: id_reserva,
        correlationid: CorrelationId(Uuid::nil()),
        causationid: None,
        actor: Some("a".repeat(MAX_ACTOR)),
        prueba: false,
        sagamode: SagaMode::Orchestration,
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        data: Value::Null,
    };
    let origin = Origin {
        command: &command,
        stream: StreamId::new(VUELOS, id_reserva),
        version: 1,
        id: EventId(Uuid::nil()),
        time: now,
    };
    let medio = "m".repeat(MAX_TOKEN);
    let pago = tarifa::price(&data.itinerarios, MAX_PASAJEROS).paid_with(medio);
    let event = reserva_creada(id_reserva, data.clone(), pago, now);
    Event::placed(event.into(), origin)
        .encode()
        .map_or(usize::MAX, |text| text.len())
}
