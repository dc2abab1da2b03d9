//! Filter policies: which messages a subscription gets.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::{Map, Value};

use crate::sqs::MessageAttributes;

/// SNS's limits on a policy: its keys, and the combinations of its values.
const MOST_KEYS: usize = 5;
const MOST_COMBINATIONS: usize = 150;

/// What a policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Attributes,
    Body,
}

/// A policy: at least one of its branches must match. A branch has conditions for fields, each of which must have a
/// value that meets one of them. Only `$or` makes more than one branch.
#[derive(Debug)]
pub(super) struct Filter {
    scope: Scope,
    branches: Vec<BTreeMap<String, Vec<Condition>>>,
}

/// The values of the fields of a message. Fields of objects in objects have the names of both with a dot between.
type Fields = BTreeMap<String, Vec<Value>>;

#[derive(Clone, Debug)]
enum Condition {
    Equals(Value),
    EqualsIgnoreCase(String),
    Prefix(String),
    Suffix(String),
    AnythingBut(Vec<Condition>),
    Numeric(Vec<(Comparison, f64)>),
    Cidr(IpAddr, u32),
    Exists(bool),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

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

impl Condition {
    fn parse(condition: &Value) -> Result<Self, String> {
        let Value::Object(match_expression) = condition else {
            return match condition {
                Value::Array(_) => {
                    Err("Match value must be String, number, true, false, or null".to_owned())
                }
                plain => Ok(Self::Equals(plain.clone())),
            };
        };
        let mut operators = match_expression.iter();
        let (Some((operator, operand)), None) = (operators.next(), operators.next()) else {
            return Err("Only one key allowed in match expression".to_owned());
        };
        match operator.as_str() {
            "prefix" => text(operator, operand).map(Self::Prefix),
            "suffix" => text(operator, operand).map(Self::Suffix),
            "equals-ignore-case" => text(operator, operand).map(Self::EqualsIgnoreCase),
            "anything-but" => anything_but(operand),
            "exists" => operand
                .as_bool()
                .map(Self::Exists)
                .ok_or_else(|| "exists match pattern must be either true or false.".to_owned()),
            "numeric" => numeric(operand).map(Self::Numeric),
            "cidr" => cidr(operand),
            _ => Err(format!("Unrecognized match type {operator}")),
        }
    }

    /// True if one of a field's values meets the condition. A field that is missing has no values.
    fn meets(&self, values: &[Value]) -> bool {
        match self {
            Self::Exists(exists) => *exists != values.is_empty(),
            _ => values.iter().any(|value| self.matches(value)),
        }
    }

    fn matches(&self, value: &Value) -> bool {
        let text = value.as_str();
        match self {
            Self::Equals(expected) => equal(expected, value),
            Self::EqualsIgnoreCase(expected) => {
                text.is_some_and(|text| text.to_lowercase() == expected.to_lowercase())
            }
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix)),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix)),
            Self::AnythingBut(refused) => {
                !value.is_null() && !refused.iter().any(|refused| refused.matches(value))
            }
            Self::Numeric(comparisons) => value.as_f64().is_some_and(|number| {
                let mut comparisons = comparisons.iter();
                comparisons.all(|(comparison, bound)| comparison.holds(number, *bound))
            }),
            Self::Cidr(network, bits) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|address| in_network(address, *network, *bits)),
            Self::Exists(exists) => *exists,
        }
    }
}

/// Numbers are equal by value: 1 and 1.0 are.
fn equal(one: &Value, other: &Value) -> bool {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => Comparison::Equal.holds(one, other),
        _ => one == other,
    }
}

impl Comparison {
    fn parse(operator: &Value) -> Result<Self, String> {
        match operator.as_str() {
            Some("=") => Ok(Self::Equal),
            Some("<") => Ok(Self::Less),
            Some("<=") => Ok(Self::LessOrEqual),
            Some(">") => Ok(Self::Greater),
            Some(">=") => Ok(Self::GreaterOrEqual),
            Some(other) => Err(format!("Unrecognized numeric range operator: {other}")),
            None => Err(format!("Invalid member in numeric match: {operator}")),
        }
    }

    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => (number - bound).abs() < f64::EPSILON * number.abs().max(1.0),
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

fn text(operator: &str, operand: &Value) -> Result<String, String> {
    let text = operand.as_str();
    text.map(str::to_owned)
        .ok_or_else(|| format!("{operator} match pattern must be a string"))
}

fn anything_but(operand: &Value) -> Result<Condition, String> {
    let refused = match operand {
        Value::Array(values) => values
            .iter()
            .map(Condition::parse)
            .collect::<Result<_, _>>()?,
        Value::Object(expression) => {
            let unsupported = expression
                .keys()
                .find(|key| !matches!(key.as_str(), "prefix" | "suffix"));
            if let Some(operator) = unsupported {
                return Err(format!("Unsupported anything-but pattern: {operator}"));
            }
            vec![Condition::parse(operand)?]
        }
        _ => vec![Condition::parse(operand)?],
    };
    Ok(Condition::AnythingBut(refused))
}

fn numeric(operand: &Value) -> Result<Vec<(Comparison, f64)>, String> {
    let members = operand.as_array().map(Vec::as_slice).unwrap_or_default();
    let comparisons = members.chunks(2).map(|pair| match pair {
        [operator, bound] => {
            let bound = bound.as_f64();
            let operator = Comparison::parse(operator)?;
            bound.map(|bound| (operator, bound)).ok_or_else(|| {
                format!(
                    "Value of {} must be numeric",
                    pair.first().and_then(Value::as_str).unwrap_or_default()
                )
            })
        }
        _ => Err("Value of the last operator must be numeric".to_owned()),
    });
    let comparisons: Vec<(Comparison, f64)> = comparisons.collect::<Result<_, _>>()?;
    match comparisons.as_slice() {
        [] => Err("Invalid member in numeric match: ]".to_owned()),
        [_] => Ok(comparisons),
        [
            (Comparison::Greater | Comparison::GreaterOrEqual, bottom),
            (Comparison::Less | Comparison::LessOrEqual, top),
        ] if bottom < top => Ok(comparisons),
        [(Comparison::Greater | Comparison::GreaterOrEqual, _), _] => {
            Err("Bottom must be less than top".to_owned())
        }
        _ => Err("Too many elements in numeric expression".to_owned()),
    }
}

fn cidr(operand: &Value) -> Result<Condition, String> {
    let text = text("prefix", operand)?;
    let (address, bits) = text
        .split_once('/')
        .ok_or("Malformed CIDR, one '/' required")?;
    let bits = bits
        .parse()
        .map_err(|_| "Malformed CIDR, mask bits must be an integer".to_owned())?;
    let network: IpAddr = address
        .parse()
        .map_err(|_| format!("Nonstandard IP address: {address}"))?;
    let most = if network.is_ipv4() { 32 } else { 128 };
    if bits > most {
        return Err(format!("Malformed CIDR, mask bits must be at most {most}"));
    }
    Ok(Condition::Cidr(network, bits))
}

fn in_network(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let prefix = |address: IpAddr| {
        let (number, size) = match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        number.checked_shr(size - bits).unwrap_or_default()
    };
    address.is_ipv4() == network.is_ipv4() && prefix(address) == prefix(network)
}
