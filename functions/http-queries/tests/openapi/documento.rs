//! Writes the API's description in the form of OpenAPI 3.1.

use alpes_messages::Problem;
use events::kinds;
use http_queries::{DEFAULT_LIMIT, MAX_LIMIT};
use serde_json::{Map, Value, json};

use crate::{esquemas::esquemas, podar::sin_pruebas, pruebas, reportes, reservas, sagas};

const JSON: &str = "application/json";
/// The reservation of the examples.
pub(crate) const ID: &str = "5f2c1a9e-7c3b-5d4e-8f60-9a1b2c3d4e5f";
/// The saga of that reservation, which has the same id.
pub(crate) const CORRELATION: &str = ID;

/// The description of the API for its users, where tests are not allowed.
pub(crate) fn documento_sin_pruebas() -> Value {
    sin_pruebas(documento())
}

/// The description of the API for its users, where tests are allowed.
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
                 Un texto es una sola línea de caracteres visibles. No se admiten, y se responden con la regla `caracteres`, \
                 los caracteres de control (U+0000 a U+001F, U+007F a U+009F), U+2028 y U+2029, las marcas que cambian la \
                 dirección de la escritura (U+202A a U+202E, U+2066 a U+2069) ni los que Unicode no asigna a nada (U+FDD0 a \
                 U+FDEF y los que terminan en FFFE o FFFF). Vale para todos los textos de un cuerpo y para los nombres de \
                 sus campos. Tampoco se admite, con la regla `numero-de-tarjeta`, un número que pueda ser el de una tarjeta de pago: de \
                 13 a 19 dígitos, juntos o en grupos, con su dígito de control.\n\n\
                 Toda ruta que admite GET admite también HEAD, que responde lo mismo sin el cuerpo, y toda ruta admite OPTIONS, que \
                 responde 204. Los demás métodos se responden con 405, y `Allow` dice cuáles admite la ruta. Un cuerpo se envía con \
                 `Content-Type: application/json`, sin `charset` o con `utf-8`, y sin comprimir: con un `Content-Encoding` que no \
                 sea `identity` se responde 415 y `Accept-Encoding: identity`.\n\n\
                 Según el despliegue, la API está abierta, pide un token de acceso (`Authorization: Bearer`) o pide \
                 solicitudes firmadas por AWS (Signature Version 4, servicio `execute-api`). Un cliente ve y cancela sus propias reservas, y lo ajeno no existe para él. \
                 Un operador ve todo, lee los reportes e interviene en las sagas.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        // The function replaces this URL by that of the host that it was asked at.
        "servers": [{"url": ".", "description": "La dirección de donde se leyó este documento."}],
        "security": [{}, {"cliente": []}, {"operador": []}, {"token": []}, {"sigv4": []}],
        "tags": [
            {"name": "reservas", "description": "Crear reservas, consultarlas y cancelarlas."},
            {"name": "reportes", "description": "Cuántas reservas hay."},
            {"name": "sagas", "description": "Cómo avanza cada reserva, y qué espera a una persona."},
            {
                "name": "pruebas",
                "description": "Para probar el sistema por partes. Solo existen donde el despliegue permite pruebas.",
            },
            {"name": "servicio", "description": "El servicio mismo."},
        ],
        "paths": {
            "/vuelos/cotizacion": {"post": reservas::cotizar()},
            "/vuelos/reserva": {"post": reservas::crear(), "get": reservas::listar()},
            "/vuelos/reserva/{id}": {"parameters": [reservas::id()], "get": reservas::ver()},
            "/vuelos/reserva/{id}/cancelacion": {"parameters": [reservas::id()], "post": reservas::cancelar()},
            "/vuelos/reserva/{id}/eventos": {"parameters": [reservas::id()], "get": reservas::ver_eventos()},
            "/vuelos/reportes/totales": {"get": reportes::totales()},
            "/vuelos/reportes/reservas-por-dia": {"get": reportes::reservas_por_dia()},
            "/sagas": {"get": sagas::listar()},
            "/sagas/{id}": {"parameters": [sagas::id()], "get": sagas::ver()},
            "/sagas/{id}/reanudacion": {"parameters": [sagas::id()], "post": sagas::reanudar()},
            "/pruebas/fallas": {"post": pruebas::fallas()},
            "/pruebas/inventario": {"post": pruebas::inventario()},
            "/pruebas/{contexto}/{comando}": pruebas::comando(),
            "/pruebas/{contexto}/eventos/{evento}": pruebas::evento(),
            "/health": {"get": {
                "operationId": "salud",
                "tags": ["servicio"],
                "summary": "Decir si el servicio responde",
                "description": "No lee ningún dato: responde aunque las tablas fallen.",
                "responses": of_gateway(
                    answer("El servicio responde.", &schema("Salud"), &[("responde", json!({"estado": "ok"}))]),
                ),
            }},
            "/openapi.json": {"get": {
                "operationId": "openapi",
                "tags": ["servicio"],
                "summary": "Leer este documento",
                "description": "Las rutas de prueba están donde el despliegue permite pruebas.",
                "responses": of_gateway(answer("Este documento.", &json!({"type": "object"}), &[])),
            }},
        },
        "components": {
            "schemas": esquemas(),
            "responses": problemas(),
            "securitySchemes": seguridad(),
        },
    })
}

/// The ways in which callers become known.
fn seguridad() -> Value {
    json!({
        "cliente": {
            "type": "apiKey",
            "name": "X-Cliente",
            "in": "header",
            "description": "Donde la API está abierta: el id del cliente que pide.",
        },
        "operador": {
            "type": "apiKey",
            "name": "X-Operador",
            "in": "header",
            "description": "Donde la API está abierta: el nombre del operador que pide.",
        },
        "token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "Donde se llama con tokens: un token de acceso del emisor que la instalación admite. Su `sub` \
                            es el cliente o, con el alcance de operador, el operador que pide.",
        },
        "sigv4": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "description": "Firma de AWS, Signature Version 4.",
            "x-amazon-apigateway-authtype": "awsSigv4",
        },
    })
}

/// A reference to a schema by name.
pub(crate) fn schema(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The parameter with an id in the path.
pub(crate) fn id_in_path(description: &str, schema_name: &str) -> Value {
    json!({
        "name": "id",
        "in": "path",
        "required": true,
        "description": description,
        "schema": schema(schema_name),
    })
}

/// An answer with examples.
pub(crate) fn answer(description: &str, schema: &Value, examples: &[(&str, Value)]) -> Value {
    let mut media = json!({"schema": schema});
    if !examples.is_empty() {
        let examples = examples
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({"value": value})));
        media["examples"] = examples.collect::<Map<_, _>>().into();
    }
    json!({"description": description, "content": {JSON: media}})
}

/// The refusals of an operation, each from a status and the name of a shared response.
pub(crate) fn refusals(refusals: &[(&str, &str)]) -> Map<String, Value> {
    let of = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
    refusals
        .iter()
        .map(|(status, name)| ((*status).to_owned(), of(name)))
        .collect()
}

/// The refusals of the gateway, which any operation may get.
const GATEWAY: [(&str, &str); 6] = [
    ("401", "SinIdentidad"),
    ("403", "SinPermiso"),
    ("405", "MetodoNoPermitido"),
    ("429", "DemasiadasSolicitudes"),
    ("502", "RespuestaRota"),
    ("504", "SinRespuesta"),
];

/// The responses of an operation that fails only at the gateway.
fn of_gateway(answer: Value) -> Value {
    let mut responses = refusals(&GATEWAY);
    responses.insert("200".into(), answer);
    responses.into()
}

/// The responses of a query: the answer, these refusals, and the refusals of every query.
pub(crate) fn found(answer: Value, more: &[(&str, &str)]) -> Value {
    let mut responses = refusals(&[("400", "EncabezadoInvalido")]);
    responses.extend(refusals(more));
    responses.extend(refusals(&GATEWAY));
    responses.extend(refusals(&[
        ("500", "ErrorInterno"),
        ("503", "NoDisponible"),
    ]));
    responses.insert("200".into(), answer);
    responses.into()
}

/// The responses of an operation with a body that stores nothing.
pub(crate) fn computed(answer: Value) -> Value {
    let mut responses = taken(answer, &[]);
    let responses_by_status = responses.as_object_mut().unwrap();
    let answer = responses_by_status.remove("202").unwrap();
    responses_by_status.insert("200".to_owned(), answer);
    responses
}

/// The responses of an operation with a body: the 202 answer, these refusals, and the refusals of every operation with
/// a body.
pub(crate) fn taken(accepted: Value, more: &[(&str, &str)]) -> Value {
    let mut responses = refusals(more);
    responses.extend(refusals(&GATEWAY));
    responses.extend(refusals(&[
        ("400", "SolicitudInvalida"),
        ("413", "CuerpoDemasiadoGrande"),
        ("415", "TipoDeContenido"),
        ("500", "ErrorInterno"),
        ("503", "NoDisponible"),
    ]));
    responses.insert("202".into(), accepted);
    responses.into()
}

/// The 202 answer, whose header names the saga.
pub(crate) fn accepted(description: &str, schema_name: &str, example: &Value) -> Value {
    let mut accepted = answer(
        description,
        &schema(schema_name),
        &[("aceptada", example.clone())],
    );
    accepted["headers"] = json!({"X-Correlacion": {
        "description": "El `id_correlacion` de la reserva.",
        "required": true,
        "schema": schema("IdCorrelacion"),
    }});
    accepted
}

/// A request body with examples.
pub(crate) fn body(
    required: bool,
    description: &str,
    schema_name: &str,
    examples: &Value,
) -> Value {
    let examples = examples.as_object().unwrap().iter();
    let examples = examples.map(|(name, value)| (name.clone(), json!({ "value": value })));
    let examples = Value::from(examples.collect::<Map<_, _>>());
    json!({
        "required": required,
        "description": description,
        "content": {JSON: {"schema": schema(schema_name), "examples": examples}},
    })
}

/// The header `Idempotency-Key`. `description` says the effect of the header on one operation.
pub(crate) fn key(description: &str) -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "description": description,
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -+\\--~]+$"},
    })
}

/// The header traceparent.
pub(crate) fn trace() -> Value {
    json!({
        "name": "traceparent",
        "in": "header",
        "description": "Traza del cliente (W3C Trace Context). Queda en los eventos que resulten, con la forma de la versión 00; si está mal formada o aparece más de una vez, se ignora.",
        "schema": {"type": "string"},
        "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    })
}

/// The parameters of every list: `limite` and `siguiente`.
pub(crate) fn page() -> [Value; 2] {
    [
        json!({
            "name": "limite",
            "in": "query",
            "description":
                "Cuántas caben en la página como máximo. Puede traer menos aunque haya más: la lista sigue mientras haya \
                 `siguiente`.",
            "schema": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        }),
        json!({
            "name": "siguiente",
            "in": "query",
            "description": "El `siguiente` de la página anterior, tal cual, con los mismos filtros.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{82}$"},
        }),
    ]
}

/// The shared responses that refuse a request, in the form that the functions write.
fn problemas() -> Value {
    use alpes_messages::Violation;

    let airport = Violation::new(
        "itinerarios[0].odos[0].segmentos[0].legs[0].origen.codigo",
        "aeropuerto-desconocido",
        "No hay aeropuerto con el código IATA ZZZ",
    );
    let caller = Violation::new(
        "X-Cliente",
        "formato",
        "No puede venir junto con X-Operador",
    );
    let limit = Violation::new("limite", "limite", "Debe ser un entero de 1 a 100");
    let unpaid = Violation::new(
        "id_cliente",
        "sin-pagar",
        "Tiene 20 reservas sin pagar, y no puede tener más",
    );
    let other_price = Violation::new("pago.monto", "precio", "Debe faltar o ser 479.56");
    let all = [
        (
            "SolicitudInvalida",
            "El cuerpo o un encabezado no cumple las reglas, o un campo del cuerpo está repetido.",
            Problem::of(kinds::INVALID).at(vec![airport]),
        ),
        (
            "ConsultaInvalida",
            "Un parámetro no cumple las reglas, no se conoce o está repetido, o quien pide se nombra mal en un encabezado.",
            Problem::of(kinds::INVALID).at(vec![limit]),
        ),
        (
            "EncabezadoInvalido",
            "Donde la API está abierta, `X-Cliente` o `X-Operador` no cumple las reglas, o vienen ambos.",
            Problem::of(kinds::INVALID).at(vec![caller]),
        ),
        (
            "MetodoNoPermitido",
            "La ruta no admite el método. `Allow` dice cuáles admite.",
            Problem::of(kinds::METHOD).because("Métodos permitidos: GET, HEAD, OPTIONS".to_owned()),
        ),
        (
            "ConflictoAlCrear",
            "Otras solicitudes modificaron la reserva al mismo tiempo, su estado no lo permite, o el cliente tiene 20 reservas sin \
             pagar según la vista.",
            Problem::of(kinds::UNPAID).at(vec![unpaid]),
        ),
        (
            "SinIdentidad",
            "No se sabe quién pide.",
            Problem::of(kinds::UNKNOWN_CALLER),
        ),
        (
            "SinPermiso",
            "La solicitud no está firmada, o quien pide no puede usar la ruta.",
            Problem::of(kinds::FORBIDDEN),
        ),
        (
            "NoExiste",
            "No existe: no hay una reserva, una saga, un comando o un evento de ese nombre.",
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
            "El cuerpo no trae Content-Type, no es JSON en UTF-8 según él, o está comprimido según su Content-Encoding; en el segundo caso la \
             respuesta trae `Accept-Encoding`, y solo en ese.",
            Problem::of(kinds::MEDIA_TYPE),
        ),
        (
            "ClaveReutilizada",
            "La clave de idempotencia ya se usó con otro cuerpo.",
            Problem::of(kinds::KEY_REUSED),
        ),
        (
            "NoSePuedeCrear",
            "La clave de idempotencia ya se usó con otro cuerpo, un monto no es el del precio, o la cotización no vale.",
            Problem::of(kinds::PRICE).at(vec![other_price]),
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
    let mut answers: Map<_, _> = all.into_iter().map(refusal).collect();
    answers.extend(of_the_gateway());
    answers.into()
}

/// A refusal that the functions write, in the form of a shared response.
fn refusal((name, description, problem): (&str, &str, Problem)) -> (String, Value) {
    let examples = json!({"problema": {"value": problem}});
    // The gateway refuses too, in its own form.
    let both = problem.is(kinds::UNKNOWN_CALLER) || problem.is(kinds::FORBIDDEN);
    let form = if both {
        json!({"anyOf": [schema("Problem"), schema("ProblemaDelGateway")]})
    } else {
        schema("Problem")
    };
    let media = json!({"schema": form, "examples": examples});
    let mut answer = json!({
        "description": description,
        "content": {"application/problem+json": media},
    });
    if problem.is(kinds::UNAVAILABLE) {
        answer["headers"] = json!({"Retry-After": {
            "description": "Segundos que conviene esperar.",
            "required": true,
            "schema": {"type": "integer"},
        }});
    }
    if problem.is(kinds::METHOD) {
        answer["headers"] = json!({"Allow": {
            "description": "Los métodos de la ruta.",
            "required": true,
            "schema": {"type": "string"},
        }});
    }
    if problem.is(kinds::MEDIA_TYPE) {
        answer["headers"] = json!({"Accept-Encoding": {
            "description": "Cómo se admite un cuerpo, si llegó comprimido.",
            "schema": {"const": "identity"},
        }});
    }
    (name.to_owned(), answer)
}

/// The refusals that the gateway writes itself.
fn of_the_gateway() -> impl Iterator<Item = (String, Value)> {
    let all = [
        (
            "DemasiadasSolicitudes",
            "Llegaron más solicitudes de las que se atienden.",
            "Too Many Requests",
        ),
        (
            "RespuestaRota",
            "El servicio no pudo responder.",
            "Internal server error",
        ),
        (
            "SinRespuesta",
            "El servicio no respondió a tiempo. Repetir la solicitud con la misma clave es seguro.",
            "Endpoint request timed out",
        ),
    ];
    all.into_iter().map(|(name, description, title)| {
        let example = json!({"type": "about:blank", "title": title});
        let media = json!({"schema": schema("ProblemaDelGateway"), "examples": {"problema": {"value": example}}});
        let answer = json!({
            "description": description,
            "content": {"application/problem+json": media},
        });
        (name.to_owned(), answer)
    })
}
