//! Filter patterns of log events: terms, quoted terms, `?term` and `-term`.

use super::invalid;
use crate::error::AwsError;

/// The signs before terms.
const SIGNS: [char; 2] = ['?', '-'];

/// A filter pattern. Terms match anywhere in a message, with their case.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl Pattern {
    /// Parses a pattern; an empty one matches all messages. Patterns over JSON, over columns and with regular
    /// expressions are refused.
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let text = text.trim();
        if text.starts_with(['{', '[']) {
            return Err(invalid(
                "filterPattern: this runtime knows terms, not patterns over JSON or columns",
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let sign = rest.chars().next().filter(|first| SIGNS.contains(first));
            let unsigned = rest.get(usize::from(sign.is_some())..);
            let (term, after) = next_term(unsigned.unwrap_or_default())?;
            match sign {
                Some('?') => pattern.any.push(term),
                Some(_) => pattern.none.push(term),
                None => pattern.all.push(term),
            }
            rest = after.trim_start();
        }
        let mixed = !pattern.all.is_empty() || !pattern.none.is_empty();
        if mixed && !pattern.any.is_empty() {
            return Err(invalid(
                "filterPattern: terms with ? cannot be combined with other terms",
            ));
        }
        Ok(pattern)
    }

    /// Whether a message matches.
    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has)
            && !self.none.iter().any(has)
            && (self.any.is_empty() || self.any.iter().any(has))
    }
}

/// The first term of a pattern, without its sign, and what follows it.
fn next_term(text: &str) -> Result<(String, &str), AwsError> {
    match text.strip_prefix('"') {
        Some(quoted) => quoted_term(quoted),
        None => plain_term(text),
    }
}

fn quoted_term(text: &str) -> Result<(String, &str), AwsError> {
    let mut term = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((term, text.get(index + 1..).unwrap_or_default())),
            '\\' => term.extend(characters.next().map(|(_, escaped)| escaped)),
            other => term.push(other),
        }
    }
    Err(invalid("Invalid filter pattern: a quote is not closed"))
}

fn plain_term(text: &str) -> Result<(String, &str), AwsError> {
    let (term, after) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let known = |character: char| character.is_alphanumeric() || character == '_';
    if term.is_empty() || !term.chars().all(known) {
        return Err(invalid(format!(
            "Invalid filter pattern: put {term:?} in quotes, because it has other characters than letters, digits and _"
        )));
    }
    Ok((term.to_owned(), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, message: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(message)
    }

    #[test]
    fn terms_match_as_aws_says() {
        assert!(matches("", "anything"));
        assert!(matches("ERROR 42", "42 is an ERROR"));
        assert!(!matches("ERROR", "an error"));
        assert!(matches("\"is \\\"so\\\"\" -never", "this is \"so\""));
        assert!(!matches("so -never", "so never"));
        assert!(matches("?one ?\"two three\"", "two three"));
        assert!(!matches("?one ?two", "three"));
    }

    #[test]
    fn other_patterns_are_refused() {
        for pattern in [
            "{ $.level = \"ERROR\" }",
            "[a, b]",
            "%x%",
            "a-b",
            "\"open",
            "?a b",
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert_eq!(error.code, "InvalidParameterException", "{pattern}");
        }
    }
}
