//! The part of JSON that the rules need. Numbers stay text, since filters compare them as they are written.

use std::fmt::Write;

/// The largest depth of nested values, so that no text exhausts the stack.
const MAX_DEPTH: usize = 100;

/// A JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses a text; `None` if it is not JSON.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        reader.skip_space();
        reader.rest.is_empty().then_some(value)
    }

    /// A field of an object: the last one, if several fields have this name.
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        let named = fields.iter().rev().find(|(key, _)| key == name);
        named.map(|(_, value)| value)
    }
}

/// A text as JSON, with its quotes.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Consumes `word` if it comes next.
    fn take(&mut self, word: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(word)?;
        Some(())
    }

    /// Consumes `word` if it comes next, after any space.
    fn take_spaced(&mut self, word: &str) -> Option<()> {
        self.skip_space();
        self.take(word)
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.skip_space();
        match self.rest.chars().next()? {
            'n' => self.take("null").map(|()| Json::Null),
            't' => self.take("true").map(|()| Json::Bool(true)),
            'f' => self.take("false").map(|()| Json::Bool(false)),
            '"' => self.text().map(Json::Text),
            '[' => self.list(depth),
            '{' => self.object(depth),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        self.take("[")?;
        let mut values = vec![];
        if self.take_spaced("]").is_some() {
            return Some(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.take_spaced("]").is_some() {
                return Some(Json::List(values));
            }
            self.take_spaced(",")?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.take("{")?;
        let mut fields = vec![];
        if self.take_spaced("}").is_some() {
            return Some(Json::Object(fields));
        }
        loop {
            self.skip_space();
            let name = self.text()?;
            self.take_spaced(":")?;
            fields.push((name, self.value(depth + 1)?));
            if self.take_spaced("}").is_some() {
                return Some(Json::Object(fields));
            }
            self.take_spaced(",")?;
        }
    }

    /// The rest of a text after its leading digits; `None` if the text begins with no digit.
    fn digits(rest: &str) -> Option<&str> {
        let after = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
        (after.len() < rest.len()).then_some(after)
    }

    fn number(&mut self) -> Option<Json> {
        let start = self.rest;
        let mut rest = start.strip_prefix('-').unwrap_or(start);
        rest = match rest.strip_prefix('0') {
            Some(after_zero) => after_zero,
            None => Self::digits(rest)?,
        };
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = Self::digits(fraction)?;
        }
        if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
            rest = Self::digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))?;
        }
        let number = start.get(..start.len() - rest.len())?;
        self.rest = rest;
        Some(Json::Number(number.to_owned()))
    }

    fn text(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut text = String::new();
        loop {
            let plain = self
                .rest
                .find(|letter| matches!(letter, '"' | '\\') || letter < ' ')?;
            let (before, after) = self.rest.split_at_checked(plain)?;
            text.push_str(before);
            self.rest = after;
            if self.take("\"").is_some() {
                return Some(text);
            }
            self.take("\\")?;
            text.push(self.escaped()?);
        }
    }

    /// The character of an escape sequence, after the backslash was consumed.
    fn escaped(&mut self) -> Option<char> {
        let mut letters = self.rest.chars();
        let letter = letters.next()?;
        self.rest = letters.as_str();
        Some(match letter {
            '"' | '\\' | '/' => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode(),
            _ => return None,
        })
    }

    /// A character given by its code, or by its two surrogates.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        self.take("\\u")?;
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn hex(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.rest = rest;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read() {
        let text = br#" {"a":[1,-0.50e+3,true,null],"b":{"c":"\u00e9\ud83d\ude00\n\""},"a":2} "#;
        let read = Json::parse(text).unwrap();
        assert_eq!(read.field("a"), Some(&Json::Number("2".into())));
        let inner = read.field("b").and_then(|b| b.field("c"));
        assert_eq!(inner, Some(&Json::Text("é😀\n\"".into())));
        let list = Json::parse(b"[1,-0.50e+3,true,null,[],{}]").unwrap();
        let Json::List(values) = list else {
            panic!("a list");
        };
        assert_eq!(values[1], Json::Number("-0.50e+3".into()));
    }

    #[test]
    fn what_is_no_json_is_none() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let wrong = [
            "",
            "{",
            "[1,]",
            "01",
            "1.",
            "nul",
            "\"a",
            "{\"a\"}",
            "{a:1}",
            "1 2",
            "\"\\x\"",
            "\"\n\"",
            "\"\\ud800\"",
            "-",
            "1e",
            &deep,
        ];
        for text in wrong {
            assert_eq!(Json::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Json::parse(&[0xff]), None);
    }

    #[test]
    fn what_is_quoted_is_read_again() {
        let text = "a\"b\\c\n\u{1}é";
        assert_eq!(
            Json::parse(quote(text).as_bytes()),
            Some(Json::Text(text.into()))
        );
    }
}
