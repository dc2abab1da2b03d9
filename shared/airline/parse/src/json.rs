//! Reads JSON in which each field occurs at most once (RFC 7493, 2.3).
//!
//! The parser is `serde_json`, which by itself would silently keep the last of two fields with one name.

use std::{collections::BTreeSet, fmt};

use alpes_messages::Violation;
use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

use crate::{Path, Regla, Violations};

/// Reads the JSON of a text. If fields occur more than once, the result is a violation for each repeated field.
///
/// # Errors
///
/// The parser's error if the text is not JSON.
pub fn json(text: &str) -> serde_json::Result<Result<Value, Vec<Violation>>> {
    let mut violations = Violations::default();
    let mut parser = serde_json::Deserializer::from_str(text);
    let place = Place {
        path: Path::Body,
        violations: &mut violations,
    };
    let value = place.deserialize(&mut parser)?;
    parser.end()?;
    Ok(violations.none_or(value))
}

/// The path of the value that is read next, and the faults found so far.
struct Place<'a> {
    path: Path<'a>,
    violations: &'a mut Violations,
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = vec![];
        loop {
            let place = Place {
                path: Path::Item(&self.path, list.len()),
                violations: &mut *self.violations,
            };
            match items.next_element_seed(place)? {
                Some(item) => list.push(item),
                None => return Ok(list.into()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut repeated = BTreeSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            let place = Place {
                path: self.path.field(&name),
                violations: &mut *self.violations,
            };
            let value = fields.next_value_seed(place)?;
            if object.contains_key(&name) {
                repeated.insert(name);
            } else {
                object.insert(name, value);
            }
        }
        for name in &repeated {
            let path = self.path.field(name);
            let detalle = "Debe aparecer una sola vez";
            self.violations.add(path, Regla::Repetido, detalle);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeated(text: &str) -> Vec<String> {
        let violations = json(text).unwrap().err().unwrap_or_default();
        violations
            .into_iter()
            .map(|fault| format!("{}: {}", fault.campo, fault.regla))
            .collect()
    }

    #[test]
    fn what_is_there_once_is_read_as_serde_json_reads_it() {
        for text in [
            "null",
            " true ",
            "-7",
            "18446744073709551615",
            "1.5e3",
            r#""\u006d\ud83d\udeeb""#,
            "[]",
            "{}",
            r#"{"a": {"a": [{"a": 1}, {"a": null}]}, "b": [[], [0.1]], "A": ""}"#,
        ] {
            let expected: Value = serde_json::from_str(text).unwrap();
            assert_eq!(json(text).unwrap(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_pointed_to_as_serde_json_does() {
        let deep = "[".repeat(200);
        for text in ["", "{", "{} {}", r#"{"a": 1, "a": }"#, "1e999", &deep] {
            let expected = serde_json::from_str::<Value>(text).unwrap_err();
            let error = json(text).unwrap_err();
            assert_eq!(error.to_string(), expected.to_string(), "{text}");
        }
    }

    #[test]
    fn what_is_there_twice_is_named_once_with_its_place() {
        for (text, expected) in [
            (r#"{"a": 1, "a": 1}"#, vec!["a: repetido"]),
            (
                r#"{"a": 1, "b": 2, "\u0061": 3, "a": 4}"#,
                vec!["a: repetido"],
            ),
            (
                r#"[{"b": {"c": 1, "c": 2}}, {"b": 1, "b": 2}]"#,
                vec!["cuerpo[0].b.c: repetido", "cuerpo[1].b: repetido"],
            ),
            (
                r#"{"a": {"x": 1, "x": 2}, "z": 1, "a": 1, "z": 2}"#,
                vec!["a.x: repetido", "a: repetido", "z: repetido"],
            ),
            (r#"{"": 1, "": 2}"#, vec![": repetido"]),
        ] {
            assert_eq!(repeated(text), expected, "{text}");
        }
        let many: Vec<_> = (0..500)
            .map(|field| format!(r#""{field}": 1, "{field}": 2"#))
            .collect();
        let many = repeated(&format!("{{{}}}", many.join(",")));
        assert_eq!(many.len(), crate::MAX_VIOLATIONS);
    }
}
