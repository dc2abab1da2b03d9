//! The operations of the API.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Schedules, TARGET_LIMIT, Target, check_name, check_target, expression::Expression,
    parse_expression, rows, rows::Rule, rule_arn,
};
use crate::{
    error::AwsError,
    input::{cut, fault, length, page_size, put_some, read, unknown, validation},
};

/// The only event bus.
const BUS: &str = "default";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutRule {
    name: String,
    schedule_expression: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    state: RuleState,
    event_bus_name: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum RuleState {
    #[default]
    Enabled,
    Disabled,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct OfRule {
    name: String,
    event_bus_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListRules {
    #[serde(default)]
    name_prefix: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutTargets {
    rule: String,
    event_bus_name: Option<String>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ListTargets {
    rule: String,
    event_bus_name: Option<String>,
    next_token: Option<String>,
    limit: Option<usize>,
}

impl Schedules {
    /// Answers a request of the API (`AWSEvents`, JSON 1.1).
    ///
    /// # Errors
    ///
    /// AWS's errors for the operation, and `UnknownOperationException` for operations that are not supported.
    pub fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        match operation {
            "PutRule" => self.put_rule(input),
            "DescribeRule" => self.describe_rule(input),
            "ListRules" => self.list_rules(input),
            "EnableRule" => self.switch(input, true),
            "DisableRule" => self.switch(input, false),
            "PutTargets" => self.put_targets(input),
            "ListTargetsByRule" => self.list_targets(input),
            other => Err(unknown(other)),
        }
    }

    fn put_rule(&self, input: &Value) -> Result<Value, AwsError> {
        let request: PutRule = read(input)?;
        on_bus(request.event_bus_name.as_deref())?;
        check_name("name", &request.name)?;
        length("description", &request.description, 0..=512)?;
        if let Expression::At(_) = parse_expression(&request.schedule_expression)? {
            return Err(validation(
                "Parameter ScheduleExpression is not valid. A rule takes no at(…).",
            ));
        }
        let now = self.now();
        let arn = rule_arn(&request.name);
        self.store().write(|transaction| {
            let known = rows::rule(transaction, &request.name)?;
            let rule = Rule {
                key: request.name,
                expression: request.schedule_expression,
                description: request.description,
                enabled: request.state == RuleState::Enabled,
                made: now,
            };
            rows::put(transaction, &rule.after(known))
        })?;
        self.changed();
        Ok(json!({"RuleArn": arn}))
    }

    fn describe_rule(&self, input: &Value) -> Result<Value, AwsError> {
        let request: OfRule = read(input)?;
        on_bus(request.event_bus_name.as_deref())?;
        check_name("name", &request.name)?;
        Ok(told(&self.rule(&request.name)?))
    }

    fn list_rules(&self, input: &Value) -> Result<Value, AwsError> {
        let request: ListRules = read(input)?;
        on_bus(request.event_bus_name.as_deref())?;
        let page = page_size("limit", request.limit, 1..=100)?;
        let after = request.next_token.unwrap_or_default();
        let mut rules = self
            .store()
            .read(|connection| rows::rules(connection, &request.name_prefix, &after, page + 1))?;
        let next = cut(&mut rules, page, |last| last.key.clone());
        let rules: Vec<_> = rules.iter().map(told).collect();
        let mut answer = json!({"Rules": rules});
        put_some(&mut answer, "NextToken", next);
        Ok(answer)
    }

    fn switch(&self, input: &Value, enabled: bool) -> Result<Value, AwsError> {
        let request: OfRule = read(input)?;
        on_bus(request.event_bus_name.as_deref())?;
        check_name("name", &request.name)?;
        let now = self.now();
        self.store().write(|transaction| {
            let rule = rows::rule(transaction, &request.name)?;
            let rule = rule.ok_or_else(|| missing(&request.name))?;
            rows::put(transaction, &switched(rule, enabled, now))?;
            Ok::<_, AwsError>(())
        })?;
        self.changed();
        Ok(json!({}))
    }

    fn put_targets(&self, input: &Value) -> Result<Value, AwsError> {
        let request: PutTargets = read(input)?;
        on_bus(request.event_bus_name.as_deref())?;
        check_name("rule", &request.rule)?;
        if request.targets.is_empty() {
            let rule = "have length greater than or equal to 1";
            return Err(fault("targets", "[]", rule));
        }
        for target in &request.targets {
            check_target(target)?;
        }
        self.store().write(|transaction| {
            if rows::rule(transaction, &request.rule)?.is_none() {
                return Err(missing(&request.rule));
            }
            for target in &request.targets {
                rows::put_target(transaction, &request.rule, target)?;
            }
            let all = rows::targets(transaction, &request.rule, "", usize::MAX)?;
            if all.len() > TARGET_LIMIT {
                let message = "The requested resource exceeds the maximum number allowed.";
                return Err(AwsError::client("LimitExceededException", message));
            }
            Ok(())
        })?;
        Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
    }

    fn list_targets(&self, input: &Value) -> Result<Value, AwsError> {
        let request: ListTargets = read(input)?;
        on_bus(request.event_bus_name.as_deref())?;
        check_name("rule", &request.rule)?;
        let page = page_size("limit", request.limit, 1..=100)?;
        self.rule(&request.rule)?;
        let after = request.next_token.unwrap_or_default();
        let mut targets = self
            .store()
            .read(|connection| rows::targets(connection, &request.rule, &after, page + 1))?;
        let next = cut(&mut targets, page, |last| last.id.clone());
        let targets: Vec<_> = targets
            .iter()
            .map(|target| {
                let mut told = json!({"Id": target.id, "Arn": target.arn});
                put_some(&mut told, "Input", target.input.as_deref());
                told
            })
            .collect();
        let mut answer = json!({"Targets": targets});
        put_some(&mut answer, "NextToken", next);
        Ok(answer)
    }

    fn rule(&self, name: &str) -> Result<Rule, AwsError> {
        let rule = self
            .store()
            .read(|connection| rows::rule(connection, name))?;
        rule.ok_or_else(|| missing(name))
    }
}

/// The rule, enabled or disabled. A rate counts from the time at which the rule was enabled.
fn switched(mut rule: Rule, enabled: bool, now: Timestamp) -> Rule {
    if enabled && !rule.enabled {
        rule.made = now;
    }
    rule.enabled = enabled;
    rule
}

fn told(rule: &Rule) -> Value {
    let state = if rule.enabled { "ENABLED" } else { "DISABLED" };
    let mut told = json!({
        "Name": rule.key,
        "Arn": rule_arn(&rule.key),
        "ScheduleExpression": rule.expression,
        "State": state,
        "EventBusName": BUS,
    });
    let description = Some(rule.description.as_str()).filter(|text| !text.is_empty());
    put_some(&mut told, "Description", description);
    told
}

pub(super) fn missing(name: &str) -> AwsError {
    AwsError::client(
        "ResourceNotFoundException",
        format!("Rule {name} does not exist on EventBus {BUS}."),
    )
}

fn on_bus(named: Option<&str>) -> Result<(), AwsError> {
    match named {
        None | Some(BUS) => Ok(()),
        Some(other) => Err(AwsError::client(
            "ResourceNotFoundException",
            format!("Event bus {other} does not exist."),
        )),
    }
}
