//! Reading the members of a JSON request.

use serde_json::{Map, Value};

use crate::{error::AwsError, input::lower_first};

/// The members of a request. A member that is null counts as missing.
pub(super) struct Members(pub(super) Map<String, Value>);

impl Members {
    /// Refuses members that are not in one of these lists.
    pub(super) fn parse(body: &[u8], known: &[&str], further: &[&str]) -> Result<Self, AwsError> {
        let malformed = |cause: &dyn std::fmt::Display| {
            AwsError::client("SerializationException", format!("the body: {cause}"))
        };
        let body = if body.is_empty() { b"{}" } else { body };
        let body: Value = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        let Value::Object(mut members) = body else {
            return Err(malformed(&"must be a JSON object"));
        };
        members.retain(|_, value| !value.is_null());
        for (name, value) in &members {
            // Tools send the default.
            let is_default = name == "TumblingWindowInSeconds" && *value == 0;
            let is_known = known.contains(&name.as_str()) || further.contains(&name.as_str());
            if !is_known && !is_default {
                let message = format!("{name} is not supported by this runtime");
                return Err(AwsError::client("ValidationException", message));
            }
        }
        Ok(Self(members))
    }

    pub(super) fn read<'a, T>(
        &'a self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, AwsError> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        let malformed = || {
            let message = format!("{name} must be {kind}, not {value}");
            AwsError::client("SerializationException", message)
        };
        read(value).map(Some).ok_or_else(malformed)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, AwsError> {
        self.read(name, "a text", Value::as_str)
    }

    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, AwsError> {
        self.read(name, "true or false", Value::as_bool)
    }

    pub(super) fn object(&self, name: &str) -> Result<Option<&Map<String, Value>>, AwsError> {
        self.read(name, "an object", Value::as_object)
    }

    /// A whole number within limits.
    pub(super) fn number(
        &self,
        name: &str,
        least: i64,
        most: i64,
    ) -> Result<Option<i64>, AwsError> {
        let Some(number) = self.read(name, "a whole number", Value::as_i64)? else {
            return Ok(None);
        };
        let value = number.to_string();
        if number < least {
            let rule = format!("have value greater than or equal to {least}");
            return Err(constraint(&lower_first(name), &value, &rule));
        }
        if number > most {
            let rule = format!("have value less than or equal to {most}");
            return Err(constraint(&lower_first(name), &value, &rule));
        }
        Ok(Some(number))
    }

    /// A number that is not negative.
    pub(super) fn count<T: TryFrom<i64>>(
        &self,
        name: &str,
        least: i64,
        most: i64,
    ) -> Result<Option<T>, AwsError> {
        let number = self.number(name, least, most)?;
        Ok(number.and_then(|number| T::try_from(number).ok()))
    }

    /// Sets a limit if the request names it. -1 stands for no limit.
    pub(super) fn limit<T: TryFrom<i64>>(
        &self,
        name: &str,
        most: i64,
        limit: &mut Option<T>,
    ) -> Result<(), AwsError> {
        if let Some(number) = self.number(name, -1, most)? {
            *limit = T::try_from(number).ok().filter(|_| number >= 0);
        }
        Ok(())
    }

    /// A list that is empty, or has this one text. True if it has the text.
    pub(super) fn texts(&self, name: &str, known: &str) -> Result<Option<bool>, AwsError> {
        let Some(list) = self.read(name, "a list", Value::as_array)? else {
            return Ok(None);
        };
        match list.iter().find(|text| *text != known) {
            Some(other) => {
                let rule = format!("satisfy enum value set: [{known}]");
                Err(constraint(&lower_first(name), &other.to_string(), &rule))
            }
            None => Ok(Some(!list.is_empty())),
        }
    }
}

/// The error of a value that the API's model refuses.
pub(super) fn constraint(name: &str, value: &str, rule: &str) -> AwsError {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{name}' failed to satisfy constraint: Member must {rule}"
    );
    AwsError::client("ValidationException", message)
}
