//! Patterns of actions, resources and values: `*` stands for any text, `?` for one character.

use serde_json::Value;

/// Patterns of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Patterns {
    pub(crate) patterns: Vec<String>,
    /// `NotAction` and `NotResource`: the statement is about everything that no pattern matches.
    pub(crate) negated: bool,
}

impl Patterns {
    /// Reads the element `name` of a statement, or its negation.
    pub(crate) fn read(statement: &Value, name: &str) -> Result<Option<Self>, String> {
        let negative = format!("Not{name}");
        let (value, negated) = match (statement.get(name), statement.get(&negative)) {
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            (None, None) => return Ok(None),
            _ => return Err(format!("must have either {name} or {negative}")),
        };
        let element = if negated { &negative } else { name };
        let patterns = texts(value).filter(|patterns| !patterns.is_empty());
        let patterns =
            patterns.ok_or_else(|| format!("{element} must be a text or a list of texts"))?;
        if let Some(variable) = patterns.iter().find(|pattern| pattern.contains("${")) {
            return Err(format!(
                "{element} must have no policy variable, unlike {variable:?}"
            ));
        }
        Ok(Some(Self { patterns, negated }))
    }

    /// The number of the pattern that makes a statement be about `text`; 0 if that is a negation.
    pub(crate) fn about(&self, text: &str, matches: fn(&str, &str) -> bool) -> Option<usize> {
        let mut patterns = self.patterns.iter();
        let found = patterns.position(|pattern| matches(pattern, text));
        if self.negated {
            return found.is_none().then_some(0);
        }
        found
    }

    /// The pattern of a number, as [`Self::about`] returns it.
    pub(crate) fn text(&self, number: usize) -> String {
        if self.negated {
            return format!("all but {}", self.patterns.join(", "));
        }
        self.patterns.get(number).cloned().unwrap_or_default()
    }

    /// How many patterns a statement can match by.
    pub(crate) fn len(&self) -> usize {
        if self.negated { 1 } else { self.patterns.len() }
    }
}

/// A text, or a list of texts.
pub(crate) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts
            .iter()
            .map(|text| text.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

/// Whether a pattern is about an action. Actions have no case.
pub(crate) fn matches_action(pattern: &str, action: &str) -> bool {
    matches_folded(pattern, action)
}

/// Whether a pattern matches an ARN: each of its six parts by itself, so that a `*` crosses no `:` but those within the
/// resource. The pattern `*` matches everything.
pub(crate) fn matches_arn(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (mut patterns, mut parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if matches(pattern, part) => {}
            _ => return false,
        }
    }
}

/// Whether a pattern matches the whole text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |wanted, letter| wanted == letter)
}

/// As [`matches`], whatever the case of ASCII letters.
pub(crate) fn matches_folded(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |wanted, letter| {
        wanted.eq_ignore_ascii_case(&letter)
    })
}

/// Matches greedily: after a mismatch, the last `*` takes one more character. No earlier `*` need be tried again.
fn matches_by(pattern: &str, text: &str, same: fn(char, char) -> bool) -> bool {
    let (mut wanted, mut letters) = (pattern.chars(), text.chars());
    let mut last_star = None;
    loop {
        let letter = letters.clone().next();
        match wanted.next() {
            Some('*') => last_star = Some((wanted.clone(), letters.clone())),
            Some(pattern)
                if letter.is_some_and(|letter| pattern == '?' || same(pattern, letter)) =>
            {
                letters.next();
            }
            None if letter.is_none() => return true,
            _ => {
                let Some((after_star, taken)) = &mut last_star else {
                    return false;
                };
                if taken.next().is_none() {
                    return false;
                }
                (wanted, letters) = (after_star.clone(), taken.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_whole_texts() {
        let cases = [
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*c", "abbc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
            ("*bc", "abcbc", true),
            ("a*a", "a", false),
            ("**a", "a", true),
            ("?", "é", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(matches_action("S3:get*", "s3:GetObject"));
        assert!(!matches("S3:get*", "s3:GetObject"));
    }

    #[test]
    fn a_star_crosses_colons_in_the_resource_alone() {
        let arn = "arn:aws:logs:us-east-1:000000000000:log-group:a:log-stream:b";
        assert!(matches_arn("arn:*:logs:*:*:log-group:a:*", arn));
        assert!(!matches_arn("arn:aws:logs:*:log-stream:b", arn));
        assert!(!matches_arn("arn:*", arn));
        assert!(matches_arn("*", arn));
        assert!(matches_arn("arn:aws:s3:::b/*", "arn:aws:s3:::b/c:d/e"));
        assert!(!matches_arn("arn:aws:s3:::b/*", "arn:aws:s3:::b"));
    }

    /// The definition, without cleverness.
    fn slowly(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', more @ ..], _) => (0..=text.len()).any(|taken| slowly(more, &text[taken..])),
            (['?', more @ ..], [_, rest @ ..]) => slowly(more, rest),
            ([wanted, more @ ..], [letter, rest @ ..]) => wanted == letter && slowly(more, rest),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn patterns_match_by_their_definition(pattern in "[ab*?]{0,7}", text in "[ab]{0,7}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), slowly(&letters(&pattern), &letters(&text)));
        }
    }
}
