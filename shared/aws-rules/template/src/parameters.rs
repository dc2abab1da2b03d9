//! The parameters of a template: their types, defaults and limits.

use std::collections::BTreeMap;

use regex_lite::Regex;

use crate::{
    TemplateError,
    error::At,
    node::{Entry, Node},
};

/// The fields that a parameter's declaration may have.
const KNOWN: [&str; 11] = [
    "Type",
    "Default",
    "Description",
    "AllowedValues",
    "AllowedPattern",
    "ConstraintDescription",
    "MinLength",
    "MaxLength",
    "MinValue",
    "MaxValue",
    "NoEcho",
];

/// The values of all declared parameters: texts, and lists of texts.
pub(crate) fn take(
    declared: &[Entry],
    given: &[(&str, &str)],
    at: &At<'_>,
) -> Result<BTreeMap<String, Node>, TemplateError> {
    let value = |parameter: &Entry| {
        let given = given.iter().rev().find(|(name, _)| *name == parameter.key);
        let given = given.map(|(_, value)| *value);
        let at = at.key(&parameter.key, parameter.line);
        let value = Parameter::of(&parameter.value, at)?.value(given)?;
        Ok((parameter.key.clone(), value))
    };
    declared.iter().map(value).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Number,
    Texts,
    Numbers,
}

struct Parameter<'a> {
    set: &'a Node,
    kind: Kind,
    at: At<'a>,
}

impl<'a> Parameter<'a> {
    fn of(set: &'a Node, at: At<'a>) -> Result<Self, TemplateError> {
        if let Some(unknown) = set
            .entries()
            .iter()
            .find(|entry| !KNOWN.contains(&entry.key.as_str()))
        {
            return Err(at.key(&unknown.key, unknown.line).unsupported(""));
        }
        let kind = match set.get("Type").and_then(Node::as_text) {
            Some("String") => Kind::Text,
            Some("Number") => Kind::Number,
            Some("CommaDelimitedList") => Kind::Texts,
            Some("List<Number>") => Kind::Numbers,
            Some(_) => {
                let why = "a type is String, Number, CommaDelimitedList or List<Number>";
                return Err(at.key("Type", set.line).unsupported(why));
            }
            None => return Err(at.key("Type", set.line).must("the type of the parameter")),
        };
        Ok(Self { set, kind, at })
    }

    fn value(&self, given: Option<&str>) -> Result<Node, TemplateError> {
        let text = match given {
            Some(text) => text.to_owned(),
            None => self.default()?,
        };
        let (Kind::Texts | Kind::Numbers) = self.kind else {
            self.check(&text)?;
            return Ok(Node::text(self.at.place().line, text));
        };
        let items: Vec<_> = text.split(',').map(|item| item.trim().to_owned()).collect();
        items.iter().try_for_each(|item| self.check(item))?;
        Ok(Node::texts(self.at.place().line, items))
    }

    fn default(&self) -> Result<String, TemplateError> {
        let default = self.set.get("Default");
        let default =
            default.ok_or_else(|| self.at.must("given a value, since it has no Default"))?;
        let text = default.to_text();
        text.ok_or_else(|| self.at.key("Default", default.line).must("a text"))
    }

    /// Checks a value, or one item of a list.
    fn check(&self, value: &str) -> Result<(), TemplateError> {
        self.check_allowed(value)?;
        self.check_pattern(value)?;
        self.check_length(value)?;
        if matches!(self.kind, Kind::Number | Kind::Numbers) {
            self.check_number(value)?;
        }
        Ok(())
    }

    fn check_allowed(&self, value: &str) -> Result<(), TemplateError> {
        let Some(allowed) = self.set.get("AllowedValues") else {
            return Ok(());
        };
        let crate::node::Data::List(allowed) = &allowed.data else {
            return Err(self.at.key("AllowedValues", allowed.line).must("a list"));
        };
        let allowed: Vec<_> = allowed.iter().filter_map(Node::to_text).collect();
        if allowed.iter().any(|known| known == value) {
            return Ok(());
        }
        Err(self.refusal(&format!("one of {}", allowed.join(", ")), value))
    }

    fn check_pattern(&self, value: &str) -> Result<(), TemplateError> {
        let Some(pattern) = self.set.get("AllowedPattern") else {
            return Ok(());
        };
        let text = pattern.as_text().unwrap_or_default();
        // CloudFormation compares the whole value with the pattern.
        let regex = Regex::new(&format!("^(?:{text})$"));
        let regex = regex.map_err(|_| {
            let at = self.at.key("AllowedPattern", pattern.line);
            at.unsupported("this reader does not know the regular expression")
        })?;
        if regex.is_match(value) {
            return Ok(());
        }
        Err(self.refusal(&format!("of the pattern {text}"), value))
    }

    fn check_length(&self, value: &str) -> Result<(), TemplateError> {
        let length = value.chars().count();
        if let Some(least) = self.limit::<usize>("MinLength")?
            && length < least
        {
            return Err(self.refusal(&format!("of {least} characters or more"), value));
        }
        match self.limit::<usize>("MaxLength")? {
            Some(most) if length > most => {
                Err(self.refusal(&format!("of {most} characters or fewer"), value))
            }
            _ => Ok(()),
        }
    }

    fn check_number(&self, value: &str) -> Result<(), TemplateError> {
        let number: f64 = value.parse().map_err(|_| self.refusal("a number", value))?;
        if let Some(least) = self.limit::<f64>("MinValue")?
            && number < least
        {
            return Err(self.refusal(&format!("{least} or more"), value));
        }
        match self.limit::<f64>("MaxValue")? {
            Some(most) if number > most => Err(self.refusal(&format!("{most} or less"), value)),
            _ => Ok(()),
        }
    }

    fn limit<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, TemplateError> {
        let Some(limit) = self.set.get(name) else {
            return Ok(None);
        };
        let number = limit.to_text().and_then(|text| text.parse().ok());
        let number = number.ok_or_else(|| self.at.key(name, limit.line).must("a number"))?;
        Ok(Some(number))
    }

    fn refusal(&self, rule: &str, value: &str) -> TemplateError {
        let told = self
            .set
            .get("ConstraintDescription")
            .and_then(Node::as_text);
        let told = told.map(|told| format!(" ({told})")).unwrap_or_default();
        self.at.must(format!("{rule}, not {value:?}{told}"))
    }
}
