//! Filter policies: which messages a subscription gets.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::condition::Condition;
use crate::sqs::MessageAttributes;

/// SNS's limits on a policy: its keys, and the combinations of its values.
const MOST_KEYS: usize = 5;
const MOST_COMBINATIONS: usize = 150;

/// The part of a message that a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Attributes,
    Body,
}

/// A policy: at least one of its branches must match. A branch has conditions for fields, and each field must have a
/// value that meets one of them. Only `$or` makes more than one branch.
#[derive(Debug)]
pub(super) struct Filter {
    scope: Scope,
    branches: Vec<BTreeMap<String, Vec<Condition>>>,
}

/// The values of the fields of a message. Fields of objects in objects have the names of both with a dot between.
type Fields = BTreeMap<String, Vec<Value>>;

impl Filter {
    /// Reads a policy. The error is a reason in AWS's words.
    pub fn parse(policy: &str, scope: Scope) -> Result<Self, String> {
        let policy: Value =
            serde_json::from_str(policy).map_err(|_| "failed to parse JSON.".to_owned())?;
        let policy = policy
            .as_object()
            .ok_or("Filter policy must be a JSON object")?;
        if policy.len() > MOST_KEYS {
            return Err("Filter policy can not have more than 5 keys".to_owned());
        }
        let nested = policy.iter().any(|(_, value)| value.is_object());
        if scope == Scope::Attributes && nested {
            return Err(
                "Filter policy scope MessageAttributes does not support nested filter policy"
                    .to_owned(),
            );
        }
        if combinations(policy, 1) > MOST_COMBINATIONS {
            return Err("Filter policy is too complex".to_owned());
        }
        let branches = branches(policy, "", vec![BTreeMap::new()])?;
        Ok(Self { scope, branches })
    }

    /// True if the subscription gets a message.
    pub fn passes(&self, body: &str, attributes: &MessageAttributes) -> bool {
        let fields = match self.scope {
            Scope::Attributes => fields_of_attributes(attributes),
            Scope::Body => match serde_json::from_str(body) {
                Ok(Value::Object(body)) => fields_of_body(&body),
                // A body that is no JSON object has no fields, and matches no policy.
                _ => return false,
            },
        };
        self.branches.iter().any(|branch| {
            let mut conditions = branch.iter();
            conditions.all(|(field, conditions)| {
                let values = fields.get(field).map(Vec::as_slice).unwrap_or_default();
                conditions.iter().any(|condition| condition.meets(values))
            })
        })
    }
}

/// The number by which SNS limits policies: the product of the values of all fields and of their depths.
fn combinations(policy: &Map<String, Value>, depth: usize) -> usize {
    let factors = policy.iter().map(|(key, value)| match value {
        Value::Object(inner) => combinations(inner, depth + 1),
        Value::Array(alternatives) if key == "$or" => {
            let objects = alternatives.iter().filter_map(Value::as_object);
            objects.map(|inner| combinations(inner, depth)).sum()
        }
        Value::Array(conditions) => conditions.len().saturating_mul(depth),
        _ => 1,
    });
    factors.fold(1, usize::saturating_mul)
}

type Branches = Vec<BTreeMap<String, Vec<Condition>>>;

/// Adds a policy's conditions to each of the branches.
fn branches(
    policy: &Map<String, Value>,
    parent: &str,
    mut known: Branches,
) -> Result<Branches, String> {
    for (key, value) in policy {
        let field = joined(parent, key);
        known = match value {
            Value::Array(alternatives) if key == "$or" && alternatives.len() > 1 => {
                or(alternatives, parent, &known)?
            }
            Value::Object(inner) => branches(inner, &field, known)?,
            Value::Array(conditions) if conditions.is_empty() => {
                return Err("Empty arrays are not allowed".to_owned());
            }
            Value::Array(conditions) => {
                let conditions = conditions.iter().map(Condition::parse);
                let conditions: Vec<Condition> = conditions.collect::<Result<_, _>>()?;
                for branch in &mut known {
                    branch.insert(field.clone(), conditions.clone());
                }
                known
            }
            _ => return Err(format!("\"{key}\" must be an object or an array")),
        };
    }
    Ok(known)
}

fn or(alternatives: &[Value], parent: &str, known: &Branches) -> Result<Branches, String> {
    let mut all = Branches::new();
    for alternative in alternatives {
        let alternative = alternative
            .as_object()
            .ok_or("\"$or\" must be an array of objects")?;
        all.extend(branches(alternative, parent, known.clone())?);
    }
    Ok(all)
}

fn joined(parent: &str, key: &str) -> String {
    if parent.is_empty() {
        key.to_owned()
    } else {
        format!("{parent}.{key}")
    }
}

fn fields_of_attributes(attributes: &MessageAttributes) -> Fields {
    let fields = attributes.iter().filter_map(|(name, attribute)| {
        let text = attribute.string_value.as_deref()?;
        let values = match attribute.data_type.as_str() {
            "String.Array" => serde_json::from_str(text).unwrap_or_default(),
            kind if kind.starts_with("Number") => vec![serde_json::from_str(text).ok()?],
            _ => vec![text.into()],
        };
        Some((name.clone(), values))
    });
    fields.collect()
}

fn fields_of_body(body: &Map<String, Value>) -> Fields {
    let mut fields = Fields::new();
    for (key, value) in body {
        collect(value, key, &mut fields);
    }
    fields
}

fn collect(value: &Value, field: &str, fields: &mut Fields) {
    match value {
        Value::Object(inner) => {
            for (key, value) in inner {
                collect(value, &joined(field, key), fields);
            }
        }
        Value::Array(values) => {
            for value in values {
                collect(value, field, fields);
            }
        }
        _ => fields
            .entry(field.to_owned())
            .or_default()
            .push(value.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqs::MessageAttribute;

    fn passes(policy: &str, body: &str) -> bool {
        let filter = Filter::parse(policy, Scope::Body).unwrap();
        filter.passes(body, &MessageAttributes::new())
    }

    #[test]
    fn each_condition_has_a_body_that_meets_it_and_one_that_does_not() {
        for (policy, good, bad) in [
            (r#"{"a":["x","y"]}"#, r#"{"a":"y"}"#, r#"{"a":"z"}"#),
            (r#"{"a":[1]}"#, r#"{"a":1.0}"#, r#"{"a":"1"}"#),
            (r#"{"a":[null]}"#, r#"{"a":null}"#, "{}"),
            (r#"{"a":{"b":["x"]}}"#, r#"{"a":{"b":"x"}}"#, r#"{"a":"x"}"#),
            (
                r#"{"a":{"b":["x"]}}"#,
                r#"{"a":[{"b":"y"},{"b":"x"}]}"#,
                r#"{"a":[]}"#,
            ),
            (
                r#"{"a":["x"],"b":["y"]}"#,
                r#"{"a":"x","b":"y"}"#,
                r#"{"a":"x"}"#,
            ),
            (
                r#"{"$or":[{"a":["x"]},{"b":["y"]}]}"#,
                r#"{"b":"y"}"#,
                r#"{"b":"x"}"#,
            ),
            (
                r#"{"a":[{"prefix":"ab"}]}"#,
                r#"{"a":"abc"}"#,
                r#"{"a":"cab"}"#,
            ),
            (
                r#"{"a":[{"suffix":"ab"}]}"#,
                r#"{"a":"cab"}"#,
                r#"{"a":"abc"}"#,
            ),
            (
                r#"{"a":[{"equals-ignore-case":"AB"}]}"#,
                r#"{"a":"aB"}"#,
                r#"{"a":"abc"}"#,
            ),
            (
                r#"{"a":[{"anything-but":["x",1]}]}"#,
                r#"{"a":"y"}"#,
                r#"{"a":1}"#,
            ),
            (
                r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#,
                r#"{"a":"y"}"#,
                r#"{"a":"xy"}"#,
            ),
            (r#"{"a":[{"anything-but":"x"}]}"#, r#"{"a":"y"}"#, "{}"),
            (r#"{"a":[{"exists":true}]}"#, r#"{"a":"x"}"#, "{}"),
            (r#"{"a":[{"exists":false}]}"#, "{}", r#"{"a":"x"}"#),
            (
                r#"{"a":[{"numeric":[">",1,"<=",2]}]}"#,
                r#"{"a":2}"#,
                r#"{"a":1}"#,
            ),
            (
                r#"{"a":[{"numeric":["=",0.3]}]}"#,
                r#"{"a":0.3}"#,
                r#"{"a":0.30001}"#,
            ),
            (
                r#"{"a":[{"cidr":"10.0.0.0/24"}]}"#,
                r#"{"a":"10.0.0.255"}"#,
                r#"{"a":"10.0.1.0"}"#,
            ),
            (
                r#"{"a":[{"cidr":"2001:db8::/32"}]}"#,
                r#"{"a":"2001:db8::1"}"#,
                r#"{"a":"10.0.1.0"}"#,
            ),
        ] {
            assert!(passes(policy, good), "{policy} {good}");
            assert!(!passes(policy, bad), "{policy} {bad}");
        }
        assert!(!passes(r#"{"a":[{"exists":false}]}"#, "no JSON"));
    }

    #[test]
    fn attributes_are_compared_by_their_types() {
        let passes = |policy: &str, kind: &str, value: &str| {
            let attribute = MessageAttribute {
                data_type: kind.to_owned(),
                string_value: Some(value.to_owned()),
                ..MessageAttribute::default()
            };
            let filter = Filter::parse(policy, Scope::Attributes).unwrap();
            filter.passes("", &[("a".to_owned(), attribute)].into())
        };
        assert!(passes(r#"{"a":["1"]}"#, "String", "1"));
        assert!(!passes(r#"{"a":["1"]}"#, "Number", "1"));
        assert!(passes(r#"{"a":[{"numeric":[">",0]}]}"#, "Number", "1"));
        assert!(passes(r#"{"a":["y"]}"#, "String.Array", r#"["x","y"]"#));
        assert!(!passes(r#"{"a":["z"]}"#, "String.Array", r#"["x","y"]"#));
    }

    #[test]
    fn policies_that_sns_refuses_are_refused() {
        for (policy, reason) in [
            ("[]", "JSON object"),
            (r#"{"a":"x"}"#, "must be an object or an array"),
            (r#"{"a":[]}"#, "Empty arrays"),
            (r#"{"a":[["x"]]}"#, "Match value"),
            (r#"{"a":[{"prefix":1}]}"#, "must be a string"),
            (r#"{"a":[{"like":"x"}]}"#, "Unrecognized match type like"),
            (r#"{"a":[{"prefix":"x","suffix":"y"}]}"#, "Only one key"),
            (r#"{"a":[{"numeric":["<",1,">",0]}]}"#, "Too many elements"),
            (
                r#"{"a":[{"numeric":[">",1,"<",0]}]}"#,
                "Bottom must be less than top",
            ),
            (
                r#"{"a":[{"numeric":["~",1]}]}"#,
                "Unrecognized numeric range operator",
            ),
            (r#"{"a":[{"cidr":"10.0.0.0"}]}"#, "Malformed CIDR"),
            (
                r#"{"a":[1],"b":[1],"c":[1],"d":[1],"e":[1],"f":[1]}"#,
                "more than 5 keys",
            ),
            (
                r#"{"a":{"b":{"c":[1,2,3,4,5,6,7,8,9,10]}},"d":[1,2,3,4,5,6]}"#,
                "too complex",
            ),
        ] {
            let refused = Filter::parse(policy, Scope::Body).unwrap_err();
            assert!(refused.contains(reason), "{policy}: {refused}");
        }
        let nested = Filter::parse(r#"{"a":{"b":[1]}}"#, Scope::Attributes).unwrap_err();
        assert!(nested.contains("does not support nested"));
    }
}
