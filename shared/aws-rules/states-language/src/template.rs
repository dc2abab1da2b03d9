//! Payload templates: JSON with paths to fill in.

use serde_json::{Map, Value};

use crate::{failure::Failure, intrinsic::Expression, path::Sources};

/// A template. Its field `name.$` stands for the field `name` with a value from a path or a function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Template {
    Constant(Value),
    Object(Vec<(String, Template)>),
    List(Vec<Template>),
    Filled {
        /// The name of the field to fill, with its `.$`.
        field: String,
        with: Expression,
    },
}

impl Template {
    pub(crate) fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| field(fields, name, value))
                .collect::<Result<_, _>>()
                .map(Self::Object),
            Value::Array(items) => items
                .iter()
                .map(Self::parse)
                .collect::<Result<_, _>>()
                .map(Self::List),
            constant => Ok(Self::Constant(constant.clone())),
        }
    }

    pub(crate) fn fill(&self, sources: Sources) -> Result<Value, Failure> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Filled { field, with } => with.value(sources, field),
            Self::List(items) => items.iter().map(|item| item.fill(sources)).collect(),
            Self::Object(fields) => fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), value.fill(sources)?)))
                .collect(),
        }
    }

    /// The fields of an object, each with its name and template.
    pub(crate) fn fields(&self) -> &[(String, Self)] {
        match self {
            Self::Object(fields) => fields,
            _ => &[],
        }
    }
}

fn field(
    all: &Map<String, Value>,
    name: &str,
    value: &Value,
) -> Result<(String, Template), String> {
    let Some(plain) = name.strip_suffix(".$") else {
        let inner = Template::parse(value).map_err(|rule| format!("{name}: {rule}"))?;
        return Ok((name.to_owned(), inner));
    };
    if all.contains_key(plain) {
        return Err(format!("{plain:?} is there twice, as {name:?} too"));
    }
    let text = value
        .as_str()
        .ok_or_else(|| format!("{name} is neither a path nor a function"))?;
    let with = Expression::parse(text).map_err(|rule| format!("{name}: {rule}"))?;
    let field = name.to_owned();
    Ok((plain.to_owned(), Template::Filled { field, with }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fill(template: &Value) -> Result<Value, Failure> {
        let (data, context) = (json!({"a": {"b": [1, 2]}}), json!({"State": {"Name": "S"}}));
        let sources = Sources {
            data: &data,
            context: &context,
        };
        Template::parse(template).unwrap().fill(sources)
    }

    #[test]
    fn fields_that_end_in_a_dollar_are_filled_in_wherever_they_are() {
        let template = json!({
            "x.$": "$.a", "state.$": "$$.State.Name", "text": "$.a", "$": 1, "none": null,
            "in": {"y.$": "$.a.b[1]", "list": [{"z.$": "States.Format('{}', 3)"}, "$.a", []]},
        });
        assert_eq!(
            fill(&template),
            Ok(json!({
                "x": {"b": [1, 2]}, "state": "S", "text": "$.a", "$": 1, "none": null,
                "in": {"y": 2, "list": [{"z": "3"}, "$.a", []]},
            }))
        );
    }

    #[test]
    fn a_path_that_leads_nowhere_is_an_error_that_names_its_field() {
        let failure = fill(&json!({"in": {"x.$": "$.nobody"}})).unwrap_err();
        assert_eq!(failure.error, "States.Runtime");
        assert!(failure.cause.contains("'$.nobody'"), "{failure:?}");
        assert!(failure.cause.contains("'x.$'"), "{failure:?}");
    }

    #[test]
    fn what_cannot_be_filled_in_is_refused() {
        for template in [
            json!({"x.$": 1}),
            json!({"x.$": "text"}),
            json!({"x.$": {"y": 1}}),
            json!({"x.$": "$.a", "x": 1}),
            json!([{"x.$": "$..a"}]),
        ] {
            assert!(Template::parse(&template).is_err(), "{template}");
        }
    }
}
