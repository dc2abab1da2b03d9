//! YAML with the line of each value, since errors name lines.

use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde_json::{Number, Value, json};

use crate::{TemplateError, error::At};

/// A value of the template, as it is written or with its functions resolved.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub line: usize,
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Data {
    /// `AWS::NoValue`: the property or item counts as missing.
    NoValue,
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// A function in its tag form: its name without `!`, and its argument.
    Tagged(String, Box<Node>),
}

/// A key of a mapping, with its value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub key: String,
    pub line: usize,
    pub value: Node,
}

impl Node {
    /// Parses a text of one YAML document. JSON is YAML.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let documents = MarkedYaml::load_from_str(text)
            .map_err(|error| TemplateError::NotYaml(error.to_string()))?;
        match documents.as_slice() {
            [document] => Self::of(document, &At::root("", 1)),
            _ => Err(TemplateError::NotYaml("it must be one document".to_owned())),
        }
    }

    pub fn text(line: usize, text: impl Into<String>) -> Self {
        let data = Data::Text(text.into());
        Self { line, data }
    }

    pub fn texts(line: usize, texts: impl IntoIterator<Item = String>) -> Self {
        let texts = texts.into_iter().map(|text| Self::text(line, text));
        let data = Data::List(texts.collect());
        Self { line, data }
    }

    fn of(yaml: &MarkedYaml<'_>, at: &At<'_>) -> Result<Self, TemplateError> {
        let line = yaml.span.start.line();
        let at = &at.on(line);
        let data = match &yaml.data {
            YamlData::Value(scalar) => scalar_data(scalar, at)?,
            YamlData::Sequence(items) => {
                let items = items.iter().enumerate();
                let items = items.map(|(place, item)| Self::of(item, &at.item(place, line)));
                Data::List(items.collect::<Result<_, _>>()?)
            }
            YamlData::Mapping(entries) => {
                let entries = entries.iter().map(|(key, value)| entry(key, value, at));
                Data::Map(entries.collect::<Result<_, _>>()?)
            }
            YamlData::Tagged(tag, inner) => {
                // The parser gives the line of a tagged scalar to its tag only.
                let mut argument = Self::of(inner, at)?;
                argument.line = line;
                Data::Tagged(tag.suffix.clone(), Box::new(argument))
            }
            _ => return Err(at.must("a value that YAML knows")),
        };
        Ok(Self { line, data })
    }

    /// The entries of a mapping; none for another value.
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry of this key, if this is a mapping that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The text itself, if this is a text.
    pub fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a text, a number or a truth value, since `CloudFormation` turns each into the others.
    pub fn to_text(&self) -> Option<String> {
        match &self.data {
            Data::Text(text) => Some(text.clone()),
            Data::Number(number) => Some(number.to_string()),
            Data::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// The function that this value calls, in tag form or long form, and its argument. The name has neither `!` nor
    /// `Fn::`.
    pub fn call(&self) -> Option<(&str, &Node)> {
        match &self.data {
            Data::Tagged(function, argument) => Some((function, argument)),
            Data::Map(entries) => match entries.as_slice() {
                [entry] if entry.key == "Ref" => Some(("Ref", &entry.value)),
                [entry] => Some((entry.key.strip_prefix("Fn::")?, &entry.value)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The value in JSON. Only a value without functions in tag form has one.
    pub fn to_value(&self) -> Option<Value> {
        (!self.has_tags()).then(|| self.in_json())
    }

    fn has_tags(&self) -> bool {
        match &self.data {
            Data::Tagged(..) => true,
            Data::List(items) => items.iter().any(Self::has_tags),
            Data::Map(entries) => entries.iter().any(|entry| entry.value.has_tags()),
            _ => false,
        }
    }

    /// The value in JSON, with functions in their long form.
    pub fn in_json(&self) -> Value {
        match &self.data {
            Data::NoValue | Data::Null => Value::Null,
            Data::Bool(truth) => (*truth).into(),
            Data::Number(number) => number.clone().into(),
            Data::Text(text) => text.clone().into(),
            Data::List(items) => items.iter().map(Self::in_json).collect(),
            Data::Map(entries) => {
                let pairs = entries.iter();
                let pairs = pairs.map(|entry| (entry.key.clone(), entry.value.in_json()));
                Value::Object(pairs.collect())
            }
            Data::Tagged(function, argument) => {
                let name = match function.as_str() {
                    "Ref" | "Condition" => function.clone(),
                    function => format!("Fn::{function}"),
                };
                let argument = match argument.as_text().and_then(|text| text.split_once('.')) {
                    Some((id, attribute)) if function == "GetAtt" => json!([id, attribute]),
                    _ => argument.in_json(),
                };
                json!({ name: argument })
            }
        }
    }
}

fn entry(
    key: &MarkedYaml<'_>,
    value: &MarkedYaml<'_>,
    at: &At<'_>,
) -> Result<Entry, TemplateError> {
    let line = key.span.start.line();
    let name = match &key.data {
        YamlData::Value(scalar) => match scalar {
            Scalar::String(text) => Some(text.to_string()),
            Scalar::Integer(number) => Some(number.to_string()),
            Scalar::Boolean(truth) => Some(truth.to_string()),
            Scalar::FloatingPoint(_) | Scalar::Null => None,
        },
        _ => None,
    };
    let name = name.ok_or_else(|| at.on(line).must("a mapping whose keys are texts"))?;
    let value = Node::of(value, &at.key(&name, line))?;
    Ok(Entry {
        key: name,
        line,
        value,
    })
}

fn scalar_data(scalar: &Scalar<'_>, at: &At<'_>) -> Result<Data, TemplateError> {
    Ok(match scalar {
        Scalar::Null => Data::Null,
        Scalar::Boolean(truth) => Data::Bool(*truth),
        Scalar::Integer(number) => Data::Number((*number).into()),
        Scalar::FloatingPoint(number) => {
            let finite = Number::from_f64(number.into_inner());
            Data::Number(finite.ok_or_else(|| at.must("a finite number"))?)
        }
        Scalar::String(text) => Data::Text(text.to_string()),
    })
}
