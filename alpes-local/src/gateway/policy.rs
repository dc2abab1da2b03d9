//! Policies that Lambda authorizers answer.

use serde_json::Value;

/// The action of callers at an API, as policies name it.
const ACTION: &str = "execute-api:invoke";

/// A policy: which methods its principal may call.
#[derive(Debug)]
pub(super) struct Policy(Vec<Statement>);

/// The decision of a policy about a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// A statement allows it, and none denies it.
    Allowed,
    /// A statement denies it.
    Denied,
    /// No statement is about it.
    Silent,
}

#[derive(Debug)]
struct Statement {
    allows: bool,
    resources: Patterns,
}

/// Patterns in which `*` stands for any text and `?` for one character.
#[derive(Debug)]
struct Patterns {
    patterns: Vec<String>,
    /// `NotAction` and `NotResource`: the statement is about what no pattern matches.
    negated: bool,
}

impl Policy {
    /// Reads a policy document. Statements about other actions are left out.
    ///
    /// # Errors
    ///
    /// The rule that the document breaks, or what is not supported.
    pub(super) fn read(document: &Value) -> Result<Self, String> {
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.as_slice(),
            one @ Value::Object(_) => std::slice::from_ref(one),
            _ => return Err("the policy must have statements".to_owned()),
        };
        let read: Result<Vec<_>, _> = statements.iter().map(Statement::read).collect();
        Ok(Self(read?.into_iter().flatten().collect()))
    }

    /// Decides about the method with this ARN.
    pub(super) fn decide(&self, method_arn: &str) -> Decision {
        let about = self
            .0
            .iter()
            .filter(|statement| statement.resources.match_(method_arn));
        let effects: Vec<bool> = about.map(|statement| statement.allows).collect();
        if effects.contains(&false) {
            Decision::Denied
        } else if effects.is_empty() {
            Decision::Silent
        } else {
            Decision::Allowed
        }
    }
}

impl Statement {
    /// Reads a statement; `None` if it is about other actions.
    fn read(statement: &Value) -> Result<Option<Self>, String> {
        if statement.get("Condition").is_some() {
            return Err("a Condition in an authorizer's policy is not supported".to_owned());
        }
        let allows = match statement["Effect"].as_str() {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("the Effect of a statement must be Allow or Deny".to_owned()),
        };
        let actions = Patterns::read(statement, "Action", str::to_ascii_lowercase)?;
        let resources = Patterns::read(statement, "Resource", str::to_owned)?;
        Ok(actions.match_(ACTION).then_some(Self { allows, resources }))
    }
}

impl Patterns {
    fn read(statement: &Value, name: &str, form: fn(&str) -> String) -> Result<Self, String> {
        let negative = format!("Not{name}");
        let (value, negated) = match (statement.get(name), statement.get(&negative)) {
            (Some(value), None) => (value, false),
            (None, Some(value)) => (value, true),
            _ => return Err(format!("a statement must have either {name} or {negative}")),
        };
        let texts: Option<Vec<&str>> = match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(texts) => texts.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let texts = texts.ok_or_else(|| format!("{name} must be a text or a list of texts"))?;
        Ok(Self {
            patterns: texts.into_iter().map(form).collect(),
            negated,
        })
    }

    fn match_(&self, text: &str) -> bool {
        let mut patterns = self.patterns.iter();
        patterns.any(|pattern| matches(pattern, text)) != self.negated
    }
}

/// Whether a pattern matches the whole text.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((run, mut pattern)) = pattern.split_once('*') else {
        return after_run(pattern, text) == Some("");
    };
    let mut rest = after_run(run, text);
    // Each run between two `*` is taken where it comes first, and the run after the last `*` must end the text.
    while let (Some(text), Some((run, more))) = (rest, pattern.split_once('*')) {
        (rest, pattern) = (find_run(run, text), more);
    }
    rest.is_some_and(|text| ends_with_run(pattern, text))
}

/// The text after a run at its beginning; `None` if it begins otherwise. A `?` of the run matches any character.
fn after_run<'a>(run: &str, text: &'a str) -> Option<&'a str> {
    let mut letters = text.chars();
    for wanted in run.chars() {
        let letter = letters.next()?;
        if wanted != '?' && wanted != letter {
            return None;
        }
    }
    Some(letters.as_str())
}

fn find_run<'a>(run: &str, text: &'a str) -> Option<&'a str> {
    tails(text).find_map(|tail| after_run(run, tail))
}

fn ends_with_run(run: &str, text: &str) -> bool {
    tails(text).any(|tail| after_run(run, tail) == Some(""))
}

/// The text without its first character, without its first two, and so on.
fn tails(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    starts.filter_map(|at| text.get(at..))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:a1/v1/GET/orders/7";

    fn decide(statements: &Value) -> Result<Decision, String> {
        let policy = Policy::read(&json!({"Version": "2012-10-17", "Statement": statements}))?;
        Ok(policy.decide(ARN))
    }

    fn statement(effect: &str, action: &Value, resource: &Value) -> Value {
        json!({"Effect": effect, "Action": action, "Resource": resource})
    }

    #[test]
    fn patterns_match_whole_texts() {
        let cases = [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
            ("*bc", "abcbc", true),
            ("a*a", "a", false),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_denial_goes_before_a_permission() {
        let invoke = json!("execute-api:Invoke");
        let allow = statement(
            "Allow",
            &invoke,
            &json!(["x", "arn:aws:execute-api:*:a1/v1/GET/*"]),
        );
        let deny = statement("Deny", &json!(["*"]), &json!("*/orders/?"));
        let other = statement("Deny", &json!("s3:*"), &json!("*"));
        assert_eq!(decide(&allow), Ok(Decision::Allowed));
        assert_eq!(decide(&json!([allow, other])), Ok(Decision::Allowed));
        assert_eq!(decide(&json!([allow, deny])), Ok(Decision::Denied));
        assert_eq!(decide(&json!([other])), Ok(Decision::Silent));
        let but = json!({"Effect": "Allow", "Action": "*", "NotResource": "*/POST/*"});
        assert_eq!(decide(&but), Ok(Decision::Allowed));
    }

    #[test]
    fn wrong_policies_are_refused() {
        let mut conditional = statement("Allow", &json!("*"), &json!("*"));
        conditional["Condition"] = json!({});
        for wrong in [
            json!("x"),
            json!([statement("Maybe", &json!("*"), &json!("*"))]),
            json!([statement("Allow", &json!(1), &json!("*"))]),
            json!([{"Effect": "Allow", "Action": "*"}]),
            json!([conditional]),
        ] {
            assert!(decide(&wrong).is_err(), "{wrong}");
        }
    }
}
