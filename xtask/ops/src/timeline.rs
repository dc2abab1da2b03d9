//! A saga in readable form: its status, and its log with a line for each entry.

use alpes_messages::Moment;
use alpes_saga::{
    Definitions, Direction, Entry, Meaning, Outstanding, Saga, SagaMode, Status, StepNumber, Via,
    What, execution_name,
};
use api::saga::{self as words, direccion, estado, sentido, tipo};
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use parse::text::visible;

/// The longest line, in characters.
const WIDTH: usize = 120;
/// The column at which the text next to a name begins.
const INDENT: usize = 10;

/// The saga's status and its log.
pub(crate) fn render(saga: &Saga, definitions: &Definitions) -> Vec<String> {
    let mut lines = vec![
        format!("saga {} of reservation {}", saga.id, saga.subject),
        format!(
            "begun {}, by definition {} version {}{}",
            Moment::from(saga.started()),
            saga.definition,
            saga.version,
            match saga.mode {
                SagaMode::Orchestration => "",
                SagaMode::Choreography => ", advanced by its participants",
                SagaMode::StepFunctions => ", run by Step Functions",
            }
        ),
    ];
    lines.extend(entry("estado", &standing(saga)));
    if let Some(waits) = waits(saga, definitions) {
        lines.extend(entry("waits for", &waits));
    }
    lines.push(String::new());
    let began = saga.started();
    let mut day = day_of(began);
    for line in in_order(saga) {
        // Lines show the time of day, so a line with the date comes before the first entry of another day.
        if day_of(line.when) != day {
            day = day_of(line.when);
            lines.push(format!("  {day}"));
        }
        lines.extend(of_log(&line, began));
    }
    lines
}

/// The UTC date of an instant.
fn day_of(instant: Timestamp) -> Date {
    instant.to_zoned(TimeZone::UTC).date()
}

/// The time since the beginning, in a unit that leaves few digits.
fn since(began: Timestamp, when: Timestamp) -> String {
    let millis = when.duration_since(began).as_millis();
    match millis.unsigned_abs() {
        0..1_000_000 => format!("{millis:+} ms"),
        1_000_000..1_000_000_000 => format!("{:+} s ", millis / 1_000),
        _ => format!("{:+} d ", millis / 86_400_000),
    }
}

/// An entry of the log, with the times for its line.
struct Line<'a> {
    entry: &'a Entry,
    when: Timestamp,
    /// The time by which the lines are sorted.
    place: Timestamp,
}

/// The entries in the order in which their lines are shown. The log of a coordinator keeps its order. The log of a
/// watched saga is sorted by the times at which its entries happened.
fn in_order(saga: &Saga) -> Vec<Line<'_>> {
    let mut latest = Timestamp::MIN;
    let mut lines: Vec<_> = (saga.log.iter())
        .map(|entry| {
            let own = own_time(saga, entry);
            let when = own.unwrap_or(entry.when);
            let place = match (&entry.what, own) {
                // The start comes first, whatever the clocks say.
                (What::Started { .. }, _) => Timestamp::MIN,
                (_, Some(own)) => own,
                // An entry without a time of its own follows all entries before it.
                (_, None) => latest.max(when),
            };
            latest = latest.max(place);
            Line { entry, when, place }
        })
        .collect();
    lines.sort_by_key(|line| line.place);
    lines
}

/// The time at which an entry happened, if it differs from the time at which it was logged: a watcher learns of events
/// later.
fn own_time(saga: &Saga, entry: &Entry) -> Option<Timestamp> {
    match &entry.what {
        What::Started { event, .. } => Some(event.time),
        What::EventReceived {
            via: Via::Stream,
            event,
            ..
        } if saga.is_watched() => Some(event.time),
        _ => None,
    }
}

/// The saga's status, and the reason for it.
pub(crate) fn standing(saga: &Saga) -> String {
    match &saga.reason {
        Some(reason) => format!("{}, undone because of: {reason}", estado(saga.status)),
        None => estado(saga.status).to_owned(),
    }
}

/// The event or the time that the saga waits for; `None` if it has ended.
pub(crate) fn waits(saga: &Saga, definitions: &Definitions) -> Option<String> {
    if saga.status.has_ended() {
        return None;
    }
    let answer = saga.outstanding.as_ref().and_then(|out| {
        let command = saga.awaited()?;
        let definition = definitions.find(&saga.definition, saga.version);
        let attempts = definition.and_then(|found| found.attempts(out.step, out.direction));
        Some(answer(saga, command, out, attempts))
    });
    if saga.status != Status::NeedsIntervention {
        let parts = [answer, execution(saga)];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        return (!parts.is_empty()).then(|| parts.join("; "));
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

/// The step at which the saga waits for a person: the step in the log's last entry that asks for a person.
fn stuck_at(saga: &Saga) -> StepNumber {
    let stuck = saga.log.iter().rev().find_map(|entry| match entry.what {
        What::NeedsIntervention { step, .. } => Some(step),
        _ => None,
    });
    stuck.unwrap_or(StepNumber::FIRST)
}

/// The answer that the saga waits for: the attempt in flight, the number of attempts, and the time of the next one.
fn answer(saga: &Saga, command: &str, out: &Outstanding, attempts: Option<u32>) -> String {
    let (step, attempt) = (out.step, out.attempts);
    let of = attempts.map(|attempts| format!(" of {attempts}"));
    let of = of.unwrap_or_default();
    let stands = match attempt {
        0 => "it is not sent yet".to_owned(),
        _ if saga.is_known_unanswered() => format!("attempt {attempt}{of} was not answered"),
        _ => format!("attempt {attempt}{of} has no answer yet"),
    };
    let again = match out.due {
        Some(_) if saga.is_watched() => "; its execution sends it again".to_owned(),
        Some(due) => format!("; {}", by_timers(due)),
        None => String::new(),
    };
    format!("the answer to {command} (step {step}): {stands}{again}")
}

/// The execution that the saga waits for, if a state machine runs it.
fn execution(saga: &Saga) -> Option<String> {
    let look = saga
        .next_look
        .filter(|_| saga.mode == SagaMode::StepFunctions)?;
    let last = saga.executions().last();
    let what = match (saga.wanted, last) {
        (None, Some(last)) => format!("its execution {}", execution_name(saga.id, last)),
        _ => "its execution, which is still to be started".to_owned(),
    };
    Some(format!(
        "{what}; if nothing is heard of it, {}",
        by_timers(look)
    ))
}

/// The message that says from which time on the timers will act.
pub(crate) fn by_timers(from: Timestamp) -> String {
    format!(
        "the timers go on at their first run from {} on (`cargo xtask tick` runs them now)",
        time_of_day(from)
    )
}

pub(crate) fn time_of_day(time: Timestamp) -> String {
    Moment::from(time).time_of_day().to_string()
}

/// A name with its text. A long text continues on further lines.
pub(crate) fn entry(name: &str, text: &str) -> Vec<String> {
    hanging(&format!("{name:<INDENT$}"), text)
}

fn of_log(line: &Line, began: Timestamp) -> Vec<String> {
    let Line { entry, when, .. } = line;
    let (step, kind, mut text) = told(entry);
    if let Some(actor) = &entry.actor {
        text = format!("{actor}: {text}");
    }
    if *when != entry.when {
        let noted = if day_of(*when) == day_of(entry.when) {
            time_of_day(entry.when)
        } else {
            Moment::from(entry.when).to_string()
        };
        text = format!("{text}, noted {noted}");
    }
    let since = since(began, *when);
    let step = step.map(|step| step.to_string()).unwrap_or_default();
    let time = time_of_day(*when);
    let head = format!("  {time:<12}{since:>13}  {step:>2}  {kind:<20}  ");
    hanging(&head, &text)
}

/// The step, the type and the text of an entry, in the API's words.
fn told(entry: &Entry) -> (Option<StepNumber>, &'static str, String) {
    let (step, text) = match &entry.what {
        What::Started { event, .. } => (Some(StepNumber::FIRST), format!("<- {}", event.kind)),
        What::CommandSent { step, command, .. } | What::CompensationSent { step, command, .. } => {
            (Some(*step), format!("-> {command}"))
        }
        What::EventReceived {
            step,
            meaning,
            via,
            attempts,
            event,
        } => {
            let remarks = remarks(*meaning, *via, *attempts);
            (*step, format!("<- {} ({remarks})", event.kind))
        }
        What::CommandRejected {
            step,
            problem,
            in_doubt,
        } => {
            let doubt = if *in_doubt { " (duda)" } else { "" };
            (Some(*step), format!("{problem}{doubt}"))
        }
        What::CommandImpossible { step, problem } | What::NeedsIntervention { step, problem } => {
            (Some(*step), problem.clone())
        }
        What::TimedOut {
            step,
            direction,
            attempts: count,
        } => {
            let text = format!("{}, {}", direccion(*direction), attempts(*count));
            (Some(*step), text)
        }
        What::NoAnswer {
            step,
            direction,
            attempt,
            sent,
            problem,
            next,
        } => {
            let problem = problem.as_deref().unwrap_or("nothing was heard");
            let again =
                next.map(
                    |next| match next.timestamp().duration_since(entry.when).as_millis() {
                        0 => "; sent again at once".to_owned(),
                        pause => format!("; sent again {pause} ms later"),
                    },
                );
            let text = format!(
                "{}, intento {attempt}, sent {}: {problem}{}",
                direccion(*direction),
                time_of_day(*sent),
                again.unwrap_or_default()
            );
            (Some(*step), text)
        }
        What::CancellationRequested { reason, unsent } => {
            let unsent = unsent.map(|step| format!(" (paso {step} sin enviar)"));
            (None, format!("{reason}{}", unsent.unwrap_or_default()))
        }
        What::ExecutionStarted { direction, name } => {
            let what = match direction {
                Direction::Do => "it does the steps",
                Direction::Undo => "it undoes them",
            };
            (None, format!("{what}: {name}"))
        }
        What::Resumed { note } => (None, note.clone().unwrap_or_default()),
        What::StepMarked { step, note } => (Some(*step), note.clone()),
        What::TakenOver {} => (
            None,
            "the coordinator takes over, and undoes every step".to_owned(),
        ),
        What::Delayed {} => (None, "it takes longer than it should".to_owned()),
        What::Ended { status } => (None, estado(*status).to_owned()),
    };
    (step, tipo(&entry.what), text)
}

/// Remarks about an event, in the API's words. The success of a step gets no remark.
fn remarks(meaning: Meaning, via: Via, count: Option<u32>) -> String {
    let said = !matches!(meaning, Meaning::Success | Meaning::Reversal);
    let words = [
        said.then(|| sentido(meaning).to_owned()),
        Some(words::via(via).to_owned()),
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

/// A text after a head. Long text is broken between words, and its further lines are indented like the first. Control
/// characters are shown as escapes.
fn hanging(head: &str, text: &str) -> Vec<String> {
    let margin = head.chars().count();
    let mut lines = vec![head.to_owned()];
    for word in text
        .split_whitespace()
        .flat_map(|word| pieces(&visible(word), WIDTH.saturating_sub(margin).max(1)))
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

/// A word, cut into pieces if it is longer than a line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    letters
        .chunks(width)
        .map(|piece| piece.iter().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use alpes_saga::SagaId;
    use reserva_saga::{current, definitions};
    use serde_json::{Value, json};

    use super::*;

    /// A saga, parsed from its log in the table.
    fn saga(further: &[Value]) -> Saga {
        saga_by("orquestacion", further)
    }

    fn saga_by(mode: &str, further: &[Value]) -> Saga {
        let mut log = vec![json!({
            "when": "2026-01-31T10:00:00.500Z", "type": "Started", "definition": "reserva", "version": 1,
            "subject": id(7), "event": "ReservaCreada", "event_id": id(1), "stream": "reserva-7", "streamversion": 1,
            "event_time": "2026-01-31T10:00:00.120Z", "mode": mode
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
            "when": at(second), "type": kind, "step": step, "command": command, "command_id": id(2)
        })
    }

    fn heard(second: u32, step: u32, event: &str, meaning: &str, attempts: Option<u32>) -> Value {
        json!({
            "when": at(second), "type": "EventReceived", "step": step, "meaning": meaning, "via": "answer",
            "attempts": attempts, "event": event, "event_id": id(3), "stream": "x-7", "streamversion": second,
            "event_time": at(second)
        })
    }

    fn at(second: u32) -> String {
        format!("2026-01-31T10:00:{second:02}.512Z")
    }

    #[test]
    fn a_saga_that_turned_back_reads_from_top_to_bottom() {
        let saga = saga(&[
            sent(0, "CommandSent", 2, "PagarReserva"),
            heard(1, 2, "ReservaPagada", "success", Some(3)),
            sent(1, "CommandSent", 3, "ConfirmarReserva"),
            heard(2, 3, "ConfirmacionFallida", "failure", None),
            sent(2, "CompensationSent", 2, "RevertirPago"),
            heard(3, 2, "PagoRevertido", "reversal", None),
            sent(3, "CompensationSent", 1, "CancelarReserva"),
            heard(4, 1, "ReservaCancelada", "reversal", None),
            json!({"when": at(4), "type": "Ended", "status": "Compensated"}),
        ]);
        let expected = "\
saga 00000000-0000-0000-0000-000000000009 of reservation 00000000-0000-0000-0000-000000000007
begun 2026-01-31T10:00:00.120Z, by definition reserva version 1
estado    Compensada, undone because of: ConfirmacionFallida

  10:00:00.120        +0 ms   1  Inicio                <- ReservaCreada, noted 10:00:00.500
  10:00:00.512      +392 ms   2  ComandoEnviado        -> PagarReserva
  10:00:01.512     +1392 ms   2  EventoRecibido        <- ReservaPagada (respuesta, 3 intentos)
  10:00:01.512     +1392 ms   3  ComandoEnviado        -> ConfirmarReserva
  10:00:02.512     +2392 ms   3  EventoRecibido        <- ConfirmacionFallida (fallo, respuesta)
  10:00:02.512     +2392 ms   2  CompensacionEnviada   -> RevertirPago
  10:00:03.512     +3392 ms   2  EventoRecibido        <- PagoRevertido (respuesta)
  10:00:03.512     +3392 ms   1  CompensacionEnviada   -> CancelarReserva
  10:00:04.512     +4392 ms   1  EventoRecibido        <- ReservaCancelada (respuesta)
  10:00:04.512     +4392 ms      Fin                   Compensada";
        assert_eq!(render(&saga, &definitions()).join("\n"), expected);
    }

    /// An event of a watched saga that happened at `happened` and was logged at `second`.
    fn noted(second: u32, step: u32, event: &str, happened: &str) -> Value {
        let mut line = heard(second, step, event, "success", None);
        line["via"] = "stream".into();
        line["event_time"] = format!("2026-01-31T{happened}Z").into();
        line
    }

    #[test]
    fn a_choreography_is_told_by_when_it_happened() {
        let saga = saga_by(
            "coreografia",
            &[
                noted(8, 3, "ReservaGDSConfirmada", "10:00:01.030"),
                // This event's time comes from a clock that is slow.
                noted(8, 2, "ReservaPagada", "10:00:00.100"),
                json!({"when": at(9), "type": "Delayed"}),
                noted(10, 4, "ReservaAprobada", "10:00:01.055"),
                json!({"when": at(10), "type": "Ended", "status": "Completed"}),
            ],
        );
        let expected = "\
saga 00000000-0000-0000-0000-000000000009 of reservation 00000000-0000-0000-0000-000000000007
begun 2026-01-31T10:00:00.120Z, by definition reserva version 1, advanced by its participants
estado    Completada

  10:00:00.120        +0 ms   1  Inicio                <- ReservaCreada, noted 10:00:00.500
  10:00:00.100       -20 ms   2  EventoRecibido        <- ReservaPagada (flujo), noted 10:00:08.512
  10:00:01.030      +910 ms   3  EventoRecibido        <- ReservaGDSConfirmada (flujo), noted 10:00:08.512
  10:00:01.055      +935 ms   4  EventoRecibido        <- ReservaAprobada (flujo), noted 10:00:10.512
  10:00:09.512     +9392 ms      Retraso               it takes longer than it should
  10:00:10.512    +10392 ms      Fin                   Completada";
        assert_eq!(render(&saga, &definitions()).join("\n"), expected);
    }

    #[test]
    fn what_goes_on_for_days_is_told_with_its_days() {
        let line = |when: &str, what: Value| {
            let mut line = json!({ "when": when });
            line.as_object_mut()
                .unwrap()
                .extend(what.as_object().unwrap().clone());
            line
        };
        let late = json!({ "type": "Delayed" });
        let saga = saga(&[
            line("2026-01-31T10:30:00.120Z", late.clone()),
            line("2026-02-01T00:00:00.500Z", late.clone()),
            line("2026-03-02T10:00:00.120Z", late),
        ]);
        let lines = render(&saga, &definitions());
        let told: Vec<&str> = lines
            .iter()
            .skip_while(|line| !line.contains("Inicio"))
            .map(String::as_str)
            .collect();
        assert_eq!(
            told,
            [
                "  10:00:00.120        +0 ms   1  Inicio                <- ReservaCreada, noted 10:00:00.500",
                "  10:30:00.120     +1800 s       Retraso               it takes longer than it should",
                "  2026-02-01",
                "  00:00:00.500    +50400 s       Retraso               it takes longer than it should",
                "  2026-03-02",
                "  10:00:00.120       +30 d       Retraso               it takes longer than it should",
            ]
        );
    }

    #[test]
    fn each_attempt_is_told_with_what_came_of_it_and_the_pause_after_it() {
        let saga = saga(&[
            sent(0, "CommandSent", 2, "PagarReserva"),
            json!({
                "when": at(1), "type": "NoAnswer", "step": 2, "direction": "do", "attempt": 1,
                "sent": at(0), "problem": "Unavailable: no answer", "next": "2026-01-31T10:00:01.700Z"
            }),
            json!({
                "when": at(50), "type": "NoAnswer", "step": 2, "direction": "do", "attempt": 2,
                "sent": at(2), "next": at(50)
            }),
            json!({
                "when": at(55), "type": "NoAnswer", "step": 2, "direction": "do", "attempt": 3,
                "sent": at(50), "problem": "no"
            }),
        ]);
        let log = render(&saga, &definitions()).join("\n");
        let expected = "
  10:00:01.512     +1392 ms   2  SinRespuesta          hacer, intento 1, sent 10:00:00.512: Unavailable: no answer; sent
                                                       again 188 ms later
  10:00:50.512    +50392 ms   2  SinRespuesta          hacer, intento 2, sent 10:00:02.512: nothing was heard; sent
                                                       again at once
  10:00:55.512    +55392 ms   2  SinRespuesta          hacer, intento 3, sent 10:00:50.512: no";
        assert!(log.ends_with(expected), "{log}");
    }

    #[test]
    fn one_that_is_on_its_way_says_what_it_waits_for() {
        let mut saga = saga(&[sent(0, "CommandSent", 2, "PagarReserva")]);
        if let Some(out) = &mut saga.outstanding {
            out.attempts = 1;
        }
        assert_eq!(
            waits(&saga, &definitions()).unwrap(),
            "the answer to PagarReserva (step 2): attempt 1 of 4 has no answer yet; the timers go on at their first run from \
             10:00:00.512 on (`cargo xtask tick` runs them now)"
        );
    }

    #[test]
    fn one_that_pauses_says_so() {
        let mut saga = saga(&[
            sent(0, "CommandSent", 2, "PagarReserva"),
            json!({
                "when": at(1), "type": "NoAnswer", "step": 2, "direction": "do", "attempt": 1, "sent": at(0),
                "next": at(2)
            }),
        ]);
        if let Some(out) = &mut saga.outstanding {
            (out.attempts, out.due) = (1, at(2).parse().ok());
        }
        assert_eq!(
            waits(&saga, &definitions()).unwrap(),
            "the answer to PagarReserva (step 2): attempt 1 of 4 was not answered; the timers go on at their first run from \
             10:00:02.512 on (`cargo xtask tick` runs them now)"
        );
    }

    #[test]
    fn one_that_a_state_machine_runs_says_which_execution_it_waits_for() {
        let begun = saga_by("stepfunctions", &[]);
        let text = waits(&begun, &definitions()).unwrap();
        assert!(
            text.starts_with("its execution, which is still to be started; "),
            "{text}"
        );
        let name = execution_name(begun.id, Direction::Do);
        let started =
            json!({"when": at(0), "type": "ExecutionStarted", "direction": "do", "name": name});
        let saga = saga_by("stepfunctions", &[started]);
        assert_eq!(
            waits(&saga, &definitions()).unwrap(),
            format!(
                "its execution {name}; if nothing is heard of it, the timers go on at their first run from 10:01:00.512 on \
                 (`cargo xtask tick` runs them now)"
            )
        );
    }

    #[test]
    fn one_that_needs_a_person_says_what_to_do() {
        let stuck = saga(&[
            json!({"when": at(1), "type": "CancellationRequested", "reason": "cambio de planes"}),
            sent(1, "CompensationSent", 1, "CancelarReserva"),
            json!({"when": at(9), "type": "TimedOut", "step": 1, "direction": "undo", "attempts": 8}),
            json!({"when": at(9), "type": "NeedsIntervention", "step": 1, "problem": "nobody answers"}),
        ]);
        let text = render(&stuck, &definitions()).join("\n");
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

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let lines = entry("estado", "a\u{1b}[2J b\r\nc\u{202e}d \u{7}");
        assert_eq!(lines, ["estado    a\\u{1b}[2J b c\\u{202e}d \\u{7}"]);
    }

    /// The reason in this saga's log was stored before the API refused control characters.
    #[test]
    fn a_saga_with_a_reason_that_a_terminal_would_obey_is_shown() {
        let asked = json!({"when": at(1), "type": "CancellationRequested", "reason": "a\u{1b}[2Jb\u{7}c\rd\u{202e}e"});
        let saga = saga(&[asked]);
        // The lines that `saga` prints, and the line that `sagas` prints.
        for lines in [render(&saga, &definitions()), entry("", &standing(&saga))] {
            let text = lines.join("\n");
            assert!(text.contains("a\\u{1b}[2Jb\\u{7}c d\\u{202e}e"), "{text:?}");
            let obeyed = |letter: &char| *letter != '\n' && !parse::text::is_allowed(*letter);
            assert_eq!(text.chars().find(obeyed), None, "{text:?}");
        }
    }
}
