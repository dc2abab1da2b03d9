//! A saga as people read it: how it stands, and its log, a line an entry.

use jiff::Timestamp;
use saga_engine::{Conduct, Direction, Entry, Estado, Meaning, Outstanding, Saga, Via, What};

/// No line is longer, in characters.
const WIDTH: usize = 120;
/// Where the words beside a name begin.
const INDENT: usize = 10;

/// How it stands, and its log.
pub(crate) fn render(saga: &Saga) -> Vec<String> {
    let mut lines = vec![
        format!("saga {} of reservation {}", saga.id, saga.subject),
        format!(
            "begun {}, by definition {} version {}{}",
            saga.started(),
            saga.definition,
            saga.version,
            match saga.conduct {
                Conduct::Orquestacion => "",
                Conduct::Coreografia => ", moved on by its participants",
                Conduct::StepFunctions => ", run by Step Functions",
            }
        ),
    ];
    lines.extend(entry("estado", &standing(saga)));
    if let Some(waits) = waits(saga) {
        lines.extend(entry("waits for", &waits));
    }
    lines.push(String::new());
    let began = saga.started();
    lines.extend(saga.log.iter().flat_map(|entry| of_log(entry, began)));
    lines
}

/// How it stands, and why.
pub(crate) fn standing(saga: &Saga) -> String {
    match &saga.reason {
        Some(reason) => format!("{}, undone because of: {reason}", saga.estado),
        None => saga.estado.to_string(),
    }
}

/// What it waits for; `None` for one that has ended.
pub(crate) fn waits(saga: &Saga) -> Option<String> {
    if saga.estado.has_ended() {
        return None;
    }
    let answer = saga.outstanding.as_ref().and_then(|out| {
        let command = saga.awaited()?;
        Some(answer(command, out))
    });
    if saga.estado != Estado::RequiereIntervencion {
        return answer;
    }
    let unanswered = answer.map(|answer| format!(", after {answer}"));
    Some(format!(
        "a person{}. Mend the cause, then POST /sagas/{}/reanudacion; or undo the step by hand, and post \
         {{\"hecho\": true, \"paso\": {}, \"nota\": \"…\"}} there",
        unanswered.unwrap_or_default(),
        saga.id,
        stuck_at(saga)
    ))
}

/// The step that requires a person: the log says it last.
fn stuck_at(saga: &Saga) -> usize {
    let stuck = saga.log.iter().rev().find_map(|entry| match entry.what {
        What::RequiereIntervencion { paso, .. } => Some(paso),
        _ => None,
    });
    stuck.unwrap_or_default()
}

fn answer(command: &str, out: &Outstanding) -> String {
    let step = out.step + 1;
    let again = out
        .due
        .map(|due| format!(", next look at {}", time_of_day(due)));
    format!(
        "the answer to {command} (step {step}), sent {}{}",
        times(out.attempts),
        again.unwrap_or_default()
    )
}

fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

pub(crate) fn time_of_day(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%H:%M:%S%.3f")
}

/// A name, and what it names; what is too long goes on below.
pub(crate) fn entry(name: &str, text: &str) -> Vec<String> {
    hanging(&format!("{name:<INDENT$}"), text)
}

fn of_log(entry: &Entry, began: Timestamp) -> Vec<String> {
    let (step, kind, text) = told(&entry.what);
    let since = entry.cuando.duration_since(began).as_millis();
    let step = step.map(|step| step.to_string()).unwrap_or_default();
    let time = time_of_day(entry.cuando).to_string();
    let head = format!(
        "  {time:<12}{:>10} ms  {step:>2}  {kind:<20}  ",
        format!("+{since}")
    );
    hanging(&head, &text)
}

/// The step, the type and the words of an entry.
fn told(what: &What) -> (Option<usize>, &'static str, String) {
    match what {
        What::Inicio { evento, .. } => (Some(1), "Inicio", format!("<- {}", evento.evento)),
        What::ComandoEnviado { paso, comando, .. } => {
            (Some(*paso), "ComandoEnviado", format!("-> {comando}"))
        }
        What::CompensacionEnviada { paso, comando, .. } => {
            (Some(*paso), "CompensacionEnviada", format!("-> {comando}"))
        }
        What::EventoRecibido {
            paso,
            sentido,
            via,
            intentos,
            evento,
        } => {
            let remarks = remarks(*sentido, *via, *intentos);
            let text = format!("<- {} ({remarks})", evento.evento);
            (*paso, "EventoRecibido", text)
        }
        What::ComandoRechazado {
            paso,
            problema,
            en_duda,
        } => {
            let doubt = if *en_duda { " (duda)" } else { "" };
            (
                Some(*paso),
                "ComandoRechazado",
                format!("{problema}{doubt}"),
            )
        }
        What::ComandoImposible { paso, problema } => {
            (Some(*paso), "ComandoImposible", problema.clone())
        }
        What::TiempoAgotado {
            paso,
            direccion,
            intentos,
        } => {
            let way = match direccion {
                Direction::Hacer => "hacer",
                Direction::Deshacer => "deshacer",
            };
            let text = format!("{way}, {}", attempts(*intentos));
            (Some(*paso), "TiempoAgotado", text)
        }
        What::CancelacionPedida { motivo, sin_enviar } => {
            let unsent = sin_enviar.map(|paso| format!(" (paso {paso} sin enviar)"));
            let text = format!("{motivo}{}", unsent.unwrap_or_default());
            (None, "CancelacionPedida", text)
        }
        What::EjecucionIniciada { direccion, nombre } => {
            let what = match direccion {
                Direction::Hacer => "it does the steps",
                Direction::Deshacer => "it undoes them",
            };
            (None, "EjecucionIniciada", format!("{what}: {nombre}"))
        }
        What::RequiereIntervencion { paso, problema } => {
            (Some(*paso), "RequiereIntervencion", problema.clone())
        }
        What::Reanudada { nota } => (None, "Reanudada", nota.clone().unwrap_or_default()),
        What::PasoMarcado { paso, nota } => (Some(*paso), "PasoMarcado", nota.clone()),
        What::Relevo {} => (
            None,
            "Relevo",
            "the coordinator goes on, and undoes every step".to_owned(),
        ),
        What::Retraso {} => (None, "Retraso", "it takes longer than it should".to_owned()),
        What::Fin { estado } => (None, "Fin", estado.to_string()),
    }
}

/// What is to be said of an event, in the log's own words. That a step went as it should goes without saying.
fn remarks(meaning: Meaning, via: Via, count: Option<u32>) -> String {
    let meaning = match meaning {
        Meaning::Exito | Meaning::Reversion => None,
        Meaning::Fallo => Some("fallo"),
        Meaning::Duda => Some("duda"),
        Meaning::Nota => Some("nota"),
    };
    let via = match via {
        Via::Respuesta => "respuesta",
        Via::Flujo => "flujo",
    };
    let words = [
        meaning.map(str::to_owned),
        Some(via.to_owned()),
        count.map(attempts),
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn attempts(count: u32) -> String {
    match count {
        1 => "1 intento".to_owned(),
        count => format!("{count} intentos"),
    }
}

/// A text after a head, broken between words where it is too long, each further line as far to the right as the first.
fn hanging(head: &str, text: &str) -> Vec<String> {
    let margin = head.chars().count();
    let mut lines = vec![head.to_owned()];
    for word in text
        .split_whitespace()
        .flat_map(|word| pieces(word, WIDTH.saturating_sub(margin).max(1)))
    {
        let line = lines.last().map_or(0, |line| line.chars().count());
        let first = line == margin;
        if !first && line + 1 + word.chars().count() > WIDTH {
            lines.push(" ".repeat(margin));
        } else if !first {
            push(&mut lines, " ");
        }
        push(&mut lines, &word);
    }
    lines
        .into_iter()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

/// A word, in pieces where it alone is longer than a line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    letters
        .chunks(width)
        .map(|piece| piece.iter().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use reserva_saga::current;
    use saga_engine::SagaId;
    use serde_json::{Value, json};

    use super::*;

    /// A saga, as its log in the table tells it.
    fn saga(further: &[Value]) -> Saga {
        let mut log = vec![json!({
            "cuando": "2026-01-31T10:00:00.500Z", "tipo": "Inicio", "definicion": "reserva", "version": 1,
            "asunto": id(7), "evento": "ReservaCreada", "id_evento": id(1), "stream": "reserva-7", "streamversion": 1
        })];
        log.extend_from_slice(further);
        let log = serde_json::from_value(Value::Array(log)).unwrap();
        Saga::replay(SagaId(uuid::Uuid::from_u128(9)), &current(), log).unwrap()
    }

    fn id(number: u128) -> String {
        uuid::Uuid::from_u128(number).to_string()
    }

    fn sent(second: u32, kind: &str, step: u32, command: &str) -> Value {
        json!({
            "cuando": at(second), "tipo": kind, "paso": step, "comando": command, "id_comando": id(2)
        })
    }

    fn heard(second: u32, step: u32, event: &str, meaning: &str, attempts: Option<u32>) -> Value {
        json!({
            "cuando": at(second), "tipo": "EventoRecibido", "paso": step, "sentido": meaning, "via": "respuesta",
            "intentos": attempts, "evento": event, "id_evento": id(3), "stream": "x-7", "streamversion": second
        })
    }

    fn at(second: u32) -> String {
        format!("2026-01-31T10:00:{second:02}.512Z")
    }

    #[test]
    fn a_saga_that_turned_back_reads_from_top_to_bottom() {
        let saga = saga(&[
            sent(0, "ComandoEnviado", 2, "PagarReserva"),
            heard(1, 2, "ReservaPagada", "exito", Some(3)),
            sent(1, "ComandoEnviado", 3, "ConfirmarReserva"),
            heard(2, 3, "ConfirmacionFallida", "fallo", None),
            sent(2, "CompensacionEnviada", 2, "RevertirPago"),
            heard(3, 2, "PagoRevertido", "reversion", None),
            sent(3, "CompensacionEnviada", 1, "CancelarReserva"),
            heard(4, 1, "ReservaCancelada", "reversion", None),
            json!({"cuando": at(4), "tipo": "Fin", "estado": "Compensada"}),
        ]);
        let expected = "\
saga 00000000-0000-0000-0000-000000000009 of reservation 00000000-0000-0000-0000-000000000007
begun 2026-01-31T10:00:00.5Z, by definition reserva version 1
estado    Compensada, undone because of: ConfirmacionFallida

  10:00:00.500        +0 ms   1  Inicio                <- ReservaCreada
  10:00:00.512       +12 ms   2  ComandoEnviado        -> PagarReserva
  10:00:01.512     +1012 ms   2  EventoRecibido        <- ReservaPagada (respuesta, 3 intentos)
  10:00:01.512     +1012 ms   3  ComandoEnviado        -> ConfirmarReserva
  10:00:02.512     +2012 ms   3  EventoRecibido        <- ConfirmacionFallida (fallo, respuesta)
  10:00:02.512     +2012 ms   2  CompensacionEnviada   -> RevertirPago
  10:00:03.512     +3012 ms   2  EventoRecibido        <- PagoRevertido (respuesta)
  10:00:03.512     +3012 ms   1  CompensacionEnviada   -> CancelarReserva
  10:00:04.512     +4012 ms   1  EventoRecibido        <- ReservaCancelada (respuesta)
  10:00:04.512     +4012 ms      Fin                   Compensada";
        assert_eq!(render(&saga).join("\n"), expected);
    }

    #[test]
    fn one_that_is_on_its_way_says_what_it_waits_for() {
        let mut saga = saga(&[sent(0, "ComandoEnviado", 2, "PagarReserva")]);
        if let Some(out) = &mut saga.outstanding {
            out.attempts = 1;
        }
        assert_eq!(
            waits(&saga).unwrap(),
            "the answer to PagarReserva (step 2), sent once, next look at 10:00:00.512"
        );
    }

    #[test]
    fn one_that_needs_a_person_says_what_to_do() {
        let stuck = saga(&[
            json!({"cuando": at(1), "tipo": "CancelacionPedida", "motivo": "cambio de planes"}),
            sent(1, "CompensacionEnviada", 1, "CancelarReserva"),
            json!({"cuando": at(9), "tipo": "TiempoAgotado", "paso": 1, "direccion": "deshacer", "intentos": 8}),
            json!({"cuando": at(9), "tipo": "RequiereIntervencion", "paso": 1, "problema": "nobody answers"}),
        ]);
        let text = render(&stuck).join("\n");
        for part in [
            "estado    RequiereIntervencion, undone because of: cambio de planes",
            "waits for a person, after the answer to CancelarReserva (step 1)",
            "/sagas/00000000-0000-0000-0000-000000000009/reanudacion",
            "\"paso\": 1,",
            "1  TiempoAgotado         deshacer, 8 intentos",
            "1  RequiereIntervencion  nobody answers",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn no_line_is_too_long_and_no_word_is_lost() {
        let long = format!("{} {} fin", "palabra ".repeat(60), "á".repeat(300));
        let lines = hanging("  head  ", &long);
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        let letters = |text: &str| {
            text.chars()
                .filter(|one| !one.is_whitespace())
                .collect::<String>()
        };
        assert_eq!(letters(&lines.concat()), letters(&format!("head{long}")));
        assert!(
            lines
                .iter()
                .skip(1)
                .all(|line| line.starts_with("        "))
        );
    }
}
