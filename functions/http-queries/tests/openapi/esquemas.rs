//! The schemas of what is sent and received: their form from the types, their words, in Spanish, from here.

use std::collections::BTreeSet;

use events::{Event, Problem, vuelos::CrearReserva};
use http_queries::{Lista, ReservaDto};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use vuelos::crear_reserva::{MAX_LEGS, MAX_LIST, MAX_NOMBRE, MAX_OPENING_EVENT, MAX_TOKEN};

/// What each schema and each of its fields is.
const TEXTOS: &[(&str, &str)] = &[
    ("Aeropuerto", "Un aeropuerto."),
    ("Aeropuerto.codigo", "Código IATA: tres letras mayúsculas."),
    (
        "Aeropuerto.nombre",
        "Nombre, de 200 caracteres como máximo. No se compara con nada.",
    ),
    (
        "CrearReserva",
        "Lo que se reserva. Los campos que no están aquí se rechazan. El evento que resulta ocupa 32 KB como máximo.",
    ),
    (
        "CrearReserva.id_cliente",
        "El cliente: de 1 a 64 letras, dígitos, «.», «_» o «-». Sirve de filtro en las consultas.",
    ),
    (
        "CrearReserva.itinerarios",
        "De 1 a 10 itinerarios, con 50 legs en total como máximo.",
    ),
    (
        "CrearReserva.pago",
        "Precio y medio de pago. Sin él, la tarifa se calcula por la distancia y se paga con `tok_visa`.",
    ),
    (
        "CrearReserva.saga",
        "Cómo avanza la reserva. Sin él, `orquestacion`.",
    ),
    ("EstadoReserva", "Estado de una reserva."),
    (
        "Event",
        "Un evento, tal como quedó registrado: CloudEvents 1.0 en JSON.",
    ),
    ("Event.causationid", "El comando o el evento que lo causó."),
    ("Event.correlationid", "La saga a la que pertenece."),
    (
        "Event.data",
        "Los datos, en la versión que dice `dataschema`.",
    ),
    ("Event.datacontenttype", "Siempre `application/json`."),
    (
        "Event.dataschema",
        "Contexto, tipo y versión de `data`, por ejemplo `urn:aeroalpes:esquema:vuelos:ReservaCreada:v2`.",
    ),
    ("Event.id", "Identifica el evento."),
    ("Event.sagamode", "Cómo avanza esa saga."),
    (
        "Event.source",
        "El contexto de donde viene, por ejemplo `/aeroalpes/vuelos`.",
    ),
    (
        "Event.specversion",
        "Versión de CloudEvents, siempre `1.0`.",
    ),
    ("Event.stream", "El flujo al que pertenece."),
    (
        "Event.streamversion",
        "Su lugar en ese flujo, desde 1 y sin huecos.",
    ),
    ("Event.subject", "La reserva."),
    ("Event.time", "Cuándo se registró."),
    (
        "Event.traceparent",
        "Traza de quien hizo la solicitud (W3C Trace Context).",
    ),
    ("Event.type", "Qué pasó, por ejemplo `ReservaCreada`."),
    ("EventId", "UUID de un evento."),
    ("Eventos", "Los eventos de una reserva."),
    (
        "Eventos.eventos",
        "Los eventos de todos sus flujos, por fecha y luego por versión.",
    ),
    (
        "IdCorrelacion",
        "UUID que reúne todo lo que pasa por una reserva; también identifica su saga. Lo asigna el servidor.",
    ),
    ("IdReserva", "UUID de una reserva. Lo asigna el servidor."),
    ("Itinerario", "Un viaje."),
    (
        "Itinerario.odos",
        "De 1 a 10 direcciones del viaje, por ejemplo la ida y la vuelta.",
    ),
    ("Leg", "Un vuelo, de un despegue al siguiente aterrizaje."),
    (
        "Leg.destino",
        "Adónde llega: otro aeropuerto que el de origen.",
    ),
    (
        "Leg.fecha_llegada",
        "Cuándo llega: después de la salida. RFC 3339 con zona.",
    ),
    (
        "Leg.fecha_salida",
        "Cuándo sale: no antes de que llegue el leg anterior. RFC 3339 con zona, entre los años 1900 y 2200.",
    ),
    (
        "Leg.origen",
        "De dónde sale: de donde llegó el leg anterior.",
    ),
    (
        "Lista",
        "Una página de reservas, de la más reciente a la más antigua.",
    ),
    ("Lista.reservas", "Las reservas."),
    (
        "Lista.siguiente",
        "Dónde sigue la lista: el valor del parámetro `siguiente` de la próxima consulta. Nulo al final.",
    ),
    ("Moment", "Un instante en UTC, con tres decimales."),
    ("Monto", "Un decimal, como texto."),
    ("Odo", "Una dirección del viaje, de su origen a su destino."),
    (
        "Odo.segmentos",
        "De 1 a 10 segmentos. Cada uno sale de donde llegó el anterior.",
    ),
    (
        "Origen",
        "De dónde viene una respuesta: `vista`, o `comando` si la vista aún no conoce la reserva.",
    ),
    ("Pago", "Cuánto cuesta una reserva y cómo se paga."),
    (
        "Pago.medio",
        "Token del medio de pago, por ejemplo `tok_visa`: de 1 a 64 letras minúsculas, dígitos o «_».",
    ),
    ("Pago.moneda", "Código ISO 4217 de la moneda."),
    (
        "Pago.monto",
        "La tarifa sin impuesto: mayor que cero, con los decimales de la moneda como máximo.",
    ),
    ("Pago.monto_vat", "El impuesto."),
    ("Problem", "Por qué se rechazó la solicitud (RFC 9457)."),
    ("Problem.detail", "Qué pasó esta vez."),
    ("Problem.errores", "Cada campo con error."),
    ("Problem.status", "El estado HTTP."),
    (
        "Problem.title",
        "El mismo para todos los problemas de esta clase.",
    ),
    (
        "Problem.type",
        "La clase de problema: una URI que no cambia.",
    ),
    ("ReservaAceptada", "La reserva que se aceptó."),
    ("ReservaAceptada.estado", "Siempre `Pendiente`."),
    ("ReservaAceptada.id_correlacion", "Su saga."),
    ("ReservaAceptada.id_reserva", "La reserva."),
    ("ReservaDto", "Una reserva."),
    ("ReservaDto.estado", "Su estado."),
    (
        "ReservaDto.fecha_actualizacion",
        "Cuándo cambió por última vez.",
    ),
    ("ReservaDto.fecha_creacion", "Cuándo se creó."),
    ("ReservaDto.id_cliente", "El cliente, si se dijo."),
    ("ReservaDto.id_correlacion", "Su saga."),
    ("ReservaDto.id_reserva", "La reserva."),
    ("ReservaDto.itinerarios", "El viaje."),
    ("ReservaDto.origen", "De dónde viene esta respuesta."),
    (
        "ReservaDto.pago",
        "Precio y medio de pago; nulo en reservas muy antiguas que no lo decían.",
    ),
    (
        "SagaMode",
        "Cómo avanza una reserva: `orquestacion`, con un coordinador que envía comandos, o `coreografia`, en la que cada \
         contexto reacciona a los eventos de los demás.",
    ),
    ("Salud", "El servicio responde."),
    ("Salud.estado", "Siempre `ok`."),
    ("Segmento", "Uno o más vuelos con un mismo cupón."),
    (
        "Segmento.legs",
        "De 1 a 10 legs. Cada uno sale de donde llegó el anterior.",
    ),
    (
        "StreamId",
        "Lo que un contexto sabe de una reserva: `reserva-`, `pago-` o `gds-`, y el UUID de la reserva.",
    ),
    ("Violation", "Un campo con error."),
    (
        "Violation.campo",
        "Dónde, por ejemplo `itinerarios[0].odos[1].segmentos[0].legs[0].origen.codigo`; un parámetro o encabezado por su \
         nombre; `cuerpo` para el cuerpo entero.",
    ),
    ("Violation.detalle", "La regla en palabras."),
    (
        "Violation.regla",
        "La regla que incumple: una palabra que no cambia.",
    ),
];

/// Every schema, by name.
pub(crate) fn esquemas() -> Value {
    let limits = [MAX_LIST, MAX_LEGS, MAX_TOKEN, MAX_NOMBRE, MAX_OPENING_EVENT];
    let told = [10, 50, 64, 200, 32 * 1024];
    assert_eq!(limits, told, "TEXTOS tells other limits");

    let settings = || {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
    };
    let mut received = settings().for_deserialize().into_generator();
    received.subschema_for::<CrearReserva>();
    let mut sent = settings().for_serialize().into_generator();
    sent.subschema_for::<ReservaDto>();
    sent.subschema_for::<Lista>();
    sent.subschema_for::<Event>();
    sent.subschema_for::<Problem>();

    let mut esquemas = Map::new();
    let of_types = received.take_definitions(true).into_iter();
    for (name, mut schema) in of_types.chain(sent.take_definitions(true)) {
        strip(&mut schema);
        if let Some(other) = esquemas.insert(name.clone(), schema.clone()) {
            assert_eq!(
                other, schema,
                "{name} is received in another form than sent"
            );
        }
    }
    esquemas.extend(made_by_hand());

    let request = &mut esquemas["CrearReserva"];
    request["additionalProperties"] = false.into();
    let properties = &mut request["properties"];
    properties["itinerarios"]["minItems"] = 1.into();
    properties["itinerarios"]["maxItems"] = MAX_LIST.into();
    properties["id_cliente"]["pattern"] = "^[A-Za-z0-9._-]{1,64}$".into();

    describe(&mut esquemas);
    esquemas.into()
}

/// What the functions answer with that is no type of its own.
fn made_by_hand() -> Map<String, Value> {
    let object = |properties: Value| {
        let names: Vec<_> = properties.as_object().unwrap().keys().cloned().collect();
        json!({"type": "object", "required": names, "properties": properties})
    };
    let of = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let accepted = json!({
        "id_reserva": of("IdReserva"), "id_correlacion": of("IdCorrelacion"), "estado": of("EstadoReserva"),
    });
    let events = json!({"eventos": {"type": "array", "items": of("Event")}});
    Map::from_iter([
        ("ReservaAceptada".to_owned(), object(accepted)),
        ("Eventos".to_owned(), object(events)),
        (
            "Salud".to_owned(),
            object(json!({"estado": {"type": "string", "const": "ok"}})),
        ),
    ])
}

/// Takes the words of the types out, which are for developers, and writes a choice of words as an enum.
fn strip(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let described = object.get("description").is_some_and(Value::is_string);
            if described {
                object.remove("description");
            }
            if let Some(choices) = object.get("oneOf").and_then(Value::as_array)
                && let Some(words) = choices
                    .iter()
                    .map(|choice| choice.get("const").cloned())
                    .collect::<Option<Vec<_>>>()
            {
                object.remove("oneOf");
                object.insert("type".into(), "string".into());
                object.insert("enum".into(), words.into());
            }
            object.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Puts the words of [`TEXTOS`] in: for everything there is one, and for every one there is something.
fn describe(esquemas: &mut Map<String, Value>) {
    let mut unused: BTreeSet<_> = TEXTOS.iter().map(|(place, _)| *place).collect();
    let mut describe = |place: &str, schema: &mut Value| {
        let found = TEXTOS.iter().find(|(known, _)| *known == place);
        let (place, text) =
            found.unwrap_or_else(|| panic!("esquemas.rs does not say what {place} is"));
        unused.remove(place);
        match schema {
            Value::Object(object) => object.insert("description".into(), (*text).into()),
            // The schema that takes anything.
            other => std::mem::replace(other, json!({"description": text})).into(),
        };
    };
    for (name, schema) in esquemas.iter_mut() {
        describe(name, schema);
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (field, schema) in properties.into_iter().flatten() {
            describe(&format!("{name}.{field}"), schema);
        }
    }
    assert!(unused.is_empty(), "there is no {unused:?}");
}
