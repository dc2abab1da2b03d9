//! Field mappings from events to commands, as data rather than code. The coordinator of a saga, the policies of a
//! choreography and any other saga engine can use the same field mapping.

use std::fmt;

use serde_json::{Map, Value};
use thiserror::Error;

/// The name under which a saga's context (the values from which its commands are built) describes the saga itself:
/// `saga.id`, `saga.subject`, `saga.reason`.
pub const OF_THE_SAGA: &str = "saga";

/// A path to a field of an event that the saga received: the event's type, then names of fields, as in
/// `OrderPlaced.payment.amount`. A path that begins with [`OF_THE_SAGA`] names a field of the saga itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldPath(pub &'static str);

impl FieldPath {
    fn parts(self) -> impl Iterator<Item = &'static str> {
        self.0.split('.')
    }

    /// The first name: the type of an event, or [`OF_THE_SAGA`].
    #[must_use]
    pub fn root(self) -> &'static str {
        self.parts().next().unwrap_or_default()
    }

    /// The rest after [`FieldPath::root`], with a dot before each name: `.payment.amount`.
    #[must_use]
    pub fn below_root(self) -> &'static str {
        self.0.get(self.root().len()..).unwrap_or_default()
    }

    /// True if the path begins with one of these events, or with the saga itself.
    #[must_use]
    pub fn begins_with_one_of(self, events: &[&str]) -> bool {
        self.root() == OF_THE_SAGA || events.contains(&self.root())
    }

    fn find(self, context: &Map<String, Value>) -> Option<&Value> {
        let mut parts = self.parts();
        let root = context.get(parts.next()?)?;
        parts
            .try_fold(root, |value, name| value.get(name))
            .filter(|found| !found.is_null())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

/// The source of a command's field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A field of a received event.
    Path(FieldPath),
    /// A constant text.
    Text(&'static str),
}

/// The saga's context has no value at this path, so the command cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0} has no value")]
pub struct Unknown(pub String);

/// A field mapping: the fields of a command's data, each with its source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping(pub Vec<(&'static str, Source)>);

impl Mapping {
    /// A field mapping without fields.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds a field that is copied from `path`.
    #[must_use]
    pub fn field(mut self, name: &'static str, path: &'static str) -> Self {
        self.0.push((name, Source::Path(FieldPath(path))));
        self
    }

    /// Adds a field with a constant text.
    #[must_use]
    pub fn text(mut self, name: &'static str, text: &'static str) -> Self {
        self.0.push((name, Source::Text(text)));
        self
    }

    /// The paths that the field mapping reads.
    pub fn paths(&self) -> impl Iterator<Item = FieldPath> {
        self.0.iter().filter_map(|(_, source)| match source {
            Source::Path(path) => Some(*path),
            Source::Text(_) => None,
        })
    }

    /// Builds the data of a command from the saga's context.
    ///
    /// # Errors
    ///
    /// [`Unknown`] for the first path that has no value, or null.
    pub fn build(&self, context: &Map<String, Value>) -> Result<Value, Unknown> {
        let fields = self.0.iter().map(|(name, source)| {
            let value = match source {
                Source::Text(text) => Value::from(*text),
                Source::Path(path) => path
                    .find(context)
                    .cloned()
                    .ok_or_else(|| Unknown(path.to_string()))?,
            };
            Ok(((*name).to_owned(), value))
        });
        fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
    }
}

/// The parts of an event's data that these field mappings read. A saga keeps only these parts for its later commands.
pub fn needed<'a>(mappings: impl Iterator<Item = &'a Mapping>, kind: &str, data: &Value) -> Value {
    let mut kept = Value::Object(Map::new());
    for path in mappings.flat_map(Mapping::paths) {
        if path.root() != kind {
            continue;
        }
        let names: Vec<_> = path.parts().skip(1).collect();
        let found = names.iter().try_fold(data, |value, name| value.get(name));
        if let Some(found) = found {
            put(&mut kept, &names, found);
        }
    }
    kept
}

fn put(kept: &mut Value, names: &[&str], value: &Value) {
    let Some((name, rest)) = names.split_first() else {
        *kept = value.clone();
        return;
    };
    if let Value::Object(object) = kept {
        let inner = object
            .entry((*name).to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        put(inner, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_is_built_from_what_was_heard() {
        let mapping = Mapping::empty()
            .field("amount", "Placed.payment.amount")
            .field("reason", "saga.reason")
            .text("channel", "web");
        let Value::Object(context) = json!({
            "Placed": {"payment": {"amount": "1.00", "other": 2}},
            "saga": {"reason": "m"},
        }) else {
            unreachable!("an object")
        };
        assert_eq!(
            mapping.build(&context).unwrap(),
            json!({"amount": "1.00", "reason": "m", "channel": "web"})
        );
    }

    #[test]
    fn what_is_missing_or_null_is_named() {
        let mapping = Mapping::empty().field("amount", "Placed.payment.amount");
        for placed in [
            json!({}),
            json!({"payment": null}),
            json!({"payment": {"amount": null}}),
        ] {
            let context = Map::from_iter([("Placed".to_owned(), placed)]);
            assert_eq!(
                mapping.build(&context),
                Err(Unknown("Placed.payment.amount".into()))
            );
        }
    }

    #[test]
    fn only_what_is_needed_is_kept() {
        let mappings = [
            Mapping::empty().field("a", "Placed.payment.amount"),
            Mapping::empty()
                .field("b", "Placed.payment.currency")
                .field("c", "Other.x")
                .field("d", "Placed.lines"),
        ];
        let data = json!({"payment": {"amount": 1, "currency": "USD", "means": "m"}, "lines": [1], "y": 2});
        assert_eq!(
            needed(mappings.iter(), "Placed", &data),
            json!({"payment": {"amount": 1, "currency": "USD"}, "lines": [1]})
        );
        assert_eq!(needed(mappings.iter(), "Foreign", &data), json!({}));
    }
}
