//! Readers for values that several contexts use, for example ids, amounts and dates.

use std::{ops::RangeInclusive, str::FromStr};

use alpes_messages::moment::rfc3339;
use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::{Node, Regla, Violations};

impl<'a> Node<'a> {
    /// The value as a text of at most `limit` characters.
    pub fn text_up_to(self, limit: usize, violations: &mut Violations) -> Option<&'a str> {
        let text = self.text(violations)?;
        if text.chars().count() > limit {
            let detalle = format!("Debe tener {limit} caracteres como máximo");
            return self.fault(violations, Regla::Limite, detalle);
        }
        Some(text)
    }

    /// The value as a text of at most `limit` characters that is not blank.
    pub fn words(self, limit: usize, violations: &mut Violations) -> Option<&'a str> {
        if self.text(violations)?.trim().is_empty() {
            return self.fault(violations, Regla::Vacio, "Debe decir algo");
        }
        self.text_up_to(limit, violations)
    }

    /// The value as one of these words. Returns the item beside the word in `choices`.
    pub fn one_of<T: Copy>(self, choices: &[(&str, T)], violations: &mut Violations) -> Option<T> {
        let text = self.text(violations)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).or_else(|| {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            let detalle = format!("Debe ser uno de {}", words.join(", "));
            self.fault(violations, Regla::Opcion, detalle)
        })
    }

    /// The value as an id. Every id is a UUID.
    pub fn id<T: FromStr>(self, violations: &mut Violations) -> Option<T> {
        let id = self.text(violations)?.parse().ok();
        id.or_else(|| self.fault(violations, Regla::Formato, "Debe ser un UUID"))
    }

    /// The value as a whole number within a range.
    pub fn whole(self, range: RangeInclusive<u32>, violations: &mut Violations) -> Option<u32> {
        let (least, most) = (range.start(), range.end());
        let detalle = format!("Debe ser un entero de {least} a {most}");
        if !self.is_number() {
            return self.fault(violations, Regla::Tipo, detalle);
        }
        let number = self.unsigned().and_then(|number| number.try_into().ok());
        let number = number.filter(|number| range.contains(number));
        number.or_else(|| self.fault(violations, Regla::Limite, detalle))
    }

    /// The value as three capital letters, the form of IATA codes and of currencies.
    pub fn code(self, violations: &mut Violations) -> Option<&'a str> {
        let code = self.text(violations)?;
        if code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
            Some(code)
        } else {
            self.fault(
                violations,
                Regla::Formato,
                "Debe ser tres letras mayúsculas",
            )
        }
    }

    /// The value as an amount of money. An amount has no sign, so it is never negative.
    pub fn amount(self, violations: &mut Violations) -> Option<Decimal> {
        let amount = plain_decimal(self.decimal(violations)?);
        amount.or_else(|| self.fault(
            violations,
            Regla::Formato,
            "Debe ser un decimal sin signo, de 12 enteros y 4 decimales como máximo, por ejemplo \"100.00\"",
        ))
    }

    /// The value as an amount of money that is not zero.
    pub fn positive_amount(self, violations: &mut Violations) -> Option<Decimal> {
        let amount = self.amount(violations)?;
        if amount.is_zero() {
            return self.fault(violations, Regla::MontoPositivo, "Debe ser mayor que cero");
        }
        Some(amount)
    }

    /// The value as a time with an offset.
    pub fn date(self, violations: &mut Violations) -> Option<Timestamp> {
        let date = rfc3339(self.text(violations)?).ok();
        date.or_else(|| {
            self.fault(
                violations,
                Regla::Fecha,
                "Debe ser una fecha RFC 3339 con zona, por ejemplo 2022-11-22T13:10:00Z",
            )
        })
    }
}

pub(crate) fn plain_decimal(text: &str) -> Option<Decimal> {
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    let plain = digits(whole, 12) && fraction.is_none_or(|fraction| digits(fraction, 4));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::read;

    #[test]
    fn a_whole_number_is_one_by_its_value() {
        for (text, expected) in [
            ("481", Some(481)),
            ("481.0", Some(481)),
            ("1e2", Some(100)),
            ("-0.0", Some(0)),
            ("481.5", None),
            ("-1.0", None),
            ("1001.0", None),
            ("1e300", None),
            ("\"481\"", None),
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            let found = read(&value, |node, violations| node.whole(0..=1_000, violations));
            assert_eq!(found.ok(), expected, "{text}");
        }
    }
}
