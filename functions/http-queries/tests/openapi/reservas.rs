//! The operations of reservations.

use events::vuelos::EstadoReserva;
use http_testing::sample;
use serde_json::{Value, json};
use vuelos::{crear_reserva, tarifa};

use crate::documento::{
    CORRELATION, ID, accepted, answer, body, computed, found, id_in_path, key, page, schema, taken,
    trace,
};

/// `POST /vuelos/reserva`.
pub(crate) fn crear() -> Value {
    let mut accepted = accepted(
        "La reserva quedó registrada. Una repetición con la misma clave y el mismo cuerpo responde lo mismo.",
        "ReservaAceptada",
        &json!({"id_reserva": ID, "id_correlacion": CORRELATION, "estado": "Pendiente"}),
    );
    accepted["headers"]["Location"] = json!({
        "description": "Dónde se consulta la reserva, relativo a la URL de la solicitud.",
        "required": true,
        "schema": {"type": "string", "format": "uri-reference"},
        "example": format!("reserva/{ID}"),
    });
    let link = |operation: &str, field: &str, description: &str| {
        json!({
            "operationId": operation,
            "parameters": {"id": format!("$response.body#/{field}")},
            "description": description,
        })
    };
    accepted["links"] = json!({
        "reserva": link("verReserva", "id_reserva", "La reserva, desde que se recibe esta respuesta."),
        "eventos": link("verEventos", "id_reserva", "Sus eventos."),
        "saga": link("verSaga", "id_correlacion", "Su saga, desde que se recibe esta respuesta."),
        "cancelacion": link("cancelarReserva", "id_reserva", "Cómo cancelarla."),
    });
    let responses = taken(
        accepted,
        &[("409", "ConflictoAlCrear"), ("422", "NoSePuedeCrear")],
    );

    let mut complete = sample();
    complete["id_cliente"] = "cliente-42".into();
    complete["pago"] = json!({"medio": "tok_visa"});
    complete["saga"] = "coreografia".into();
    complete["pasajeros"] = json!([{"nombre": "Ana María Gómez"}, {}]);
    let examples = json!({"tutorial": sample(), "completa": complete});
    json!({
        "operationId": "crearReserva",
        "tags": ["reservas"],
        "summary": "Crear una reserva",
        "description":
            "Registra la reserva y responde sin esperar el pago ni la confirmación. Con `Idempotency-Key` se puede \
             repetir sin riesgo: misma clave y mismo cuerpo, misma respuesta y una sola reserva. La reserva y su saga tienen \
             el mismo id: con `id_correlacion` se consulta `/sagas/{id}` desde que se recibe esta respuesta.",
        "parameters": [
            key("Clave que el cliente elige para esta reserva. Con ella, repetir la solicitud no crea otra."),
            trace(),
        ],
        "requestBody": body(true, "La reserva, en 64 KB como máximo.", "CrearReserva", &examples),
        "responses": responses,
    })
}

/// `POST /vuelos/cotizacion`.
pub(crate) fn cotizar() -> Value {
    let quoted = json!({
        "monto": "479.56", "monto_vat": "91.12", "moneda": "USD",
        "cotizacion": "hlcccdofncee-bcdefghijk", "vence": "2026-01-31T10:15:00.000Z",
    });
    let mut two = sample();
    two["pasajeros"] = json!([{}, {}]);
    let examples = json!({"tutorial": sample(), "dos_pasajeros": two});
    let quoted = answer(
        "El precio y su cotización.",
        &schema("Cotizacion"),
        &[("una", quoted)],
    );
    json!({
        "operationId": "cotizar",
        "tags": ["reservas"],
        "summary": "Cotizar un viaje",
        "description":
            "Responde lo que cuesta el viaje, y una cotización firmada que mantiene ese precio por 15 minutos para quien la pidió. No \
             registra nada ni aparta sillas.",
        "parameters": [trace()],
        "requestBody": body(true, "El viaje, en 64 KB como máximo.", "PedidoCotizacion", &examples),
        "responses": computed(quoted),
    })
}

/// `POST /vuelos/reserva/{id}/cancelacion`.
pub(crate) fn cancelar() -> Value {
    let example = json!({"id_reserva": ID, "id_correlacion": CORRELATION, "estado": "Compensando"});
    let description = "Se está deshaciendo lo que se hizo, o espera a una persona si `estado` es `RequiereIntervencion`.";
    let responses = taken(
        accepted(description, "CancelacionAceptada", &example),
        &[
            ("404", "NoExiste"),
            ("409", "Conflicto"),
            ("422", "ClaveReutilizada"),
        ],
    );
    let examples = json!({"motivo": {"motivo": "cambio de planes"}, "sin_motivo": {}});
    json!({
        "operationId": "cancelarReserva",
        "tags": ["reservas"],
        "summary": "Cancelar una reserva",
        "description":
            "Vale en cualquier momento: antes de que empiece su saga, durante, y cuando ya está aprobada. Se devuelve lo \
             que se cobró y se sueltan las sillas. Repetirla mientras se deshace responde lo mismo; cuando la reserva ya \
             está cancelada, 409, y también mientras corre en Step Functions, que no se puede detener a mitad. El cuerpo se puede omitir.",
        "parameters": [
            key("Clave que el cliente elige para esta cancelación. Sirve en las reservas por coreografía; en las demás \
                 repetir nunca tiene otro efecto."),
            trace(),
        ],
        "requestBody": body(false, "Por qué, en 64 KB como máximo.", "Cancelacion", &examples),
        "responses": responses,
    })
}

/// `GET /vuelos/reserva`.
pub(crate) fn listar() -> Value {
    let example = json!({"reservas": [resumen()], "siguiente": null});
    let responses = found(
        answer(
            "Una página de reservas.",
            &schema("Lista"),
            &[("una", example)],
        ),
        &[("400", "ConsultaInvalida"), ("404", "NoExiste")],
    );
    let [limite, siguiente] = page();
    let states = EstadoReserva::ALL.map(EstadoReserva::name);
    json!({
        "operationId": "listarReservas",
        "tags": ["reservas"],
        "summary": "Listar reservas",
        "description":
            "Un resumen de cada una, de la más reciente a la más antigua; `/vuelos/reserva/{id}` la muestra entera. Los filtros se usan solos o juntos. Una reserva recién creada aparece \
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
                "description": "Solo las de este cliente. Para un cliente, las de otro no existen: 404.",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
            },
            limite,
            siguiente,
        ],
        "responses": responses,
    })
}

/// `GET /vuelos/reserva/{id}`.
pub(crate) fn ver() -> Value {
    let examples = [("vista", reserva("vista")), ("comando", reserva("comando"))];
    let responses = found(
        answer("La reserva.", &schema("ReservaDto"), &examples),
        &[("404", "NoExiste")],
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

/// `GET /vuelos/reserva/{id}/eventos`.
pub(crate) fn ver_eventos() -> Value {
    let sample =
        include_str!("../../../../shared/airline/events/samples/vuelos/ReservaAprobada.v1.json");
    let event: Value = serde_json::from_str(sample).unwrap();
    let old =
        include_str!("../../../../shared/airline/events/samples/vuelos/ReservaCreada.v1.json");
    let old: Value = serde_json::from_str(old).unwrap();
    let responses = found(
        answer(
            "Los eventos.",
            &schema("Eventos"),
            &[
                ("uno", json!({"eventos": [event]})),
                ("tutoriales", json!({"eventos": [old]})),
            ],
        ),
        &[("404", "NoExiste")],
    );
    json!({
        "operationId": "verEventos",
        "tags": ["reservas"],
        "summary": "Ver los eventos de una reserva",
        "description": "Todo lo que pasó con la reserva, tal como quedó registrado. Un evento del código de los tutoriales se muestra en el \
                        sobre de ese código.",
        "responses": responses,
    })
}

/// The parameter with the id of a reservation.
pub(crate) fn id() -> Value {
    id_in_path("El `id_reserva` que respondió la creación.", "IdReserva")
}

fn resumen() -> Value {
    let mut resumen = reserva("vista");
    let fields = resumen.as_object_mut().unwrap();
    for left_out in ["itinerarios", "pasajeros", "pago", "origen"] {
        fields.remove(left_out);
    }
    resumen["viaje"] = json!({
        "origen": "BOG", "destino": "JFK", "numero_legs": 1,
        "fecha_salida": "2022-11-22T13:10:00Z", "fecha_llegada": "2022-11-22T15:10:00Z",
    });
    resumen["numero_pasajeros"] = 1.into();
    resumen["importe"] = json!({"monto": "479.56", "monto_vat": "91.12", "moneda": "USD"});
    resumen
}

fn reserva(origen: &str) -> Value {
    let sample = crear_reserva::parse(&sample()).unwrap();
    json!({
        "id_reserva": ID,
        "id_cliente": null,
        "id_correlacion": CORRELATION,
        "estado": "Pendiente",
        "fecha_creacion": "2026-01-31T10:00:00.000Z",
        "fecha_actualizacion": "2026-01-31T10:00:00.000Z",
        "itinerarios": sample.itinerarios,
        "pago": tarifa::price(&sample.itinerarios, 1).paid_with(tarifa::MEDIO),
        "pasajeros": [{}],
        "origen": origen,
    })
}
