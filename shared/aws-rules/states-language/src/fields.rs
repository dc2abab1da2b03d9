//! Reading the objects of a definition so that no field is ignored.

use std::collections::BTreeMap;

use serde_json::Value;
use thiserror::Error;

/// The reason why a definition is refused.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{}{field}: {rule}", state.as_ref().map(|name| format!("state {name:?}, ")).unwrap_or_default())]
pub struct DefinitionError {
    /// The state at fault; `None` for a field of the machine itself.
    pub state: Option<String>,
    /// The path of the field at fault, as in `Retry[0].MaxAttempts`.
    pub field: String,
    /// The rule that the field breaks.
    pub rule: String,
}

/// An object of a definition. The reader of the object must take each field.
pub(crate) struct Fields<'a> {
    state: Option<&'a str>,
    /// The path of the object within the state, as in `Retry[0]`; empty for the state itself.
    at: String,
    left: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(
        value: &'a Value,
        state: Option<&'a str>,
        at: &str,
    ) -> Result<Self, DefinitionError> {
        let mut fields = Self {
            state,
            at: at.to_owned(),
            left: BTreeMap::new(),
        };
        let Value::Object(object) = value else {
            let mut fault = fields.fault("", "is no object");
            if fault.field.is_empty() {
                "the definition".clone_into(&mut fault.field);
            }
            return Err(fault);
        };
        fields.left = object
            .iter()
            .map(|(name, value)| (name.as_str(), value))
            .collect();
        Ok(fields)
    }

    /// Takes the comment, which has no effect.
    pub(crate) fn without_comment(mut self) -> Result<Self, DefinitionError> {
        self.text("Comment")?;
        Ok(self)
    }

    pub(crate) fn state(&self) -> Option<&'a str> {
        self.state
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<&'a Value> {
        self.left.remove(name)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// The path of a field, as in `Retry[0].MaxAttempts`.
    pub(crate) fn path_of(&self, name: &str) -> String {
        match (self.at.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.at.clone(),
            (false, false) => format!("{}.{name}", self.at),
        }
    }

    pub(crate) fn fault(&self, name: &str, rule: impl Into<String>) -> DefinitionError {
        DefinitionError {
            state: self.state.map(str::to_owned),
            field: self.path_of(name),
            rule: rule.into(),
        }
    }

    /// Takes and reads a field; `None` if it is missing.
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Result<Option<T>, DefinitionError> {
        let value = self.take(name).map(read).transpose();
        value.map_err(|rule| self.fault(name, rule))
    }

    /// Takes and reads a field that must not be missing.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Result<T, String>,
    ) -> Result<T, DefinitionError> {
        let value = self.read(name, read)?;
        value.ok_or_else(|| self.fault(name, "is missing"))
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<Option<&'a str>, DefinitionError> {
        self.read(name, text)
    }

    /// Takes a non-empty list of objects, each read by `read`; an empty result if the field is missing.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        read: impl Fn(Fields<'a>) -> Result<T, DefinitionError>,
    ) -> Result<Vec<T>, DefinitionError> {
        let Some(value) = self.take(name) else {
            return Ok(vec![]);
        };
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return Err(self.fault(name, "is not a non-empty list"));
        };
        let path = self.path_of(name);
        let items = items.iter().enumerate().map(|(place, item)| {
            let fields = Fields::of(item, self.state, &format!("{path}[{place}]"))?;
            read(fields.without_comment()?)
        });
        items.collect()
    }

    /// Fails if a field was not taken.
    pub(crate) fn finish(self) -> Result<(), DefinitionError> {
        match self.left.keys().next() {
            Some(name) => Err(self.fault(name, "is not supported here")),
            None => Ok(()),
        }
    }
}

pub(crate) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "is no text".to_owned())
}

pub(crate) fn boolean(value: &Value) -> Result<bool, String> {
    let boolean = value.as_bool();
    boolean.ok_or_else(|| "is neither true nor false".to_owned())
}

/// Reads a whole number from `least` to AWS's maximum.
pub(crate) fn whole(least: u32) -> impl Fn(&Value) -> Result<u32, String> {
    const MOST: u32 = 99_999_999;
    move |value| {
        let number = value.as_u64().and_then(|number| number.try_into().ok());
        number
            .filter(|number| (least..=MOST).contains(number))
            .ok_or_else(|| format!("is no whole number from {least} to {MOST}"))
    }
}
