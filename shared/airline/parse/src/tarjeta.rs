//! Numbers that may be the number of a payment card.
//!
//! An accepted text is stored for ever in event streams, log and archive, and no part of this system may hold the
//! number of a card. So the API refuses each text with such a number: 13 to 19 digits with a valid check digit
//! (ISO/IEC 7812-1), together or in groups. One number in ten of this length has a valid check digit by chance.

use std::ops::{Range, RangeInclusive};

use alpes_messages::moment::rfc3339;
use events::IdReserva;

use crate::forms::plain_decimal;

/// The rule in words, for the client. The words do not repeat the number.
pub(crate) const RULE: &str = "No debe tener un número que pueda ser el de una tarjeta: de 13 a 19 dígitos, juntos o en grupos, con su \
                               dígito de control; envíe un token";

/// The length of a card's number, in digits.
const DIGITS: RangeInclusive<usize> = 13..=19;
/// Largest number of characters between two groups of digits of one number.
const MAX_BETWEEN: usize = 3;

/// True if the text has a number that may be the number of a card.
pub(crate) fn is_in(text: &str) -> bool {
    !found_in(text).is_empty()
}

/// The text with an asterisk in place of each digit of a number that may be the number of a card.
#[must_use]
pub fn hidden(text: &str) -> String {
    let found = found_in(text);
    let hide = |(place, letter): (usize, char)| {
        let is_found = found.iter().any(|range| range.contains(&place));
        if is_found && letter.is_ascii_digit() {
            '*'
        } else {
            letter
        }
    };
    text.char_indices().map(hide).collect()
}

/// The places of all such numbers. An id, a date and an amount are no such number, whatever their digits, and neither is
/// a part of an id within a text.
fn found_in(text: &str) -> Vec<Range<usize>> {
    let mut groups = groups(text);
    if numbers_in(text, &groups).is_empty() {
        return vec![];
    }
    let has_another_form = || {
        text.parse::<IdReserva>().is_ok()
            || rfc3339(text).is_ok()
            || plain_decimal(text).is_some_and(|amount| amount.scale() > 0)
    };
    if has_another_form() {
        return vec![];
    }
    let ids = ids(text);
    groups.retain(|group| !ids.iter().any(|id| id.contains(&group.start)));
    numbers_in(text, &groups)
}

fn numbers_in(text: &str, groups: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found = vec![];
    for first in 0..groups.len() {
        found.extend(number_from(text, groups.get(first..).unwrap_or_default()));
    }
    found
}

/// The places of the UUIDs in a text, with hyphens and without. A UUID of digits only is none here.
fn ids(text: &str) -> Vec<Range<usize>> {
    let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let starts = text.char_indices().map(|(place, _)| place);
    let candidates = starts.flat_map(|start| [36, 32].map(|length| start..start + length));
    candidates
        .filter(|place| {
            let (before, after) = (text.get(..place.start), text.get(place.end..));
            text.get(place.clone()).is_some_and(|id| {
                id.parse::<IdReserva>().is_ok()
                    && id.contains(|letter: char| letter.is_ascii_alphabetic())
                    && !is_word(before.and_then(|text| text.chars().next_back()))
                    && !is_word(after.and_then(|text| text.chars().next()))
            })
        })
        .collect()
}

/// The longest number that begins with the first of these groups of digits and may be the number of a card.
fn number_from(text: &str, groups: &[Range<usize>]) -> Option<Range<usize>> {
    let first = groups.first()?;
    let (mut digits, mut end) = (String::new(), first.start);
    let mut found = None;
    for group in groups {
        let between = text.get(end..group.start)?;
        if !digits.is_empty() && !is_separator(between) {
            break;
        }
        digits.push_str(text.get(group.clone())?);
        end = group.end;
        if digits.len() > *DIGITS.end() {
            break;
        }
        if DIGITS.contains(&digits.len()) && has_check_digit(&digits) {
            found = Some(first.start..end);
        }
    }
    found
}

/// The places of the groups of digits. A group is as long as possible.
fn groups(text: &str) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = vec![];
    for (place, _) in text
        .bytes()
        .enumerate()
        .filter(|(_, byte)| byte.is_ascii_digit())
    {
        match groups.last_mut() {
            Some(last) if last.end == place => last.end += 1,
            _ => groups.push(place..place + 1),
        }
    }
    groups
}

fn is_separator(text: &str) -> bool {
    text.chars().count() <= MAX_BETWEEN
        && text.chars().all(|letter| {
            letter.is_whitespace()
                || matches!(letter, '-' | '.' | '_' | '/' | '\u{2010}'..='\u{2015}')
        })
}

/// The check digit of Luhn: from the right, each second digit counts twice, and the sum is a multiple of ten.
fn has_check_digit(digits: &str) -> bool {
    let values = digits.bytes().rev().map(|digit| u32::from(digit - b'0'));
    let sum: u32 = values
        .enumerate()
        .map(|(place, value)| match (place % 2, value * 2) {
            (0, _) => value,
            (_, twice) if twice > 9 => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;

    #[test]
    fn numbers_of_cards_are_found_however_they_are_written() {
        // Numbers that providers publish for tests: Visa, Mastercard, American Express, and Visa's of 13 and 19 digits.
        for number in [
            "4111111111111111",
            "5555555555554444",
            "378282246310005",
            "4222222222222",
            "4000000000000000006",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111.1111.1111.1111",
            "4111_1111_1111_1111",
            "4111 - 1111 - 1111 - 1111",
            "4111\u{a0}1111\u{2013}1111\u{2009}1111",
            "3782 822463 10005",
        ] {
            for text in [
                number.to_owned(),
                format!("tok_{number}"),
                format!("visa{number}vence12/28"),
                format!("la tarjeta {number} 12/28 123, por favor"),
                format!("2 {number}"),
            ] {
                assert!(is_in(&text), "{text}");
                let hidden = hidden(&text);
                assert!(!is_in(&hidden), "{hidden}");
                assert_eq!(hidden.chars().count(), text.chars().count());
            }
        }
        assert_eq!(
            hidden("Ana 4111-1111-1111-1111, 5"),
            "Ana ****-****-****-****, 5"
        );
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "",
            "tok_visa",
            "4111111111111112",
            "411111111111",
            "41111111111111111111",
            "4111,1111,1111,1111",
            "4111 1111 1111 a 1111",
            "+57 300 123 4567",
            "2022-11-22T13:10:00.411111111-05:00",
            "411111111111.1111",
            "41111111-1111-4111-8111-aaaaaaaaaaaa",
            "cliente-41111111-1111-4111-8111-aaaaaaaaaaaa, y otro",
            "cliente-4111111111111111aaaaaaaaaaaaaaaa",
            "4111----1111----1111----1111",
        ] {
            assert!(!is_in(text), "{text}");
            assert_eq!(hidden(text), text);
        }
        // These ids and amounts have a number with a check digit in them.
        assert!(is_in("una 41111111-1111-1111-a"));
        assert!(
            is_in("cliente-4111111111111111aaaaaaaaaaaaaaaaa"),
            "too long for an id"
        );
        assert!(is_in("41111111111111.11"));
    }

    /// Appends the check digit to these digits.
    fn checked(mut digits: String) -> String {
        let last = (0..10_u32).find(|last| has_check_digit(&format!("{digits}{last}")));
        digits.push_str(&last.unwrap().to_string());
        digits
    }

    proptest! {
        #[test]
        fn every_number_with_its_check_digit_is_found_and_hidden_in_any_groups(
            digits in "[1-9][0-9]{11,17}",
            cuts in vec(1..5_usize, 1..19),
            between in select(vec!["", " ", "-", ".", " - "]),
            around in ("[a-zñ]{0,4}", "[a-zñ]{0,4}"),
        ) {
            let number = checked(digits);
            let mut rest = number.as_str();
            let mut parts = vec![];
            for cut in cuts {
                let (part, more) = rest.split_at(cut.min(rest.len()));
                parts.push(part);
                rest = more;
            }
            parts.push(rest);
            parts.retain(|part| !part.is_empty());
            let text = format!("{}{}{}", around.0, parts.join(between), around.1);
            // A number in two parts can also be read as an amount.
            prop_assume!(parts.len() != 2 || between != ".");
            prop_assert!(is_in(&text), "{text}");
            prop_assert!(hidden(&text).bytes().all(|byte| !byte.is_ascii_digit()));
        }

        #[test]
        fn what_is_hidden_has_no_number_and_is_as_long(text in "[0-9 .a-]{0,60}") {
            let hidden = hidden(&text);
            prop_assert_eq!(hidden.chars().count(), text.chars().count());
            prop_assert!(!is_in(&hidden), "{} from {}", hidden, text);
            prop_assert_eq!(is_in(&text), hidden != text);
        }
    }
}
