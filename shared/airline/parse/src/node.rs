//! The walk through a JSON value. A path is a chain of borrowed steps, which becomes text only when a fault is
//! recorded.

use std::fmt;

use alpes_messages::Violation;
use serde_json::{Map, Value};

use crate::{Regla, hidden, text};

/// Largest number of violations that an answer reports. Further violations are left out.
pub const MAX_VIOLATIONS: usize = 100;

/// Longest name of an unknown field that the answer repeats, in characters.
const MAX_ECHO: usize = 64;

/// The name of a field as the answer shows it: cut after [`MAX_ECHO`] characters, with forbidden characters escaped, and
/// without the number of a card.
fn echo(name: &str) -> String {
    let shown: String = hidden(name).chars().take(MAX_ECHO).collect();
    text::visible(&shown)
}

/// Reads a body with `reader`, or returns all faults of the body.
///
/// # Errors
///
/// Every [`Violation`], up to [`MAX_VIOLATIONS`].
pub fn read<T>(
    body: &Value,
    reader: impl FnOnce(Node<'_>, &mut Violations) -> Option<T>,
) -> Result<T, Vec<Violation>> {
    let mut violations = Violations::default();
    text::check(body, Path::Body, &mut violations);
    let node = Node {
        value: body,
        path: Path::Body,
    };
    let read = reader(node, &mut violations);
    violations.check(read)
}

/// The faults found so far.
#[derive(Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Returns `read` if no fault was recorded.
    pub(crate) fn none_or<T>(self, read: T) -> Result<T, Vec<Violation>> {
        if self.0.is_empty() {
            Ok(read)
        } else {
            Err(self.0)
        }
    }

    /// Returns the value if it could be read and no fault was recorded.
    ///
    /// # Errors
    ///
    /// Every [`Violation`], up to [`MAX_VIOLATIONS`].
    pub fn check<T>(self, read: Option<T>) -> Result<T, Vec<Violation>> {
        match read {
            Some(read) => self.none_or(read),
            None => Err(self.0),
        }
    }

    /// Records that the value at `path` breaks `regla`. `detalle` explains the fault in words.
    pub fn add(&mut self, path: Path<'_>, regla: Regla, detalle: impl Into<String>) {
        if self.0.len() < MAX_VIOLATIONS {
            self.0
                .push(Violation::new(path.to_string(), regla.name(), detalle));
        }
    }
}

/// The path of a value in a body.
#[derive(Clone, Copy)]
pub enum Path<'a> {
    /// The body itself.
    Body,
    /// A field of an object.
    Field(&'a Path<'a>, &'a str),
    /// An item of a list.
    Item(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    /// The path of a field of this value.
    #[must_use]
    pub fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => formatter.write_str("cuerpo"),
            Self::Field(Self::Body, name) => formatter.write_str(&echo(name)),
            Self::Field(parent, name) => write!(formatter, "{parent}.{}", echo(name)),
            Self::Item(parent, index) => write!(formatter, "{parent}[{index}]"),
        }
    }
}

/// A value with its path.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    value: &'a Value,
    path: Path<'a>,
}

impl<'a> Node<'a> {
    /// Records that the value breaks a rule. The result is always `None`, so that a reader can end with this call.
    pub fn fault<T>(
        &self,
        violations: &mut Violations,
        regla: Regla,
        detalle: impl Into<String>,
    ) -> Option<T> {
        violations.add(self.path, regla, detalle);
        None
    }

    /// The value as an object. A field that is not in `fields` is a fault.
    pub fn object(self, fields: &[&str], violations: &mut Violations) -> Option<Object<'a>> {
        let map = self.any_object(violations)?;
        let object = Object {
            fields: map,
            path: self.path,
        };
        for name in map.keys().filter(|name| !fields.contains(&name.as_str())) {
            let detalle = if fields.is_empty() {
                "Campo desconocido; aquí no va ninguno".to_owned()
            } else {
                format!("Campo desconocido; se admiten: {}", fields.join(", "))
            };
            violations.add(object.path.field(name), Regla::CampoDesconocido, detalle);
        }
        Some(object)
    }

    /// The value as an object with any fields. The caller reads the fields.
    pub fn any_object(self, violations: &mut Violations) -> Option<&'a Map<String, Value>> {
        let object = self.value.as_object();
        object.or_else(|| self.fault(violations, Regla::Tipo, "Debe ser un objeto"))
    }

    /// The value as `true` or `false`.
    pub fn boolean(self, violations: &mut Violations) -> Option<bool> {
        let boolean = self.value.as_bool();
        boolean.or_else(|| self.fault(violations, Regla::Tipo, "Debe ser true o false"))
    }

    pub(crate) fn is_number(self) -> bool {
        self.value.is_number()
    }

    /// The value as a whole number that is not negative. A number such as 1.0 or -0 is whole too, as in JSON Schema.
    pub(crate) fn unsigned(self) -> Option<u64> {
        let number = self.value.as_number()?;
        number.as_u64().or_else(|| {
            let text = number.to_string();
            let whole: i64 = text.strip_suffix(".0")?.parse().ok()?;
            u64::try_from(whole).ok()
        })
    }

    /// The value as a text.
    pub fn text(self, violations: &mut Violations) -> Option<&'a str> {
        self.text_or(violations, "Debe ser un texto")
    }

    /// The value as the text of a decimal. A JSON number is refused, because a reader of JSON numbers may round it.
    pub(crate) fn decimal(self, violations: &mut Violations) -> Option<&'a str> {
        let detalle = "Debe ser un decimal como texto, por ejemplo \"100.00\"";
        self.text_or(violations, detalle)
    }

    /// The value as a list of one to `limit` items. `reader` reads each item.
    pub fn items<T>(
        self,
        limit: usize,
        violations: &mut Violations,
        mut reader: impl FnMut(Node<'_>, &mut Violations) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Value::Array(items) = self.value else {
            return self.fault(violations, Regla::Tipo, "Debe ser una lista");
        };
        if items.is_empty() {
            return self.fault(violations, Regla::Vacio, "Debe tener al menos un elemento");
        }
        if items.len() > limit {
            let detalle = format!("Debe tener {limit} elementos como máximo");
            violations.add(self.path, Regla::Limite, detalle);
        }
        // All items are read, so that the faults of all items are recorded, even if the first item has a fault.
        let read: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let path = Path::Item(&self.path, index);
                reader(Node { value, path }, violations)
            })
            .collect();
        read.into_iter().collect()
    }

    fn text_or(self, violations: &mut Violations, detalle: &str) -> Option<&'a str> {
        match self.value {
            Value::String(text) => Some(text),
            _ => self.fault(violations, Regla::Tipo, detalle),
        }
    }
}

/// An object with its path.
#[derive(Clone, Copy)]
pub struct Object<'a> {
    fields: &'a Map<String, Value>,
    /// The path of the object in the body.
    pub path: Path<'a>,
}

impl Object<'_> {
    /// Reads a field with `reader`. It is a fault if the field is absent or null.
    pub fn required<T>(
        &self,
        name: &str,
        violations: &mut Violations,
        reader: impl FnOnce(Node<'_>, &mut Violations) -> Option<T>,
    ) -> Option<T> {
        let path = self.path.field(name);
        match self.fields.get(name) {
            None | Some(Value::Null) => {
                violations.add(path, Regla::Requerido, "Es obligatorio");
                None
            }
            Some(value) => reader(Node { value, path }, violations),
        }
    }

    /// Reads a field that may be absent or null. The result is also `None` if the field is invalid, and [`read`] then
    /// returns the fault.
    pub fn optional<T>(
        &self,
        name: &str,
        violations: &mut Violations,
        reader: impl FnOnce(Node<'_>, &mut Violations) -> Option<T>,
    ) -> Option<T> {
        let path = self.path.field(name);
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        reader(Node { value, path }, violations)
    }

    /// Reads a field that must be a list of one to `limit` items. `reader` reads each item.
    pub fn list<T>(
        &self,
        name: &str,
        limit: usize,
        violations: &mut Violations,
        reader: impl FnMut(Node<'_>, &mut Violations) -> Option<T>,
    ) -> Option<Vec<T>> {
        self.required(name, violations, |node, violations| {
            node.items(limit, violations, reader)
        })
    }
}
