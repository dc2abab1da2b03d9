//! `POST /vuelos/reserva`.

use event_store::Handled;
use events::{
    Command, CommandId, Event, IdCorrelacion, Problem, Violation, kinds, vuelos::CrearReserva,
};
use lambda_http::{
    Body, Request, Response,
    http::{HeaderValue, StatusCode, header},
};
use lambda_kit::http;
use serde_json::{Value, json};
use vuelos::{CREAR_RESERVA, Vuelos, crear_reserva};

use crate::{App, idempotency};

/// Names the operation in the identity of its commands.
const OPERATION: &str = "POST /vuelos/reserva";
/// Larger than any body whose event keeps to its own limit of 32 KB.
const MAX_BODY: usize = 64 * 1024;

impl App {
    pub(crate) async fn crear_reserva(&self, request: &Request) -> Response<Body> {
        let (key, mut data) = match parse(request) {
            Ok(parsed) => parsed,
            Err(problem) => return http::problem(&problem),
        };
        let id = match key {
            Some(key) => idempotency::command_id(OPERATION, key),
            None => CommandId(self.world.ids.fresh()),
        };
        // Left out or written out, the default is the same request.
        let sagamode = *data.saga.get_or_insert_default();
        let command = Command {
            id,
            kind: CREAR_RESERVA.to_owned(),
            subject: idempotency::reservation_of(id),
            correlationid: IdCorrelacion(self.world.ids.fresh()),
            causationid: None,
            prueba: false,
            sagamode,
            traceparent: traceparent(request),
            data: serde_json::to_value(data).unwrap_or_default(),
        };
        match self.store.handle(&Vuelos, &command).await {
            Ok(Handled::Committed { events, appended }) => {
                if !appended {
                    tracing::warn!(reserva = %command.subject, "committed, to be published by the sweeper");
                }
                // A repetition answers with what the first one made, its correlation id included.
                events
                    .first()
                    .map_or_else(|| http::problem(&Problem::of(kinds::INTERNAL)), accepted)
            }
            Ok(Handled::Rejected(problem)) => http::problem(&problem),
            Err(error) => http::failed(&error),
        }
    }
}

fn accepted(event: &Event) -> Response<Body> {
    let body = json!({
        "id_reserva": event.subject,
        "id_correlacion": event.correlationid,
        "estado": event.data.get("estado"),
    });
    let mut response = http::json(StatusCode::ACCEPTED, &body);
    // Relative to the URL of the request, so that it holds under every stage, domain and proxy.
    let location = format!("reserva/{}", event.subject);
    let headers = [
        (header::LOCATION.as_str(), location),
        (http::CORRELATION_HEADER, event.correlationid.to_string()),
    ];
    for (name, text) in headers {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn parse(request: &Request) -> Result<(Option<&str>, CrearReserva), Problem> {
    let invalid = |errores| Problem::of(kinds::INVALID).at(errores);
    let whole = |rule, text: &str| invalid(vec![Violation::new("cuerpo", rule, text)]);
    if let Some(media) = http::header_text(request, header::CONTENT_TYPE.as_str())
        && !is_json(media)
    {
        let errores = vec![Violation::new(
            "Content-Type",
            "formato",
            "Debe ser application/json",
        )];
        return Err(Problem::of(kinds::MEDIA_TYPE).at(errores));
    }
    let body = http::body(request);
    if body.len() > MAX_BODY {
        let rule = format!("El cuerpo tiene a lo sumo {MAX_BODY} bytes");
        return Err(
            Problem::of(kinds::TOO_LARGE).at(vec![Violation::new("cuerpo", "tamano", rule)])
        );
    }
    let text =
        std::str::from_utf8(&body).map_err(|_| whole("utf-8", "El cuerpo debe ser texto UTF-8"))?;
    // A gateway that takes bodies as text has put this character in the place of what was not UTF-8.
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(whole(
            "utf-8",
            "El cuerpo debe ser texto UTF-8, sin el carácter U+FFFD",
        ));
    }
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let place = format!(
            "El cuerpo debe ser JSON: línea {}, columna {}",
            error.line(),
            error.column()
        );
        whole("json", &place)
    })?;
    let (key, data) = (idempotency::key(request), crear_reserva::parse(&value));
    match (key, data) {
        (Ok(key), Ok(data)) => Ok((key, data)),
        (key, data) => {
            let errores = key.err().into_iter().chain(data.err().unwrap_or_default());
            Err(invalid(errores.collect()))
        }
    }
}

fn is_json(media: &str) -> bool {
    let essence = media
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The caller's trace, if it is one (W3C Trace Context, version 00). Another is left out, not refused: it is not part of
/// what is asked.
fn traceparent(request: &Request) -> Option<String> {
    let text = http::header_text(request, "traceparent")?;
    let hex = |part: &str, length| {
        part.len() == length
            && part
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let id = |part: &str, length| hex(part, length) && part.bytes().any(|byte| byte != b'0');
    let parts: Vec<_> = text.split('-').collect();
    match parts.as_slice() {
        ["00", trace, parent, flags] if id(trace, 32) && id(parent, 16) && hex(flags, 2) => {
            Some(text.to_owned())
        }
        _ => None,
    }
}
