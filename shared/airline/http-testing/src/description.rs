//! The API's OpenAPI description. Tests compare answers with this description.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::Answer;

/// An OpenAPI 3.1 description of the API.
pub struct Description(pub Value);

/// A path and one of its methods.
pub type Operation = (String, String);

impl Description {
    /// The description that the API serves at `/openapi.json`.
    pub fn served() -> Self {
        let text = include_str!("../../../../infra/openapi.json");
        Self(serde_json::from_str(text).unwrap())
    }

    /// Every operation that the description declares.
    pub fn operations(&self) -> BTreeSet<Operation> {
        let paths = self.0["paths"].as_object().unwrap();
        let of_path = |(path, item): (&String, &Value)| {
            let methods = item.as_object().unwrap().keys();
            let methods = methods.filter(|name| *name != "parameters");
            let operations = methods.map(|method| (path.clone(), method.clone()));
            operations.collect::<Vec<_>>()
        };
        paths.iter().flat_map(of_path).collect()
    }

    /// The description of one operation.
    pub fn operation(&self, (path, method): &Operation) -> &Value {
        &self.0["paths"][path][method]
    }

    /// The description of an operation's answer with this status; `None` if the operation has no answer with this
    /// status.
    pub fn response(&self, operation: &Operation, status: u16) -> Option<&Value> {
        let responses = &self.operation(operation)["responses"];
        let response = responses.get(status.to_string())?;
        match response.get("$ref").and_then(Value::as_str) {
            Some(place) => self.0.pointer(place.trim_start_matches('#')),
            None => Some(response),
        }
    }

    /// The examples of an operation's request, by name.
    pub fn requests(&self, operation: &Operation) -> Vec<(String, Value)> {
        let body = &self.operation(operation)["requestBody"];
        let examples = body["content"]["application/json"]["examples"].as_object();
        let examples = examples.into_iter().flatten();
        examples
            .map(|(name, example)| (name.clone(), example["value"].clone()))
            .collect()
    }

    /// A validator for one of the description's schemas.
    pub fn validator(&self, schema: &Value) -> jsonschema::Validator {
        let schema = json!({ "allOf": [schema], "components": self.0["components"] });
        jsonschema::draft202012::new(&schema).unwrap()
    }

    /// Asserts that the description of the operation allows this answer.
    #[track_caller]
    pub fn assert_describes(&self, operation: &Operation, answer: &Answer) {
        let response = self.response(operation, answer.status.as_u16());
        let response = response.unwrap_or_else(|| panic!("{operation:?}: {}", answer.text));
        let media = answer.header("Content-Type").unwrap();
        let schema = &response["content"][media]["schema"];
        assert!(schema.is_object(), "{operation:?}: no {media}");
        if let Err(error) = self.validator(schema).validate(&answer.body) {
            panic!("{operation:?}: {error} at {}", error.instance_path());
        }
        let headers = response["headers"].as_object();
        for (header, said) in headers.into_iter().flatten() {
            let is_there = answer.header(header).is_some();
            assert!(
                is_there || said["required"] != true,
                "{operation:?}: {header}"
            );
        }
    }
}
