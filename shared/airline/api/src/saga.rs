//! The API's Spanish words for sagas. The engine stores and logs English words.

use alpes_messages::Moment;
use alpes_saga::{Direction, Entry, Heard, Meaning, SagaMode, Status, StepNumber, Via, What};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

/// The values of `tipo`, one for each kind of entry of a saga's log.
pub const TIPOS: [&str; 16] = [
    "Inicio",
    "ComandoEnviado",
    "EventoRecibido",
    "SinRespuesta",
    "ComandoRechazado",
    "ComandoImposible",
    "TiempoAgotado",
    "EjecucionIniciada",
    "CancelacionPedida",
    "CompensacionEnviada",
    "RequiereIntervencion",
    "Reanudada",
    "PasoMarcado",
    "Relevo",
    "Retraso",
    "Fin",
];

/// The word for a saga's status.
#[must_use]
pub const fn estado(status: Status) -> &'static str {
    match status {
        Status::Running => "EnCurso",
        Status::Compensating => "Compensando",
        Status::Completed => "Completada",
        Status::Compensated => "Compensada",
        Status::NeedsIntervention => "RequiereIntervencion",
    }
}

/// The status with this Spanish name; `None` if no status has this name.
#[must_use]
pub fn status(name: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|one| estado(*one) == name)
}

/// The word for a command's direction: forward, or undoing.
#[must_use]
pub const fn direccion(direction: Direction) -> &'static str {
    match direction {
        Direction::Do => "hacer",
        Direction::Undo => "deshacer",
    }
}

/// The word for an event's meaning to the saga that received it.
#[must_use]
pub const fn sentido(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::Success => "exito",
        Meaning::Failure => "fallo",
        Meaning::Doubt => "duda",
        Meaning::Reversal => "reversion",
        Meaning::Note => "nota",
    }
}

/// The word for the way by which the saga received an event: from the log, or in a participant's reply.
#[must_use]
pub const fn via(via: Via) -> &'static str {
    match via {
        Via::Answer => "respuesta",
        Via::Stream => "flujo",
    }
}

/// The `tipo` of an entry of a saga's log: one of [`TIPOS`].
#[must_use]
pub const fn tipo(what: &What) -> &'static str {
    match what {
        What::Started { .. } => "Inicio",
        What::CommandSent { .. } => "ComandoEnviado",
        What::EventReceived { .. } => "EventoRecibido",
        What::NoAnswer { .. } => "SinRespuesta",
        What::CommandRejected { .. } => "ComandoRechazado",
        What::CommandImpossible { .. } => "ComandoImposible",
        What::TimedOut { .. } => "TiempoAgotado",
        What::ExecutionStarted { .. } => "EjecucionIniciada",
        What::CancellationRequested { .. } => "CancelacionPedida",
        What::CompensationSent { .. } => "CompensacionEnviada",
        What::NeedsIntervention { .. } => "RequiereIntervencion",
        What::Resumed { .. } => "Reanudada",
        What::StepMarked { .. } => "PasoMarcado",
        What::TakenOver {} => "Relevo",
        What::Delayed {} => "Retraso",
        What::Ended { .. } => "Fin",
    }
}

/// An entry of a saga's log as the API shows it. The `tipo` of an entry decides which fields it has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Linea<'a> {
    cuando: Moment,
    tipo: &'static str,
    /// The person who asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(flatten)]
    campos: Campos<'a>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    oido: Option<Oido<'a>>,
}

/// The fields of an entry besides its time, its type and its event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Campos<'a> {
    Inicio {
        definicion: &'a str,
        version: u32,
        asunto: Uuid,
        #[serde(skip_serializing_if = "Option::is_none")]
        modo: Option<SagaMode>,
        #[serde(skip_serializing_if = "Option::is_none")]
        traza: Option<&'a str>,
    },
    Enviado {
        paso: StepNumber,
        comando: &'a str,
        id_comando: Uuid,
    },
    Recibido {
        #[serde(skip_serializing_if = "Option::is_none")]
        paso: Option<StepNumber>,
        sentido: &'static str,
        via: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        intentos: Option<u32>,
    },
    Rechazado {
        paso: StepNumber,
        problema: &'a str,
        en_duda: bool,
    },
    Problema {
        paso: StepNumber,
        problema: &'a str,
    },
    SinRespuesta {
        paso: StepNumber,
        direccion: &'static str,
        intento: u32,
        enviado: Moment,
        #[serde(skip_serializing_if = "Option::is_none")]
        problema: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        proximo: Option<Moment>,
    },
    Agotado {
        paso: StepNumber,
        direccion: &'static str,
        intentos: u32,
    },
    Ejecucion {
        direccion: &'static str,
        nombre: &'a str,
    },
    Cancelacion {
        motivo: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        sin_enviar: Option<StepNumber>,
    },
    Reanudada {
        #[serde(skip_serializing_if = "Option::is_none")]
        nota: Option<&'a str>,
    },
    Marcado {
        paso: StepNumber,
        nota: &'a str,
    },
    Fin {
        estado: &'static str,
    },
    Nada {},
}

/// The event that an entry names.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Oido<'a> {
    evento: &'a str,
    id_evento: Uuid,
    stream: &'a str,
    streamversion: u32,
    fecha_evento: Moment,
    #[serde(skip_serializing_if = "Option::is_none")]
    datos: Option<&'a Value>,
}

impl<'a> From<&'a Heard> for Oido<'a> {
    fn from(heard: &'a Heard) -> Self {
        let has_fields = heard.data.as_object().is_some_and(|data| !data.is_empty());
        Self {
            evento: &heard.kind,
            id_evento: heard.id,
            stream: &heard.stream,
            streamversion: heard.version,
            fecha_evento: heard.time.into(),
            datos: has_fields.then_some(&heard.data),
        }
    }
}

impl<'a> From<&'a Entry> for Linea<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            cuando: entry.when.into(),
            tipo: tipo(&entry.what),
            actor: entry.actor.as_deref(),
            campos: Campos::from(&entry.what),
            oido: entry.heard().map(Oido::from),
        }
    }
}

impl<'a> From<&'a What> for Campos<'a> {
    fn from(what: &'a What) -> Self {
        match what {
            What::Started {
                definition,
                version,
                subject,
                mode,
                trace,
                event: _,
            } => Self::Inicio {
                definicion: definition,
                version: *version,
                asunto: *subject,
                modo: Some(*mode).filter(|mode| *mode != SagaMode::Orchestration),
                traza: trace.as_deref(),
            },
            What::CommandSent {
                step,
                command,
                command_id,
            }
            | What::CompensationSent {
                step,
                command,
                command_id,
            } => Self::Enviado {
                paso: *step,
                comando: command,
                id_comando: *command_id,
            },
            What::EventReceived {
                step,
                meaning,
                via: came,
                attempts,
                event: _,
            } => Self::Recibido {
                paso: *step,
                sentido: sentido(*meaning),
                via: via(*came),
                intentos: *attempts,
            },
            What::CommandRejected {
                step,
                problem,
                in_doubt,
            } => Self::Rechazado {
                paso: *step,
                problema: problem,
                en_duda: *in_doubt,
            },
            What::CommandImpossible { step, problem }
            | What::NeedsIntervention { step, problem } => Self::Problema {
                paso: *step,
                problema: problem,
            },
            What::NoAnswer {
                step,
                direction,
                attempt,
                sent,
                problem,
                next,
            } => Self::SinRespuesta {
                paso: *step,
                direccion: direccion(*direction),
                intento: *attempt,
                enviado: (*sent).into(),
                problema: problem.as_deref(),
                proximo: *next,
            },
            What::TimedOut {
                step,
                direction,
                attempts,
            } => Self::Agotado {
                paso: *step,
                direccion: direccion(*direction),
                intentos: *attempts,
            },
            What::ExecutionStarted { direction, name } => Self::Ejecucion {
                direccion: direccion(*direction),
                nombre: name,
            },
            What::CancellationRequested { reason, unsent } => Self::Cancelacion {
                motivo: reason,
                sin_enviar: *unsent,
            },
            What::Resumed { note } => Self::Reanudada {
                nota: note.as_deref(),
            },
            What::StepMarked { step, note } => Self::Marcado {
                paso: *step,
                nota: note,
            },
            What::TakenOver {} | What::Delayed {} => Self::Nada {},
            What::Ended { status } => Self::Fin {
                estado: estado(*status),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "00000000-0000-0000-0000-000000000001";
    const WHEN: &str = "2026-01-31T10:00:00.000Z";

    /// Pairs of a stored entry and the form in which the API shows the entry. The API's form has the time at which the
    /// entry was logged, and the event that the entry names, if any.
    fn lines() -> Vec<(Value, Value)> {
        let lines = [
            (
                json!({"type": "Started", "definition": "reserva", "version": 1, "subject": ID, "mode": "coreografia",
                       "trace": "00-t"}),
                json!({"tipo": "Inicio", "definicion": "reserva", "version": 1, "asunto": ID, "modo": "coreografia",
                       "traza": "00-t"}),
            ),
            (
                json!({"type": "CommandSent", "step": 2, "command": "PagarReserva", "command_id": ID}),
                json!({"tipo": "ComandoEnviado", "paso": 2, "comando": "PagarReserva", "id_comando": ID}),
            ),
            (
                json!({"type": "EventReceived", "step": 2, "meaning": "doubt", "via": "answer", "attempts": 3}),
                json!({"tipo": "EventoRecibido", "paso": 2, "sentido": "duda", "via": "respuesta", "intentos": 3}),
            ),
            (
                json!({"type": "CommandRejected", "step": 2, "problem": "no", "in_doubt": true}),
                json!({"tipo": "ComandoRechazado", "paso": 2, "problema": "no", "en_duda": true}),
            ),
            (
                json!({"type": "CommandImpossible", "step": 2, "problem": "no"}),
                json!({"tipo": "ComandoImposible", "paso": 2, "problema": "no"}),
            ),
            (
                json!({"type": "NoAnswer", "step": 2, "direction": "do", "attempt": 1, "sent": WHEN, "problem": "no",
                       "next": WHEN}),
                json!({"tipo": "SinRespuesta", "paso": 2, "direccion": "hacer", "intento": 1, "enviado": WHEN,
                       "problema": "no", "proximo": WHEN}),
            ),
            (
                json!({"type": "TimedOut", "step": 2, "direction": "undo", "attempts": 8}),
                json!({"tipo": "TiempoAgotado", "paso": 2, "direccion": "deshacer", "intentos": 8}),
            ),
            (
                json!({"type": "ExecutionStarted", "direction": "do", "name": ID}),
                json!({"tipo": "EjecucionIniciada", "direccion": "hacer", "nombre": ID}),
            ),
            (
                json!({"type": "CancellationRequested", "reason": "otro día", "unsent": 2}),
                json!({"tipo": "CancelacionPedida", "motivo": "otro día", "sin_enviar": 2}),
            ),
            (
                json!({"type": "CompensationSent", "step": 2, "command": "RevertirPago", "command_id": ID}),
                json!({"tipo": "CompensacionEnviada", "paso": 2, "comando": "RevertirPago", "id_comando": ID}),
            ),
            (
                json!({"type": "NeedsIntervention", "step": 2, "problem": "no"}),
                json!({"tipo": "RequiereIntervencion", "paso": 2, "problema": "no"}),
            ),
            (
                json!({"type": "Resumed", "note": "ya"}),
                json!({"tipo": "Reanudada", "nota": "ya"}),
            ),
            (
                json!({"type": "StepMarked", "step": 2, "note": "ya"}),
                json!({"tipo": "PasoMarcado", "paso": 2, "nota": "ya"}),
            ),
            (json!({"type": "TakenOver"}), json!({"tipo": "Relevo"})),
            (json!({"type": "Delayed"}), json!({"tipo": "Retraso"})),
            (
                json!({"type": "Ended", "status": "Compensated"}),
                json!({"tipo": "Fin", "estado": "Compensada"}),
            ),
        ];
        let complete = lines.map(|(mut stored, mut told)| {
            stored["when"] = WHEN.into();
            told["cuando"] = WHEN.into();
            if ["CancellationRequested", "Resumed"].contains(&stored["type"].as_str().unwrap()) {
                stored["actor"] = "operador:marta".into();
                told["actor"] = "operador:marta".into();
            }
            if ["Started", "EventReceived"].contains(&stored["type"].as_str().unwrap()) {
                let common = json!({"event_id": ID, "stream": "pago-1", "streamversion": 1, "event_time": WHEN});
                stored.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
                stored["event"] = "ReservaPagada".into();
                stored["data"] = json!({"monto": "1.00"});
                let common = json!({"id_evento": ID, "stream": "pago-1", "streamversion": 1, "fecha_evento": WHEN});
                told.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
                told["evento"] = "ReservaPagada".into();
                told["datos"] = json!({"monto": "1.00"});
            }
            (stored, told)
        });
        complete.into()
    }

    #[test]
    fn every_line_has_its_words() {
        let mut types = vec![];
        for (stored, told) in lines() {
            let entry: Entry = serde_json::from_value(stored.clone()).unwrap();
            assert_eq!(
                serde_json::to_value(&entry).unwrap(),
                stored,
                "as it is stored"
            );
            assert_eq!(serde_json::to_value(Linea::from(&entry)).unwrap(), told);
            types.push(tipo(&entry.what));
        }
        types.sort_unstable();
        let mut all = TIPOS;
        all.sort_unstable();
        assert_eq!(types, all);
    }

    #[test]
    fn what_is_usual_is_left_out() {
        let entry: Entry = serde_json::from_value(json!({
            "when": WHEN, "type": "Started", "definition": "reserva", "version": 1, "subject": ID, "event": "ReservaCreada",
            "event_id": ID, "stream": "reserva-1", "streamversion": 1, "event_time": WHEN,
        }))
        .unwrap();
        let told = serde_json::to_value(Linea::from(&entry)).unwrap();
        assert_eq!(
            (told.get("modo"), told.get("traza"), told.get("datos")),
            (None, None, None)
        );
    }

    #[test]
    fn a_status_is_found_by_its_word_alone() {
        for one in Status::ALL {
            assert_eq!(status(estado(one)), Some(one));
            assert_eq!(status(one.name()), None, "as it is stored");
        }
    }
}
