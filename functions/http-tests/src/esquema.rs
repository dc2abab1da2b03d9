//! Compares data with the schema of an event's type, and lists every fault with its place.
//!
//! The schemas are generated from Rust types of this project, so this module reads only the few keywords that these
//! schemas use. A test fails if a schema uses another keyword.

use alpes_messages::{Violation, moment::rfc3339};
use events::IdReserva;
use parse::Regla;
use regex_lite::Regex;
use serde_json::{Map, Value};

/// Longest part of an unknown field's name that the answer repeats, in characters.
const MAX_ECHO: usize = 64;

/// Lists the faults of data under a schema. A field that the schema does not name is a fault, because a misspelt
/// optional field would otherwise seem to be absent.
pub(crate) fn faults(schema: &Value, data: &Value) -> Vec<Violation> {
    let mut reading = Reading {
        parts: schema.get("$defs"),
        faults: vec![],
    };
    reading.look(schema, data, "data");
    reading.faults
}

pub(crate) fn violation(
    campo: impl Into<String>,
    regla: Regla,
    detalle: impl Into<String>,
) -> Violation {
    Violation::new(campo, regla.name(), detalle)
}

struct Reading<'a> {
    /// The schemas to which `$ref` refers.
    parts: Option<&'a Value>,
    faults: Vec<Violation>,
}

impl Reading<'_> {
    fn fault(&mut self, at: &str, regla: Regla, detalle: impl Into<String>) {
        self.faults.push(violation(at, regla, detalle));
    }

    fn look(&mut self, schema: &Value, data: &Value, at: &str) {
        let part = schema.get("$ref").and_then(Value::as_str);
        let part = part.and_then(|path| self.parts?.get(path.strip_prefix("#/$defs/")?));
        if let Some(part) = part {
            self.look(part, data, at);
        }
        if let Some(choices) = list(schema, "anyOf") {
            // One of the two alternatives is null. Data that is not null must match the other alternative.
            let mut somethings = choices.iter().filter(|choice| !is_null(choice));
            if let Some(something) = somethings.next().filter(|_| !data.is_null()) {
                self.look(something, data, at);
            }
        }
        let is_choice = |choice: &Value| choice.get("const") == Some(data);
        if list(schema, "oneOf").is_some_and(|choices| !choices.iter().any(is_choice)) {
            self.fault(at, Regla::Opcion, "No es una de las opciones");
        }
        let types = types(schema);
        if !types.is_empty() && !types.iter().any(|of| is_of(of, data)) {
            let words: Vec<_> = types.iter().map(|of| word(of)).collect();
            self.fault(at, Regla::Tipo, format!("Debe ser {}", words.join(" o ")));
            return;
        }
        match data {
            Value::Object(fields) => self.fields(schema, fields, at),
            Value::Array(items) => {
                if let Some(of_items) = schema.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.look(of_items, item, &format!("{at}[{index}]"));
                    }
                }
            }
            Value::String(text) => self.text(schema, text, at),
            Value::Number(number) => {
                let limit = schema.get("minimum").and_then(Value::as_f64);
                if let (Some(limit), Some(number)) = (limit, number.as_f64())
                    && number < limit
                {
                    self.fault(at, Regla::Limite, format!("Debe ser {limit} como mínimo"));
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn fields(&mut self, schema: &Value, fields: &Map<String, Value>, at: &str) {
        let known = schema.get("properties").and_then(Value::as_object);
        let Some(known) = known else {
            return;
        };
        let required = list(schema, "required").unwrap_or_default().iter();
        for name in required.filter_map(Value::as_str) {
            if !fields.contains_key(name) {
                self.fault(&format!("{at}.{name}"), Regla::Requerido, "Es obligatorio");
            }
        }
        for (name, value) in fields {
            let echo: String = name.chars().take(MAX_ECHO).collect();
            let place = format!("{at}.{echo}");
            match known.get(name) {
                Some(schema) => self.look(schema, value, &place),
                None => self.fault(&place, Regla::CampoDesconocido, "Campo desconocido"),
            }
        }
    }

    fn text(&mut self, schema: &Value, text: &str, at: &str) {
        match schema.get("format").and_then(Value::as_str) {
            Some("date-time") if rfc3339(text).is_err() => {
                let detalle =
                    "Debe ser una fecha RFC 3339 con zona, por ejemplo 2022-11-22T13:10:00Z";
                self.fault(at, Regla::Fecha, detalle);
            }
            Some("uuid") if text.len() != 36 || text.parse::<IdReserva>().is_err() => {
                self.fault(at, Regla::Formato, "Debe ser un UUID");
            }
            _ => {}
        }
        let pattern = schema.get("pattern").and_then(Value::as_str);
        let is_other = |pattern: &&str| Regex::new(pattern).is_ok_and(|it| !it.is_match(text));
        if let Some(pattern) = pattern.filter(is_other) {
            self.fault(at, Regla::Formato, format!("Debe tener la forma {pattern}"));
        }
    }
}

fn list<'a>(schema: &'a Value, keyword: &str) -> Option<&'a [Value]> {
    schema.get(keyword)?.as_array().map(Vec::as_slice)
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(some)) => some.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

fn is_of(name: &str, data: &Value) -> bool {
    match name {
        "string" => data.is_string(),
        "object" => data.is_object(),
        "array" => data.is_array(),
        "integer" => data.is_i64() || data.is_u64(),
        "number" => data.is_number(),
        "boolean" => data.is_boolean(),
        _ => data.is_null(),
    }
}

fn word(name: &str) -> &'static str {
    match name {
        "string" => "un texto",
        "object" => "un objeto",
        "array" => "una lista",
        "integer" => "un entero",
        "number" => "un número",
        "boolean" => "true o false",
        _ => "nulo",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The keywords that this module reads, and the keywords that do not restrict the data.
    const KNOWN: [&str; 17] = [
        "$defs",
        "$ref",
        "$schema",
        "anyOf",
        "const",
        "default",
        "description",
        "examples",
        "format",
        "items",
        "minimum",
        "oneOf",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    ];

    fn keywords(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(object) => {
                for (name, value) in object {
                    found.insert(name.clone());
                    match (name.as_str(), value) {
                        ("properties" | "$defs", Value::Object(named)) => {
                            named.values().for_each(|schema| keywords(schema, found));
                        }
                        ("const" | "examples" | "default", _) => {}
                        _ => keywords(value, found),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|schema| keywords(schema, found)),
            _ => {}
        }
    }

    #[test]
    fn the_schemas_have_no_keyword_that_is_not_read() {
        let mut found = BTreeSet::new();
        for known in events::catalogue().types() {
            keywords(&known.schema().to_value(), &mut found);
        }
        let others: Vec<_> = found
            .iter()
            .filter(|name| !KNOWN.contains(&name.as_str()))
            .collect();
        assert_eq!(others, Vec::<&String>::new());
    }

    #[test]
    fn the_choices_of_the_schemas_are_words_or_null() {
        for known in events::catalogue().types() {
            let text = known.schema().to_value().to_string();
            assert_eq!(
                text.matches("\"anyOf\"").count(),
                text.matches("{\"type\":\"null\"}").count(),
                "{}: a choice that is not between something and null",
                known.name
            );
        }
    }
}
