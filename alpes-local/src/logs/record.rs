//! One log event as one line of a text file, which a person can read and this module can read back.
//!
//! `2026-11-02T10:00:00.123Z<tab>+0<tab>STREAM<tab>MESSAGE`: the event's time, how many milliseconds later it arrived, its
//! log stream, and its message. Line ends and backslashes within a message are escaped. A backslash at the very end says
//! that the message has no line end of its own; functions' lines have one, so that their lines stay plain.

use std::{borrow::Cow, fmt::Write as _};

use jiff::Timestamp;

use crate::time::iso_millis;

/// A log event.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record<'a> {
    /// The event's time in milliseconds since 1970.
    pub(super) millis: u64,
    /// The time of its arrival.
    pub(super) ingested: u64,
    /// The log stream.
    pub(super) stream: Cow<'a, str>,
    /// The message, with its line end if it has one.
    pub(super) message: Cow<'a, str>,
}

impl Record<'_> {
    /// Appends the record's line to `line`, with a line end.
    pub(super) fn encode(&self, line: &mut String) {
        let later = i128::from(self.ingested) - i128::from(self.millis);
        let _ = write!(line, "{}\t{later:+}\t", iso_millis(self.millis));
        escape(&self.stream, line);
        line.push('\t');
        let whole = self.message.strip_suffix('\n');
        escape_message(whole.unwrap_or(&self.message), line);
        if whole.is_none() {
            line.push('\\');
        }
        line.push('\n');
    }

    /// Reads a line, without its line end; `None` if this module has not written it.
    pub(super) fn decode(line: &str) -> Option<Record<'_>> {
        let mut parts = line.splitn(4, '\t');
        let time: Timestamp = parts.next()?.parse().ok()?;
        let millis = u64::try_from(time.as_millisecond()).ok()?;
        let later: i64 = parts.next()?.parse().ok()?;
        let stream = unescape(parts.next()?)?;
        Some(Record {
            millis,
            ingested: millis.checked_add_signed(later)?,
            stream: stream.text,
            message: unescape(parts.next()?)?.message(),
        })
    }
}

/// The last time that a record can carry.
pub(super) fn last_time() -> u64 {
    u64::try_from(Timestamp::MAX.as_millisecond()).unwrap_or(u64::MAX)
}

fn escape(text: &str, line: &mut String) {
    for character in text.chars() {
        match character {
            '\t' => line.push_str("\\t"),
            other => escape_character(other, line),
        }
    }
}

/// A message is the last part of its line, so that it may have tabs.
fn escape_message(text: &str, line: &mut String) {
    if text.contains(['\\', '\n', '\r']) {
        text.chars()
            .for_each(|character| escape_character(character, line));
    } else {
        line.push_str(text);
    }
}

fn escape_character(character: char, line: &mut String) {
    match character {
        '\\' => line.push_str("\\\\"),
        '\n' => line.push_str("\\n"),
        '\r' => line.push_str("\\r"),
        other => line.push(other),
    }
}

/// A text without its escapes.
struct Unescaped<'a> {
    text: Cow<'a, str>,
    /// Whether a single backslash ended the text.
    open: bool,
}

impl<'a> Unescaped<'a> {
    fn message(self) -> Cow<'a, str> {
        if self.open {
            return self.text;
        }
        let mut message = self.text.into_owned();
        message.push('\n');
        message.into()
    }
}

fn unescape(text: &str) -> Option<Unescaped<'_>> {
    if !text.contains('\\') {
        return Some(Unescaped {
            text: text.into(),
            open: false,
        });
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    let mut open = false;
    while let Some(character) = characters.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('\\') => plain.push('\\'),
            Some(_) => return None,
            None => open = true,
        }
    }
    Some(Unescaped {
        text: plain.into(),
        open,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_comes_back_as_it_was() {
        let messages = [
            "plain\n",
            "no end",
            "",
            "\n",
            "a\nb\r\n",
            "back\\slash\\",
            "\\\n",
        ];
        for message in messages {
            let record = Record {
                millis: 1_700_000_000_123,
                ingested: 1_700_000_000_100,
                stream: "2026/01/01/[$LATEST]\ta\\b".into(),
                message: message.into(),
            };
            let mut line = String::new();
            record.encode(&mut line);
            let one = line.strip_suffix('\n').unwrap();
            assert!(!one.contains('\n'), "one line: {one}");
            assert_eq!(Record::decode(one), Some(record));
        }
    }

    #[test]
    fn a_line_of_a_function_is_plain() {
        let mut line = String::new();
        let record = Record {
            millis: 0,
            ingested: 2,
            stream: "s".into(),
            message: "hello\tworld\n".into(),
        };
        record.encode(&mut line);
        assert_eq!(line, "1970-01-01T00:00:00.000Z\t+2\ts\thello\tworld\n");
        assert_eq!(Record::decode("something a person wrote"), None);
    }
}
