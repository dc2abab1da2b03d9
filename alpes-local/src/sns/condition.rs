//! The conditions of filter policies on the value of a field.

use std::net::IpAddr;

use serde_json::Value;

/// A condition: the field has one of the values that it describes.
#[derive(Clone, Debug)]
pub(super) enum Condition {
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
pub(super) enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Condition {
    /// Reads a condition. The error is a reason in AWS's words.
    pub fn parse(condition: &Value) -> Result<Self, String> {
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
    pub fn meets(&self, values: &[Value]) -> bool {
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
