//! A log line, and how it is shown.

use command_line::{moment, since, visible};
use serde_json::{Map, Value};

use crate::log_service::Event;

/// The beginnings of the lines that Lambda writes before and after the lines of a function.
const PLATFORM: [&str; 4] = [
    "START RequestId",
    "END RequestId",
    "REPORT RequestId",
    "INIT_START",
];

/// A line that a function wrote.
#[derive(Clone, Debug)]
pub struct Line {
    /// The id of the log event that contains the line.
    pub id: String,
    /// The time of the line's log event, in milliseconds of Unix time.
    pub taken_in: i64,
    pub function: String,
    /// The time in the line itself or, if the line has none, the time of the log event.
    time: String,
    text: String,
    /// The fields of the line, if it is a JSON object.
    fields: Option<Map<String, Value>>,
}

impl Line {
    /// The lines in a log event, except those that Lambda wrote.
    pub fn of<'a>(function: &'a str, event: &'a Event) -> impl Iterator<Item = Self> + 'a {
        let lines = event.message.lines().map(str::trim_end);
        let own = lines.filter(|line| {
            !line.is_empty() && !PLATFORM.iter().any(|start| line.starts_with(start))
        });
        own.map(|text| {
            let fields = match serde_json::from_str(text) {
                Ok(Value::Object(fields)) => Some(fields),
                _ => None,
            };
            let told = fields.as_ref().and_then(|fields| fields.get("timestamp"));
            let told = told.and_then(Value::as_str).filter(|told| is_time(told));
            Self {
                id: event.id.clone(),
                taken_in: event.timestamp,
                function: function.to_owned(),
                time: told.map_or_else(|| moment(event.timestamp), str::to_owned),
                text: text.to_owned(),
                fields,
            }
        })
    }

    /// The sort key of lines. Lines with the same time keep their order.
    pub fn order(&self) -> &str {
        self.time.trim_end_matches('Z')
    }
}

/// True for a UTC time as functions write it: `2026-11-22T19:36:14.212345Z`.
fn is_time(text: &str) -> bool {
    text.is_ascii() && text.ends_with('Z') && since(text, 0).is_some() && text.contains('T')
}

/// The format in which lines are shown.
pub enum Look {
    /// Lines are shown as JSON objects.
    Json,
    /// Lines are shown as text for people.
    Lines { width: usize, colours: bool },
}

/// A colour, by its ANSI code.
#[derive(Clone, Copy)]
enum Colour {
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
    Cyan = 36,
}

impl Look {
    pub fn lines<'a>(functions: impl Iterator<Item = &'a str>, colours: bool) -> Self {
        let widths = functions.map(|function| function.chars().count());
        Self::Lines {
            width: widths.max().unwrap_or_default(),
            colours,
        }
    }

    pub fn show(&self, line: &Line) -> String {
        match self {
            Self::Json => as_json(line),
            Self::Lines { width, colours } => {
                let paint = |colour: Colour, text: &str| match (colours, text) {
                    (true, text) if !text.is_empty() => {
                        format!("\x1b[{}m{text}\x1b[0m", colour as u8)
                    }
                    _ => text.to_owned(),
                };
                let (level, rest) = Self::parts(line, &paint);
                let colour = match level {
                    "ERROR" => Colour::Red,
                    "WARN" => Colour::Yellow,
                    "INFO" => Colour::Green,
                    _ => Colour::Dim,
                };
                let time = paint(Colour::Dim, &shown_time(&line.time));
                let function = paint(Colour::Cyan, &format!("{:<width$}", line.function));
                let level = paint(colour, &format!("{level:<6}"));
                format!("{time} {function} {level} {rest}")
            }
        }
    }

    /// The line's level, and the text after it.
    fn parts<'a>(line: &'a Line, paint: &dyn Fn(Colour, &str) -> String) -> (&'a str, String) {
        let Some(fields) = &line.fields else {
            return ("", visible(&line.text));
        };
        let text = |name| fields.get(name).and_then(Value::as_str);
        // A line with metrics is for CloudWatch: it has numbers, and their description under `_aws`.
        let is_metrics = fields.contains_key("_aws");
        let level = if is_metrics {
            "METRIC"
        } else {
            text("level").unwrap_or_default()
        };
        let mut parts = vec![];
        parts.extend(text("message").map(visible));
        let span = fields.get("span").and_then(Value::as_object);
        let told = fields.iter().filter(|(name, _)| {
            !matches!(
                name.as_str(),
                "timestamp" | "level" | "message" | "span" | "_aws"
            )
        });
        let around = span.into_iter().flatten();
        let around = around.filter(|(name, _)| {
            !matches!(name.as_str(), "name" | "requestId") && !fields.contains_key(*name)
        });
        for (name, value) in told.chain(around) {
            let name = paint(Colour::Dim, &format!("{}=", visible(name)));
            parts.push(format!("{name}{}", shown_value(value)));
        }
        (level, parts.join(" "))
    }
}

/// The time with 3 decimals.
fn shown_time(time: &str) -> String {
    since(time, 0).map_or_else(|| time.to_owned(), moment)
}

/// The value as text. A string that is one word has no quotes.
fn shown_value(value: &Value) -> String {
    let is_word = |text: &str| {
        !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace() || letter == '"')
    };
    match value {
        Value::String(text) if is_word(text) => visible(text),
        other => visible(&other.to_string()),
    }
}

/// The line as a JSON object with the name of its function. If the line is not an object, its text becomes the field
/// `message`.
fn as_json(line: &Line) -> String {
    let mut object = line.fields.clone().unwrap_or_else(|| {
        let fields = [("timestamp", &line.time), ("message", &line.text)];
        let fields = fields.map(|(name, text)| (name.to_owned(), Value::from(text.as_str())));
        fields.into_iter().collect()
    });
    object.insert("function".to_owned(), line.function.as_str().into());
    Value::from(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        let event = Event {
            id: String::new(),
            timestamp: 1_795_376_174_212,
            message: message.to_owned(),
        };
        Line::of("timers", &event).next().unwrap()
    }

    fn plain(message: &str) -> String {
        let look = Look::Lines {
            width: 8,
            colours: false,
        };
        look.show(&line(message))
    }

    #[test]
    fn a_line_is_shown_with_its_time_function_level_message_and_fields() {
        let message = r#"{"timestamp":"2026-11-22T19:36:14.212345Z","level":"WARN","message":"no answer","saga":"s-1",
            "failed":"no answer in time","attempt":1,"span":{"name":"request","method":"POST","attempt":2,"requestId":"r-1"}}"#;
        assert_eq!(
            plain(&message.replace('\n', "")),
            "2026-11-22T19:36:14.212Z timers   WARN   no answer attempt=1 failed=\"no answer in time\" saga=s-1 method=POST"
        );
        assert_eq!(
            plain("thread 'main' panicked\u{1b}[31m"),
            "2026-11-22T19:36:14.212Z timers          thread 'main' panicked\\u{1b}[31m"
        );
        assert_eq!(
            plain(r#"{"_aws":{"Timestamp":1},"ParkedCount":0,"Stack":"aeroalpes"}"#),
            "2026-11-22T19:36:14.212Z timers   METRIC ParkedCount=0 Stack=aeroalpes"
        );
        assert_eq!(
            plain(r#"{"message":"a\u001b[2J\nb","level":"INFO"}"#),
            "2026-11-22T19:36:14.212Z timers   INFO   a\\u{1b}[2J\\u{a}b"
        );
    }

    #[test]
    fn colours_are_around_the_words_and_not_in_them() {
        let look = Look::Lines {
            width: 8,
            colours: true,
        };
        let shown = look.show(&line(r#"{"level":"ERROR","message":"no","a":1}"#));
        assert_eq!(
            shown,
            "\x1b[2m2026-11-22T19:36:14.212Z\x1b[0m \x1b[36mtimers  \x1b[0m \x1b[31mERROR \x1b[0m no \x1b[2ma=\x1b[0m1"
        );
    }

    #[test]
    fn as_json_each_line_is_an_object_with_its_function() {
        assert_eq!(
            Look::Json.show(&line(r#"{"level":"INFO","a":1}"#)),
            r#"{"a":1,"function":"timers","level":"INFO"}"#
        );
        assert_eq!(
            Look::Json.show(&line("hola")),
            r#"{"function":"timers","message":"hola","timestamp":"2026-11-22T19:36:14.212Z"}"#
        );
    }

    #[test]
    fn lines_of_the_platform_are_left_out() {
        let event = Event {
            id: String::new(),
            timestamp: 1,
            message: "START RequestId: a\nuno\n\ndos\r\nEND RequestId: a\nREPORT RequestId: a"
                .into(),
        };
        let own: Vec<_> = Line::of("f", &event).map(|line| line.text).collect();
        assert_eq!(own, ["uno", "dos"]);
    }
}
