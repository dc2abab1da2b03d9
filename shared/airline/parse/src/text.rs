//! The allowed characters of a text: one rule for every text that a client sends.
//!
//! A text is one line of printable characters. The API refuses all other characters, because they cause trouble later.
//! A terminal executes some of them, some make a person see another text than the stored one, and some are refused by a
//! service: SQS refuses U+FFFF.

use serde_json::Value;

use crate::{Path, Regla, Violations, tarjeta};

/// The rule in words, for the client.
pub const RULE: &str = "Debe ser una sola línea de texto, sin caracteres de control (U+0000 a U+001F, U+007F a U+009F, U+2028, \
                        U+2029), sin marcas de dirección (U+202A a U+202E, U+2066 a U+2069) y sin los que Unicode no asigna a nada \
                        (U+FDD0 a U+FDEF y los que terminan en FFFE o FFFF)";

/// True for a character that is allowed in a text.
#[must_use]
pub fn is_allowed(letter: char) -> bool {
    let noncharacter =
        matches!(letter, '\u{fdd0}'..='\u{fdef}') || u32::from(letter) & 0xfffe == 0xfffe;
    let line_end = matches!(letter, '\u{2028}' | '\u{2029}');
    let direction = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !(letter.is_control() || noncharacter || line_end || direction)
}

/// The text with its forbidden characters escaped as `\u{1b}`. Use this function to show a text that was never checked.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_allowed(letter) {
            shown.push(letter);
        } else {
            shown.extend(letter.escape_unicode());
        }
    }
    shown
}

/// Replaces every forbidden character in all texts of a value by U+FFFD, and hides numbers that may be those of cards.
/// Use this function for texts that were not checked, for example an error text of AWS that becomes the reason of a
/// compensation. The number of characters of each text stays the same.
pub fn clean(value: &mut Value) {
    match value {
        Value::String(text) if tarjeta::is_in(text) => {
            let mut hidden = Value::from(tarjeta::hidden(text));
            clean(&mut hidden);
            *value = hidden;
        }
        Value::String(text) if !text.chars().all(is_allowed) => {
            let allowed = |letter| {
                if is_allowed(letter) {
                    letter
                } else {
                    char::REPLACEMENT_CHARACTER
                }
            };
            *text = text.chars().map(allowed).collect();
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        Value::Object(fields) => fields.values_mut().for_each(clean),
        _ => {}
    }
}

/// Finds every text and every field name in a body that has forbidden characters or a number that may be that of a card.
pub(crate) fn check(value: &Value, path: Path<'_>, violations: &mut Violations) {
    match value {
        Value::String(text) if !text.chars().all(is_allowed) => {
            violations.add(path, Regla::Caracteres, RULE);
        }
        Value::String(text) if tarjeta::is_in(text) => {
            violations.add(path, Regla::NumeroDeTarjeta, tarjeta::RULE);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                check(item, Path::Item(&path, index), violations);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = path.field(name);
                if !name.chars().all(is_allowed) {
                    violations.add(path, Regla::Caracteres, RULE);
                } else if tarjeta::is_in(name) {
                    violations.add(path, Regla::NumeroDeTarjeta, tarjeta::RULE);
                }
                check(value, path, violations);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// True for a character that SQS accepts, according to the reference of `SendMessage`. SNS delivers notices to SQS
    /// queues.
    fn is_carried(letter: char) -> bool {
        matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
    }

    #[test]
    fn each_kind_that_is_refused_is_and_its_neighbours_are_not() {
        let refused = [
            '\0',
            '\u{7}',
            '\t',
            '\n',
            '\r',
            '\u{1b}',
            '\u{1f}',
            '\u{7f}',
            '\u{80}',
            '\u{9f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2066}',
            '\u{2069}',
            '\u{fdd0}',
            '\u{fdef}',
            '\u{fffe}',
            '\u{ffff}',
            '\u{1fffe}',
            '\u{10ffff}',
        ];
        for letter in refused {
            assert!(!is_allowed(letter), "{letter:?}");
        }
        let allowed = [
            ' ',
            '~',
            '\u{a0}',
            'ñ',
            '\u{200d}',
            '\u{200f}',
            '\u{2027}',
            '\u{202f}',
            '\u{2065}',
            '\u{206a}',
            '\u{fdcf}',
            '\u{fdf0}',
            '\u{fffd}',
            '\u{10000}',
            '👩',
            '\u{1fffd}',
        ];
        for letter in allowed {
            assert!(is_allowed(letter), "{letter:?}");
        }
    }

    #[test]
    fn a_text_is_checked_wherever_it_is_and_so_is_a_name() {
        let body = json!({"a": ["x", {"b\u{202e}": "y\u{7}"}], "c": {"d": "\u{ffff}"}, "e": 1});
        let found = crate::read(&body, |_, _| Some(())).unwrap_err();
        let found: Vec<_> = found.iter().map(|one| (&*one.campo, &*one.regla)).collect();
        assert_eq!(
            found,
            [
                ("a[1].b\\u{202e}", "caracteres"),
                ("a[1].b\\u{202e}", "caracteres"),
                ("c.d", "caracteres")
            ]
        );
    }

    #[test]
    fn the_number_of_a_card_is_refused_wherever_it_is_and_not_repeated() {
        let number = "4111 1111-11111111";
        let body = json!({"a": ["x", {number: "y"}], "c": {"d": format!("ñ{number}")}});
        let found = crate::read(&body, |body, violations| {
            body.object(&["a", "c"], violations)?;
            Some(())
        });
        let found = found.unwrap_err();
        let told: Vec<_> = found.iter().map(|one| (&*one.campo, &*one.regla)).collect();
        assert_eq!(
            told,
            [
                ("a[1].**** ****-********", "numero-de-tarjeta"),
                ("c.d", "numero-de-tarjeta")
            ]
        );
        assert!(!format!("{found:?}").contains("1111"), "{found:?}");
    }

    #[test]
    fn what_is_cleaned_is_allowed_and_as_long() {
        let mut value =
            json!({"a": ["x\ny", {"b": "ñ\u{ffff}"}], "c": 1, "d": "\n4111111111111111"});
        clean(&mut value);
        assert_eq!(
            value,
            json!({"a": ["x\u{fffd}y", {"b": "ñ\u{fffd}"}], "c": 1, "d": "\u{fffd}****************"})
        );
    }

    proptest! {
        #[test]
        fn all_that_is_allowed_is_carried(letter: char) {
            prop_assert!(!is_allowed(letter) || is_carried(letter));
        }

        #[test]
        fn what_is_visible_is_allowed(text: String) {
            prop_assert!(visible(&text).chars().all(is_allowed));
        }
    }
}
