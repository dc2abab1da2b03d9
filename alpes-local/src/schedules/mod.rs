//! Schedules: functions that are invoked at times, by rules of EventBridge and by schedules of EventBridge Scheduler.
//!
//! Each target is invoked asynchronously. A time that passes while the runtime is down is lost, as it would be lost on
//! AWS while the rule is disabled; a rate keeps its beat over a restart.

mod api;
mod beat;
mod cron;
mod expression;
mod field;
mod rows;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use tokio::sync::Notify;

use self::{expression::Expression, rows::Rule};
use crate::{
    clock::{Clock, SystemClock},
    error::AwsError,
    iam::Iam,
    input::{fault, length, validation},
    invoke::Invoker,
    names::arn,
    store::Store,
};

/// The most targets of a rule.
const TARGET_LIMIT: usize = 5;
/// The most characters in the payload of a target.
const INPUT_LIMIT: usize = 8192;

/// A schedule, as a template describes it.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Schedule {
    /// The name.
    pub name: String,
    /// The service to which the schedule belongs.
    pub source: ScheduleSource,
    /// The role with which a schedule of EventBridge Scheduler invokes its target. Without one, the role that SAM would
    /// make may do just that. A rule has none: the policy of the function lets it in.
    pub role_arn: Option<String>,
    /// `rate(5 minutes)`, `cron(0 10 * * ? *)` in UTC, or `at(2026-01-31T10:00:00)` in UTC.
    pub expression: String,
    /// The functions that are invoked, at most 5.
    pub targets: Vec<Target>,
    /// Whether the functions are invoked.
    pub enabled: bool,
}

/// The service of a schedule. It decides the event of a target without input.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub enum ScheduleSource {
    /// A rule of EventBridge.
    Rule,
    /// A schedule of EventBridge Scheduler.
    Scheduler {
        /// The schedule's group.
        group: String,
    },
}

impl Schedule {
    /// The key of the schedule: the name of a rule, and `group/name` of a schedule of EventBridge
    /// Scheduler. No rule has a slash in its name.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.source {
            ScheduleSource::Rule => self.name.clone(),
            ScheduleSource::Scheduler { group } => scheduler_key(group, &self.name),
        }
    }
}

/// A target of a schedule.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Target {
    /// The id of the target within its rule.
    pub id: String,
    /// The ARN of the function.
    pub arn: String,
    /// The payload as JSON text; `None` for EventBridge's own event.
    pub input: Option<String>,
}

/// The schedules of the account. A clone is another handle to the same schedules.
#[derive(Clone)]
pub struct Schedules(Arc<Inner>);

struct Inner {
    store: Arc<Store>,
    iam: Arc<Iam>,
    invoker: Arc<dyn Invoker>,
    clock: Arc<dyn Clock>,
    changed: Notify,
}

impl Schedules {
    /// The schedules in this store, which invoke functions of `invoker` while [`Self::run`] runs. `iam` says
    /// whether they may.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn new(
        store: Arc<Store>,
        iam: Arc<Iam>,
        invoker: Arc<dyn Invoker>,
    ) -> Result<Self, AwsError> {
        Self::with_clock(store, iam, invoker, Arc::new(SystemClock))
    }

    /// As [`Self::new`], with a clock for tests.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn with_clock(
        store: Arc<Store>,
        iam: Arc<Iam>,
        invoker: Arc<dyn Invoker>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AwsError> {
        store.schema(rows::SCHEMA)?;
        Ok(Self(Arc::new(Inner {
            store,
            iam,
            invoker,
            clock,
            changed: Notify::new(),
        })))
    }

    /// Makes or replaces a schedule as a deployment asks. A rate keeps its beat, unless it is another one than before.
    ///
    /// # Errors
    ///
    /// `ValidationException` names the field and the rule that it breaks.
    pub fn ensure(&self, schedule: &Schedule) -> Result<(), AwsError> {
        check(schedule)?;
        let now = self.now();
        let key = schedule.key();
        self.store().write(|transaction| {
            let rule = Rule {
                key: key.clone(),
                expression: schedule.expression.clone(),
                description: String::new(),
                enabled: schedule.enabled,
                made: now,
            };
            rows::put(transaction, &rule.after(rows::rule(transaction, &key)?))?;
            rows::remove_targets(transaction, &key)?;
            for target in &schedule.targets {
                rows::put_target(transaction, &key, target)?;
            }
            Ok::<_, AwsError>(())
        })?;
        self.changed();
        Ok(())
    }

    /// Whether there is a schedule with this [key](Schedule::key).
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn exists(&self, key: &str) -> Result<bool, AwsError> {
        let rule = self
            .store()
            .read(|connection| rows::rule(connection, key))?;
        Ok(rule.is_some())
    }

    /// Removes the schedule with this [key](Schedule::key), which no deployment asks for any more. Nothing happens if
    /// there is none.
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn remove(&self, key: &str) -> Result<(), AwsError> {
        self.store().write(|transaction| {
            rows::remove_targets(transaction, key)?;
            rows::remove(transaction, key)
        })?;
        self.changed();
        Ok(())
    }

    fn store(&self) -> &Store {
        &self.0.store
    }

    fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Lets the beat know that rules have changed.
    fn changed(&self) {
        self.0.changed.notify_one();
    }
}

fn scheduler_key(group: &str, name: &str) -> String {
    format!("{group}/{name}")
}

pub(crate) fn rule_arn(name: &str) -> String {
    arn("events", &format!("rule/{name}"))
}

fn check(schedule: &Schedule) -> Result<(), AwsError> {
    check_name("name", &schedule.name)?;
    if let ScheduleSource::Scheduler { group } = &schedule.source {
        check_name("groupName", group)?;
    }
    parse_expression(&schedule.expression)?;
    if schedule.targets.len() > TARGET_LIMIT {
        let targets = schedule.targets.len().to_string();
        let rule = format!("have at most {TARGET_LIMIT} items");
        return Err(fault("targets", &targets, &rule));
    }
    schedule.targets.iter().try_for_each(check_target)
}

fn parse_expression(text: &str) -> Result<Expression, AwsError> {
    Expression::parse(text).map_err(|error| {
        validation(format!(
            "Parameter ScheduleExpression is not valid. {error}"
        ))
    })
}

fn check_target(target: &Target) -> Result<(), AwsError> {
    check_name("id", &target.id)?;
    if !target.arn.starts_with("arn:aws:lambda:") {
        return Err(fault("arn", &target.arn, "be the ARN of a function"));
    }
    let Some(input) = &target.input else {
        return Ok(());
    };
    length("input", input, 0..=INPUT_LIMIT)?;
    match serde_json::from_str::<IgnoredAny>(input) {
        Ok(_) => Ok(()),
        Err(error) => Err(validation(format!(
            "JSON syntax error in input for target {}: {error}",
            target.id
        ))),
    }
}

/// Fails unless a rule or a target may have this name.
fn check_name(field: &str, name: &str) -> Result<(), AwsError> {
    length(field, name, 1..=64)?;
    let is_part = |next: char| next.is_ascii_alphanumeric() || "._-".contains(next);
    if name.chars().all(is_part) {
        return Ok(());
    }
    let rule = "satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+";
    Err(fault(field, name, rule))
}
