//! The document: OpenAPI 3.1.

use events::{Problem, vuelos::EstadoReserva};
use serde_json::{Map, Value, json};
use vuelos::{crear_reserva, tarifa};

use crate::{esquemas::esquemas, support};

const JSON: &str = "application/json";
const ID: &str = "5f2c1a9e-7c3b-5d4e-8f60-9a1b2c3d4e5f";
const CORRELATION: &str = "019c1350-4b81-7b22-9d02-6e7f8091a2b3";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The API, described for its users.
pub(crate) fn documento() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AeroAlpes",
            "version": "1",
            "description":
                "Reservas de vuelos. Crear una reserva responde 202 en cuanto queda registrada; lo demás (pago, \
                 confirmación, aprobación) ocurre después y se ve en las consultas. Los errores son \
                 `application/problem+json` (RFC 9457), con cada campo que no cumple una regla.\n\n\
                 Según el despliegue, la API está abierta o pide solicitudes firmadas por AWS (Signature Version 4, \
                 servicio `execute-api`).",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "./", "description": "La dirección de donde se leyó este documento."}],
        "security": [{}, {"sigv4": []}],
        "tags": [
            {"name": "reservas", "description": "Crear reservas y consultarlas."},
            {"name": "servicio", "description": "El servicio mismo."},
        ],
        "paths": {
            "/vuelos/reserva": {"post": crear_reserva(), "get": listar_reservas()},
            "/vuelos/reserva/{id}": {"parameters": [id()], "get": ver_reserva()},
            "/vuelos/reserva/{id}/eventos": {"parameters": [id()], "get": ver_eventos()},
            "/health": {"get": {
                "operationId": "salud",
                "tags": ["servicio"],
                "summary": "Decir si el servicio responde",
                "responses": {
                    "200": answer("El servicio responde.", &schema("Salud"), &[("responde", json!({"estado": "ok"}))]),
                },
            }},
            "/openapi.json": {"get": {
                "operationId": "openapi",
                "tags": ["servicio"],
                "summary": "Leer este documento",
                "responses": {"200": answer("Este documento.", &json!({"type": "object"}), &[])},
            }},
        },
        "components": {
            "schemas": esquemas(),
            "responses": problemas(),
            "securitySchemes": {"sigv4": {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "description": "Firma de AWS, Signature Version 4.",
                "x-amazon-apigateway-authtype": "awsSigv4",
            }},
        },
    })
}

fn crear_reserva() -> Value {
    let mut responses = refusals(&[
        ("400", "SolicitudInvalida"),
        ("409", "Conflicto"),
        ("413", "CuerpoDemasiadoGrande"),
        ("415", "TipoDeContenido"),
        ("422", "ClaveReutilizada"),
        ("500", "ErrorInterno"),
        ("503", "NoDisponible"),
    ]);
    let example = json!({"id_reserva": ID, "id_correlacion": CORRELATION, "estado": "Pendiente"});
    let mut accepted = answer(
        "La reserva quedó registrada. Una repetición con la misma clave y el mismo cuerpo responde lo mismo.",
        &schema("ReservaAceptada"),
        &[("aceptada", example)],
    );
    accepted["headers"] = json!({
        "Location": {
            "description": "Dónde se consulta la reserva, relativo a la URL de la solicitud.",
            "schema": {"type": "string", "format": "uri-reference"},
            "example": format!("reserva/{ID}"),
        },
        "X-Correlacion": {
            "description": "El `id_correlacion` de la reserva.",
            "schema": schema("IdCorrelacion"),
        },
    });
    responses.insert("202".into(), accepted);

    let mut complete = support::sample();
    complete["id_cliente"] = "cliente-42".into();
    complete["pago"] =
        json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": "tok_visa"});
    complete["saga"] = "coreografia".into();
    json!({
        "operationId": "crearReserva",
        "tags": ["reservas"],
        "summary": "Crear una reserva",
        "description":
            "Registra la reserva y responde sin esperar el pago ni la confirmación. Con `Idempotency-Key` se puede \
             repetir sin riesgo: misma clave y mismo cuerpo, misma respuesta y una sola reserva.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "Clave que el cliente elige para esta reserva. Con ella, repetir la solicitud no crea otra.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
            },
            {
                "name": "traceparent",
                "in": "header",
                "description": "Traza del cliente (W3C Trace Context). Queda en los eventos de la reserva; si está mal formada se ignora.",
                "schema": {"type": "string"},
                "example": TRACE,
            },
        ],
        "requestBody": {
            "required": true,
            "description": "La reserva, en 64 KB como máximo.",
            "content": {JSON: {
                "schema": schema("CrearReserva"),
                "examples": {
                    "tutorial": {"summary": "La del tutorial", "value": support::sample()},
                    "completa": {"summary": "Con todo lo opcional", "value": complete},
                },
            }},
        },
        "responses": responses,
    })
}

fn listar_reservas() -> Value {
    let mut responses = refusals(&[
        ("400", "ConsultaInvalida"),
        ("500", "ErrorInterno"),
        ("503", "NoDisponible"),
    ]);
    let example = json!({"reservas": [reserva("vista")], "siguiente": null});
    responses.insert(
        "200".into(),
        answer(
            "Una página de reservas.",
            &schema("Lista"),
            &[("una", example)],
        ),
    );
    let states = EstadoReserva::ALL.map(EstadoReserva::name);
    json!({
        "operationId": "listarReservas",
        "tags": ["reservas"],
        "summary": "Listar reservas",
        "description":
            "De la más reciente a la más antigua. Los filtros se usan solos o juntos. Una reserva recién creada aparece \
             en cuanto la vista la conoce.",
        "parameters": [
            {
                "name": "estado",
                "in": "query",
                "description": format!("Solo las que están en este estado: {}.", states.join(", ")),
                "schema": schema("EstadoReserva"),
            },
            {
                "name": "id_cliente",
                "in": "query",
                "description": "Solo las de este cliente.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            },
            {
                "name": "limite",
                "in": "query",
                "description": "Cuántas caben en la página.",
                "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
            },
            {
                "name": "siguiente",
                "in": "query",
                "description": "El `siguiente` de la página anterior, tal cual, con los mismos filtros.",
                "schema": {"type": "string"},
            },
        ],
        "responses": responses,
    })
}

fn ver_reserva() -> Value {
    let mut responses = refusals(&[
        ("404", "NoExiste"),
        ("500", "ErrorInterno"),
        ("503", "NoDisponible"),
    ]);
    let examples = [("vista", reserva("vista")), ("comando", reserva("comando"))];
    responses.insert(
        "200".into(),
        answer("La reserva.", &schema("ReservaDto"), &examples),
    );
    json!({
        "operationId": "verReserva",
        "tags": ["reservas"],
        "summary": "Ver una reserva",
        "description":
            "Responde la vista. Justo después de crear la reserva la vista puede no conocerla aún: entonces responde \
             desde los eventos mismos, con `origen` en `comando`.",
        "responses": responses,
    })
}

fn ver_eventos() -> Value {
    let mut responses = refusals(&[
        ("404", "NoExiste"),
        ("500", "ErrorInterno"),
        ("503", "NoDisponible"),
    ]);
    let sample = include_str!("../../../../shared/events/samples/vuelos/ReservaAprobada.v1.json");
    let event: Value = serde_json::from_str(sample).unwrap();
    responses.insert(
        "200".into(),
        answer(
            "Los eventos.",
            &schema("Eventos"),
            &[("uno", json!({"eventos": [event]}))],
        ),
    );
    json!({
        "operationId": "verEventos",
        "tags": ["reservas"],
        "summary": "Ver los eventos de una reserva",
        "description": "Todo lo que pasó con la reserva, tal como quedó registrado.",
        "responses": responses,
    })
}

fn id() -> Value {
    json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": "El `id_reserva` que respondió la creación.",
        "schema": schema("IdReserva"),
    })
}

fn reserva(origen: &str) -> Value {
    let sample = crear_reserva::parse(&support::sample()).unwrap();
    json!({
        "id_reserva": ID,
        "id_cliente": null,
        "id_correlacion": CORRELATION,
        "estado": "Pendiente",
        "fecha_creacion": "2026-01-31T10:00:00.000Z",
        "fecha_actualizacion": "2026-01-31T10:00:00.000Z",
        "itinerarios": sample.itinerarios,
        "pago": tarifa::fare(&sample.itinerarios),
        "origen": origen,
    })
}

fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn answer(description: &str, schema: &Value, examples: &[(&str, Value)]) -> Value {
    let mut media = json!({"schema": schema});
    if !examples.is_empty() {
        let examples = examples
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({"value": value})));
        media["examples"] = examples.collect::<Map<_, _>>().into();
    }
    json!({"description": description, "content": {JSON: media}})
}

fn refusals(refusals: &[(&str, &str)]) -> Map<String, Value> {
    let of = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    refusals
        .iter()
        .map(|(status, name)| ((*status).to_owned(), of(name)))
        .collect()
}

/// The answers that refuse, as the functions write them.
fn problemas() -> Value {
    use events::{Violation, kinds};

    let airport = Violation::new(
        "itinerarios[0].odos[0].segmentos[0].legs[0].origen.codigo",
        "aeropuerto-desconocido",
        "No hay aeropuerto con el código IATA ZZZ",
    );
    let limit = Violation::new("limite", "limite", "Debe ser un entero de 1 a 100");
    let all = [
        (
            "SolicitudInvalida",
            "El cuerpo o un encabezado no cumple las reglas.",
            Problem::of(kinds::INVALID).at(vec![airport]),
        ),
        (
            "ConsultaInvalida",
            "Un parámetro no cumple las reglas, no se conoce o está repetido.",
            Problem::of(kinds::INVALID).at(vec![limit]),
        ),
        (
            "NoExiste",
            "No hay una reserva con este id.",
            Problem::of(kinds::NOT_FOUND).because(format!("No hay una reserva {ID}")),
        ),
        (
            "Conflicto",
            "Otras solicitudes modificaron la reserva al mismo tiempo, o su estado no lo permite.",
            Problem::of(kinds::CONTENTION),
        ),
        (
            "CuerpoDemasiadoGrande",
            "El cuerpo pasa de 64 KB.",
            Problem::of(kinds::TOO_LARGE),
        ),
        (
            "TipoDeContenido",
            "El cuerpo no es JSON según su Content-Type.",
            Problem::of(kinds::MEDIA_TYPE),
        ),
        (
            "ClaveReutilizada",
            "La clave de idempotencia ya se usó con otro cuerpo.",
            Problem::of(kinds::KEY_REUSED),
        ),
        (
            "ErrorInterno",
            "Un defecto del servicio. Repetir no ayuda.",
            Problem::of(kinds::INTERNAL),
        ),
        (
            "NoDisponible",
            "El servicio no responde ahora. Repetir la solicitud, con la misma clave si se está creando, es seguro.",
            Problem::of(kinds::UNAVAILABLE),
        ),
    ];
    let answer = |(name, description, problem): (&str, &str, Problem)| {
        let examples = json!({"problema": {"value": problem}});
        let media = json!({"schema": schema("Problem"), "examples": examples});
        let mut answer = json!({
            "description": description,
            "content": {"application/problem+json": media},
        });
        if problem.is(kinds::UNAVAILABLE) {
            answer["headers"] = json!({"Retry-After": {
                "description": "Segundos que conviene esperar.",
                "schema": {"type": "integer"},
            }});
        }
        (name.to_owned(), answer)
    };
    all.into_iter().map(answer).collect::<Map<_, _>>().into()
}
