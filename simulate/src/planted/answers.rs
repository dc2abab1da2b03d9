//! Planted mistakes in the API's answers.

use events::vuelos::EstadoReserva;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use simulation::Answer;

use super::{Planted, Seed};

/// The parts of a request that decide whether a mistake applies.
pub(super) struct Asked {
    method: String,
    path: String,
}

/// The body of an answer with events.
#[derive(Serialize, Deserialize)]
struct Told {
    eventos: Vec<Box<RawValue>>,
}

impl Asked {
    /// Parses a request; `None` if the payload is no request.
    pub(super) fn of(payload: &Value) -> Option<Self> {
        let http = payload.get("requestContext")?.get("http")?;
        let text = |name| http.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            method: text("method")?,
            path: text("path")?,
        })
    }

    fn is(&self, method: &str, begins: &str, ends: &str) -> bool {
        self.method == method && self.path.starts_with(begins) && self.path.ends_with(ends)
    }
}

/// Changes the request as the mistake does.
pub(super) fn request(planted: Planted, asked: &Asked, payload: &mut Value) {
    if planted == Planted::LaxFilters
        && asked.is("GET", "/vuelos/reserva", "reserva")
        && let Some(Value::String(query)) = payload.get_mut("rawQueryString")
    {
        let kept = query.split('&').filter(|one| !one.starts_with("estado="));
        *query = kept.collect::<Vec<_>>().join("&");
    }
}

/// The answer as the mistake changes it.
pub(super) fn answer(seed: &Seed, asked: &Asked, answer: Answer) -> Answer {
    let mut whole: Value = match answer.as_deref().map(serde_json::from_slice) {
        Ok(Ok(whole)) => whole,
        _ => return answer,
    };
    let status = whole.get("status").and_then(Value::as_u64).unwrap_or(0);
    let text = whole.get("body").and_then(Value::as_str);
    let text = text.unwrap_or_default().to_owned();
    let Some((status, text)) = changed(seed, asked, status, &text) else {
        return answer;
    };
    if let Some(whole) = whole.as_object_mut() {
        whole.insert("status".into(), json!(status));
        whole.insert("body".into(), json!(text));
    }
    Ok(whole.to_string().into_bytes())
}

/// The changed status and body, where the mistake applies.
fn changed(seed: &Seed, asked: &Asked, status: u64, text: &str) -> Option<(u64, String)> {
    let (is_read, is_saga) = (asked.is("GET", "", ""), asked.is("GET", "/sagas/", ""));
    let mut body: Value = serde_json::from_str(text).ok()?;
    match seed.what {
        Planted::LaxCursors if is_read && body.get("siguiente")?.is_string() => {
            let mut names = ["reservas", "sagas"].into_iter();
            let name = names.find(|name| body.get(name).is_some())?;
            body.get_mut(name)?.as_array_mut()?.pop();
        }
        Planted::LostSagas
            if asked.is("GET", "/sagas", "sagas") && body.get("siguiente")?.is_null() =>
        {
            body.get_mut("sagas")?.as_array_mut()?.pop()?;
        }
        Planted::DoubleCounts if asked.is("GET", "/vuelos/reportes/", "") => {
            let row = body.get_mut("filas")?.as_array_mut()?.last_mut()?;
            for column in ["total", EstadoReserva::Aprobada.name()] {
                if let Some(number) = row.get_mut(column) {
                    *number = json!(number.as_u64()? + 1);
                }
            }
        }
        Planted::HastyRows if is_read => {
            let mut rows = body.get_mut("reservas")?.as_array_mut()?.iter_mut();
            let estado = rows.find_map(|row| {
                let estado = row.get_mut("estado")?;
                (estado == EstadoReserva::Pendiente.name()).then_some(estado)
            })?;
            *estado = json!(EstadoReserva::Aprobada.name());
        }
        Planted::ShortenedLogs if is_saga && seed.often() => {
            let log = body.get_mut("log")?.as_array_mut()?;
            if log.is_empty() {
                return None;
            }
            log.remove(0);
        }
        Planted::RevivedSagas if is_saga && seed.often() => {
            let estado = body.get_mut("estado")?;
            if estado != "Compensada" {
                return None;
            }
            *estado = json!("Compensando");
        }
        Planted::UnbegunSagas if is_saga && body.get("origen")? == "comando" => {
            let problem = json!({"status": 404, "type": "urn:aeroalpes:problema:no-existe"});
            return Some((404, problem.to_string()));
        }
        Planted::ForgottenSagas if is_saga && body.get("origen")? == "vista" && seed.often() => {
            let saga = body.as_object_mut()?;
            saga.insert("origen".into(), json!("comando"));
            saga.insert("estado".into(), json!("EnCurso"));
            saga.insert("log".into(), json!([]));
        }
        Planted::LostEvents if asked.is("GET", "", "/eventos") && seed.now_and_then() => {
            let mut told: Told = serde_json::from_str(text).ok()?;
            told.eventos.pop();
            return Some((status, serde_json::to_string(&told).ok()?));
        }
        Planted::UnreadForms if asked.is("GET", "", "/eventos") => {
            let events = body.get("eventos")?.as_array()?;
            let is_old = |event: &Value| event.get("time").is_some_and(Value::is_number);
            let any_is_old = events.iter().any(is_old);
            return any_is_old.then(|| (500, "{}".to_owned()));
        }
        Planted::FalseRefusals if asked.is("POST", "", "/cancelacion") && seed.now_and_then() => {
            let refusal = json!({"status": 409, "detail": "La reserva ya está cancelada"});
            return Some((409, refusal.to_string()));
        }
        Planted::NeedlessConflicts
            if asked.is("POST", "/vuelos/reserva", "/reserva") && seed.now_and_then() =>
        {
            let refusal = json!({"status": 409, "type": "urn:aeroalpes:problema:conflicto"});
            return Some((409, refusal.to_string()));
        }
        Planted::WrongReasons if asked.is("POST", "", "/reanudacion") && status == 409 => {
            *body.get_mut("detail")? =
                json!("La saga está en Compensando; no requiere intervención");
        }
        _ => return None,
    }
    Some((status, body.to_string()))
}
