//! Reads maps and lists out of the form of a request.

use std::collections::BTreeMap;

use super::answers::invalid;
use crate::{error::AwsError, http::Form};

/// Texts by names, for example the attributes of a topic.
pub(super) type Texts = BTreeMap<String, String>;

/// The value of a field that must be there.
pub(super) fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, AwsError> {
    form.get(name)
        .ok_or_else(|| invalid(&format!("{name} Reason: no value for required parameter")))
}

/// The required parameter with this name, which must have the form of an ARN.
pub(super) fn required_arn<'a>(form: &'a Form, name: &str) -> Result<&'a str, AwsError> {
    let arn = required(form, name)?;
    let elements = arn.split(':').count();
    if elements < 6 {
        return Err(invalid(&format!(
            "{name} Reason: An ARN must have at least 6 elements, not {elements}"
        )));
    }
    Ok(arn)
}

/// The prefixes `LIST.1`, `LIST.2`, … of a list, as far as there is a field with this prefix and `probe`.
pub(super) fn members(form: &Form, list: &str, probe: &str) -> Vec<String> {
    // The form has fewer fields than this.
    (1..u32::MAX)
        .map(|number| format!("{list}.{number}"))
        .take_while(|member| form.get(&format!("{member}{probe}")).is_some())
        .collect()
}

/// A map, whose entries are `LIST.1.NAME` and `LIST.1.VALUE`.
pub(super) fn map(form: &Form, list: &str, name: &str, value: &str) -> Texts {
    let (name, value) = (format!(".{name}"), format!(".{value}"));
    let entries = members(form, list, &name).into_iter().filter_map(|member| {
        let name = form.get(&format!("{member}{name}"))?;
        let value = form.get(&format!("{member}{value}")).unwrap_or_default();
        Some((name.to_owned(), value.to_owned()))
    });
    entries.collect()
}

/// The attributes `Attributes.entry.1.key` and so on.
pub(super) fn attributes(form: &Form) -> Texts {
    map(form, "Attributes.entry", "key", "value")
}

/// The tags `Tags.member.1.Key` and so on.
pub(super) fn tags(form: &Form) -> Texts {
    map(form, "Tags.member", "Key", "Value")
}

/// Refuses fields that the action does not have. A known name that ends with a dot stands for all that begin so, and for
/// an empty list, which has only the name.
pub(super) fn check(form: &Form, known: &[&str]) -> Result<(), AwsError> {
    let is_known = |name: &str| {
        let mut known = known.iter().chain(&["Action", "Version"]);
        known.any(|known| match known.strip_suffix('.') {
            Some(list) => name == list || name.starts_with(known),
            None => name == *known,
        })
    };
    let unknown = form.iter().find(|(name, _)| !is_known(name));
    unknown.map_or(Ok(()), |(name, _)| {
        Err(invalid(&format!(
            "{name} Reason: the local runtime does not know this parameter"
        )))
    })
}
