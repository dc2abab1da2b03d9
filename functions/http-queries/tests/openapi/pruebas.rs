//! The test endpoints.

use events::{COMMANDS, CONTEXTS};
use serde_json::{Value, json};

use crate::documento::{CORRELATION, ID, accepted, answer, body, key, schema, taken, trace};

/// `POST /pruebas/fallas`.
pub(crate) fn fallas() -> Value {
    let falla =
        json!({"contexto": "pagos", "comando": "PagarReserva", "modo": "silencio", "veces": 2});
    json!({
        "operationId": "fallas",
        "tags": ["pruebas"],
        "summary": "Hacer que un participante falle",
        "description":
            "Los próximos `veces` comandos de ese tipo no se atienden: `silencio` calla y al final da un error, `error` lo \
             da enseguida, y `falla` es el evento de fracaso del comando o, si no tiene, un rechazo. Con `id_reserva`, solo \
             los de esa reserva, que van antes que los de todas; con `clave`, los de la reserva que quien llama hará con esa clave de \
             idempotencia, y la respuesta dice su `id_reserva`. Reemplaza lo que hubiera para lo mismo; con `veces` en 0 lo \
             quita.",
        "requestBody": body(true, "La falla.", "Falla", &json!({"silencio": falla})),
        "responses": responses(
            &[],
            answer("Quedó puesta.", &schema("Falla"), &[("puesta", falla)]),
        ),
    })
}

/// `POST /pruebas/inventario`.
pub(crate) fn inventario() -> Value {
    let vuelo = json!({"origen": "BOG", "destino": "JFK", "fecha_salida": "2022-11-24T13:10:00Z"});
    let (mut asked, mut told) = (vuelo.clone(), vuelo);
    asked["sillas"] = 1.into();
    told["capacidad"] = 180.into();
    told["libres"] = 1.into();
    told["reservadas"] = 0.into();
    json!({
        "operationId": "inventario",
        "tags": ["pruebas"],
        "summary": "Decir cuántas sillas quedan en un vuelo",
        "description": "Las que ya tienen las reservas siguen siendo suyas.",
        "requestBody": body(true, "El vuelo y sus sillas libres.", "Inventario", &json!({"una": asked})),
        "responses": responses(
            &[],
            answer("Cómo quedó el vuelo.", &schema("InventarioVuelo"), &[("una", told)]),
        ),
    })
}

/// `/pruebas/{contexto}/{comando}`.
pub(crate) fn comando() -> Value {
    let data =
        json!({"monto": "100.00", "monto_vat": "19.00", "moneda": "USD", "medio": "tok_visa"});
    let sample =
        include_str!("../../../../shared/airline/events/samples/pagos/ReservaPagada.v1.json");
    let example = json!({"resultado": "eventos", "eventos": [of_a_test(sample)]});
    let commands: Vec<_> = COMMANDS.iter().map(|known| known.name).collect();
    let description = "El participante lo cumplió: sus eventos, que ya están registrados.";
    json!({
        "parameters": [contexto(), named("comando", "El comando: uno de los de ese contexto.", &commands, "PagarReserva")],
        "post": {
            "operationId": "probarComando",
            "tags": ["pruebas"],
            "summary": "Enviar un comando a su participante",
            "description":
                "Los eventos que resultan llevan `prueba`. Un rechazo del participante se responde como el problema que es, \
                 con los campos debajo de `data`. `CrearReserva` asigna `id_reserva` si no se dice. Si la reserva ya \
                 tiene eventos, el comando es de su saga; si no, de la de `id_correlacion`, o de la que tiene el mismo id que la reserva.",
            "parameters": [
                key("Clave que el cliente elige para este comando. Con ella, repetir la solicitud no tiene otro efecto."),
                trace(),
            ],
            "requestBody": body(
                true,
                "La reserva y los datos del comando, en 64 KB como máximo.",
                "PruebaComando",
                &json!({"pagar": {"id_reserva": ID, "data": data}}),
            ),
            "responses": responses(
                &["404", "409", "422"],
                accepted(description, "ComandoCumplido", &example),
            ),
        },
    })
}

/// `/pruebas/{contexto}/eventos/{evento}`.
pub(crate) fn evento() -> Value {
    let sample =
        include_str!("../../../../shared/airline/events/samples/pagos/PagoFallido.v1.json");
    let catalogue = events::catalogue();
    let events: Vec<_> = catalogue.types().map(|known| known.name).collect();
    json!({
        "parameters": [contexto(), named("evento", "El evento: uno de los de ese contexto.", &events, "PagoFallido")],
        "post": {
            "operationId": "probarEvento",
            "tags": ["pruebas"],
            "summary": "Registrar un evento",
            "description":
                "Queda en su flujo tal como se dice, sin que nadie lo decida: no se cobra, no se devuelve y no se toman \
                 sillas. Lleva `prueba`. Sus datos deben cumplir su esquema; `id_reserva` y las fechas se llenan si no se \
                 dicen.",
            "parameters": [
                key("Clave que el cliente elige para este evento. Con ella, repetir la solicitud no registra otro."),
                trace(),
            ],
            "requestBody": body(
                true,
                "La reserva y los datos del evento, en 64 KB como máximo.",
                "PruebaEvento",
                &json!({"fallido": {
                    "id_reserva": ID,
                    "id_correlacion": CORRELATION,
                    "data": {"motivo": "fondos insuficientes"},
                }}),
            ),
            "responses": responses(
                &["404", "409", "422"],
                accepted("El evento, como quedó registrado.", "Event", &of_a_test(sample)),
            ),
        },
    })
}

/// The responses of a test endpoint: the 202 answer, these refusals, and the refusals of every test endpoint.
fn responses(more: &[&str], accepted: Value) -> Value {
    let others = [
        ("404", "NoExiste"),
        ("409", "Conflicto"),
        ("422", "ClaveReutilizada"),
    ];
    let others: Vec<_> = others
        .into_iter()
        .filter(|(status, _)| more.contains(status))
        .collect();
    taken(accepted, &others)
}

fn of_a_test(sample: &str) -> Value {
    let mut event: Value = serde_json::from_str(sample).unwrap();
    event["prueba"] = true.into();
    event
}

fn contexto() -> Value {
    let contexts = CONTEXTS.map(|context| context.name);
    named("contexto", "El contexto.", &contexts, "pagos")
}

/// A parameter in the path that is one of these names.
fn named(name: &str, description: &str, names: &[&str], example: &str) -> Value {
    json!({
        "name": name,
        "in": "path",
        "required": true,
        "description": description,
        "schema": {"type": "string", "enum": names},
        "example": example,
    })
}
