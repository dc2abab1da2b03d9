//! Reads YAML, and resolves the references in its resources.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

use crate::{ACCOUNT, REGION, Resource, Template, TemplateError};

/// A property with this value counts as missing.
const NO_VALUE: &str = "AWS::NoValue";

pub(crate) fn template(
    text: &str,
    stack: &str,
    parameters: &[(&str, &str)],
) -> Result<Template, TemplateError> {
    let documents = Yaml::load_from_str(text);
    let documents = documents.map_err(|error| TemplateError::NotYaml(error.to_string()))?;
    let root = documents
        .first()
        .ok_or_else(|| malformed("the template", "a mapping"))?;
    let mut reading = Reading {
        names: BTreeMap::from([
            ("AWS::StackName".to_owned(), stack.into()),
            ("AWS::Region".to_owned(), REGION.into()),
            ("AWS::AccountId".to_owned(), ACCOUNT.into()),
            ("AWS::Partition".to_owned(), "aws".into()),
            ("AWS::URLSuffix".to_owned(), "amazonaws.com".into()),
            (NO_VALUE.to_owned(), Value::Null),
        ]),
        conditions: BTreeMap::new(),
        resources: root.as_mapping_get("Resources"),
    };
    reading.take_parameters(root.as_mapping_get("Parameters"), parameters)?;
    for (name, condition) in entries(root.as_mapping_get("Conditions")) {
        let holds = reading.resolve(condition, &format!("Conditions.{name}"))?;
        let holds = holds.as_bool();
        let holds = holds.ok_or_else(|| malformed(&format!("Conditions.{name}"), "a condition"))?;
        reading.conditions.insert(name.to_owned(), holds);
    }
    let mut resources = BTreeMap::new();
    for (name, resource) in entries(reading.resources) {
        if reading.is_there(resource, name)? {
            resources.insert(name.to_owned(), reading.resource(resource, name)?);
        }
    }
    let globals = match root.as_mapping_get("Globals") {
        Some(globals) => reading.resolve(globals, "Globals")?,
        None => Value::Null,
    };
    let globals = globals.as_object().cloned().unwrap_or_default();
    Ok(Template { resources, globals })
}

fn malformed(at: &str, rule: &'static str) -> TemplateError {
    TemplateError::Malformed {
        at: at.to_owned(),
        rule,
    }
}

/// The entries of a YAML mapping whose keys are text.
fn entries<'a, 'i>(of: Option<&'a Yaml<'i>>) -> impl Iterator<Item = (&'a str, &'a Yaml<'i>)> {
    let mapping = of.and_then(Yaml::as_mapping);
    let entries = mapping.into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.as_str()?, value)))
}

struct Reading<'a, 'i> {
    /// The values that `!Ref` and `!Sub` can name besides resources: parameters and pseudo parameters.
    names: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    resources: Option<&'a Yaml<'i>>,
}

impl<'i> Reading<'_, 'i> {
    fn take_parameters(
        &mut self,
        declared: Option<&Yaml<'i>>,
        given: &[(&str, &str)],
    ) -> Result<(), TemplateError> {
        for (name, parameter) in entries(declared) {
            if let Some(default) = parameter.as_mapping_get("Default") {
                // The value of a parameter is text, even if its default is written as a number or a truth value.
                let value = match self.resolve(default, name)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                self.names.insert(name.to_owned(), value.into());
            }
        }
        for (name, value) in given {
            if !entries(declared).any(|(known, _)| known == *name) {
                return Err(TemplateError::NoParameter((*name).to_owned()));
            }
            self.names.insert((*name).to_owned(), (*value).into());
        }
        Ok(())
    }

    fn is_there(&self, resource: &Yaml<'i>, name: &str) -> Result<bool, TemplateError> {
        let condition = resource.as_mapping_get("Condition").and_then(Yaml::as_str);
        condition.map_or(Ok(true), |condition| self.holds(condition, name))
    }

    fn holds(&self, condition: &str, at: &str) -> Result<bool, TemplateError> {
        let found = self.conditions.get(condition).copied();
        found.ok_or_else(|| dangling(at, &format!("condition {condition}")))
    }

    fn resource(&self, resource: &Yaml<'i>, name: &str) -> Result<Resource, TemplateError> {
        let kind = resource.as_mapping_get("Type").and_then(Yaml::as_str);
        let kind = kind.ok_or_else(|| malformed(&format!("{name}.Type"), "a text"))?;
        let properties = match resource.as_mapping_get("Properties") {
            Some(properties) => self.resolve(properties, name)?,
            None => Value::Null,
        };
        Ok(Resource {
            kind: kind.to_owned(),
            properties: properties.as_object().cloned().unwrap_or_default(),
        })
    }

    /// A value with all references resolved. Null stands for `AWS::NoValue`.
    fn resolve(&self, value: &Yaml<'i>, at: &str) -> Result<Value, TemplateError> {
        match value {
            Yaml::Tagged(tag, inner) => self.call(&tag.suffix, inner, at),
            Yaml::Mapping(_) => {
                let mut resolved = Map::new();
                for (name, value) in entries(Some(value)) {
                    let value = self.resolve(value, &format!("{at}.{name}"))?;
                    if !value.is_null() {
                        resolved.insert(name.to_owned(), value);
                    }
                }
                Ok(resolved.into())
            }
            Yaml::Sequence(values) => {
                let mut resolved = vec![];
                for (place, value) in values.iter().enumerate() {
                    let value = self.resolve(value, &format!("{at}[{place}]"))?;
                    if !value.is_null() {
                        resolved.push(value);
                    }
                }
                Ok(resolved.into())
            }
            Yaml::Value(Scalar::Integer(number)) => Ok((*number).into()),
            Yaml::Value(Scalar::Boolean(truth)) => Ok((*truth).into()),
            Yaml::Value(Scalar::FloatingPoint(number)) => Ok(number.into_inner().into()),
            Yaml::Value(Scalar::Null) => Ok(Value::Null),
            Yaml::Value(Scalar::String(text)) => Ok(text.as_ref().into()),
            _ => Err(malformed(at, "a value that YAML knows")),
        }
    }

    fn call(&self, function: &str, of: &Yaml<'i>, at: &str) -> Result<Value, TemplateError> {
        match function {
            "Ref" => self.reference(text(of, at)?, at),
            "GetAtt" => {
                let (name, attribute) = text(of, at)?
                    .split_once('.')
                    .ok_or_else(|| malformed(at, "a resource, a dot and an attribute"))?;
                self.attribute(name, attribute, at)
            }
            "Sub" => self.substituted(text(of, at)?, at),
            "Equals" => {
                let [left, right] = arguments(of, at)?;
                Ok((self.resolve(left, at)? == self.resolve(right, at)?).into())
            }
            "Not" => {
                let [condition] = arguments(of, at)?;
                let holds = self.resolve(condition, at)?.as_bool();
                Ok((!holds.ok_or_else(|| malformed(at, "the opposite of a condition"))?).into())
            }
            "If" => {
                let [condition, then, otherwise] = arguments(of, at)?;
                let holds = self.holds(text(condition, at)?, at)?;
                self.resolve(if holds { then } else { otherwise }, at)
            }
            _ => Err(malformed(
                at,
                "made by Ref, GetAtt, Sub, Equals, Not or If, for no other function is read",
            )),
        }
    }

    /// The value of a parameter, or the name that the template gives to a resource.
    fn reference(&self, name: &str, at: &str) -> Result<Value, TemplateError> {
        if let Some(value) = self.names.get(name) {
            return Ok(value.clone());
        }
        let found = entries(self.resources).find(|(known, _)| *known == name);
        let (_, resource) = found.ok_or_else(|| dangling(at, name))?;
        let named = entries(resource.as_mapping_get("Properties"))
            .find(|(property, _)| property.ends_with("Name") || *property == "Name");
        match named {
            Some((_, set)) => self.resolve(set, at),
            None => Ok(name.into()),
        }
    }

    fn attribute(&self, name: &str, attribute: &str, at: &str) -> Result<Value, TemplateError> {
        let of = self.reference(name, at)?;
        let of = of
            .as_str()
            .ok_or_else(|| malformed(at, "an attribute of a resource"))?;
        Ok(format!("{of}.{attribute}").into())
    }

    fn substituted(&self, text: &str, at: &str) -> Result<Value, TemplateError> {
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part
                .split_once('}')
                .ok_or_else(|| malformed(at, "a text whose every ${ ends with }"))?;
            let value = match name.split_once('.') {
                Some((name, attribute)) => self.attribute(name, attribute, at)?,
                None => self.reference(name, at)?,
            };
            match value {
                Value::String(value) => whole.push_str(&value),
                other => whole.push_str(&other.to_string()),
            }
            whole.push_str(rest);
        }
        Ok(whole.into())
    }
}

fn dangling(at: &str, name: &str) -> TemplateError {
    TemplateError::Dangling {
        at: at.to_owned(),
        name: name.to_owned(),
    }
}

fn text<'a>(of: &'a Yaml<'_>, at: &str) -> Result<&'a str, TemplateError> {
    of.as_str().ok_or_else(|| malformed(at, "a text"))
}

fn arguments<'a, 'i, const N: usize>(
    of: &'a Yaml<'i>,
    at: &str,
) -> Result<[&'a Yaml<'i>; N], TemplateError> {
    let list: Vec<_> = of.as_vec().into_iter().flatten().collect();
    let list = list.try_into();
    list.map_err(|_| malformed(at, "a list of as many arguments as the function takes"))
}
