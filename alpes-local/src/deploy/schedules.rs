//! Rules and schedules that invoke functions at certain times.

use template::{Properties, Resource, TemplateError};

use super::{
    Schedule, ScheduleSource, Target,
    draft::{Draft, Source},
    permissions,
};

/// An `AWS::Events::Rule` with a schedule.
pub(super) fn rule(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let rule = resource.read(|set| {
        draft.skip(set, &["Description", "RoleArn", "Tags"]);
        set.text("Name")?;
        set.refuse(
            "EventPattern",
            "this runtime has schedules and no event bus",
        )?;
        if !matches!(set.text("EventBusName")?.as_deref(), None | Some("default")) {
            return Err(set.unsupported("EventBusName", "this runtime has no event bus"));
        }
        let targets = set.each("Targets", |target| {
            // The role of a rule's target is for targets that are no functions.
            draft.skip(target, &["RoleArn"]);
            refuse_failures(target)?;
            target.refuse("InputPath", "give an Input")?;
            target.refuse("InputTransformer", "give an Input")?;
            draft.function(target, "Arn")?;
            Ok(Target {
                id: target.required("Id")?,
                arn: target.required("Arn")?,
                input: target.text("Input")?,
            })
        })?;
        Ok(Schedule {
            name: resource.name.clone(),
            source: ScheduleSource::Rule,
            role_arn: None,
            expression: expression(set, "ScheduleExpression")?,
            enabled: enabled(set)?,
            targets,
        })
    })?;
    draft.plan.schedules.push(rule);
    Ok(())
}

/// An `AWS::Scheduler::Schedule`.
pub(super) fn schedule(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let schedule = resource.read(|set| {
        set.text("Name")?;
        let target = set.within("Target", |target| {
            refuse_failures(target)?;
            draft.function(target, "Arn")?;
            let role = target.required("RoleArn")?;
            let target = Target {
                id: resource.name.clone(),
                arn: target.required("Arn")?,
                input: target.text("Input")?,
            };
            Ok((role, target))
        })?;
        let (role, target) = target.ok_or_else(|| set.must("Target", "given"))?;
        scheduler(set, resource.name.clone(), Some(role), target, draft)
    })?;
    draft.plan.schedules.push(schedule);
    Ok(())
}

/// The rule of a SAM function's event of type `Schedule`.
pub(super) fn rule_of_event(
    set: &Properties<'_>,
    generated_name: String,
    function_arn: &str,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    draft.skip(set, &["Description"]);
    refuse_failures(set)?;
    let name = set.text("Name")?.unwrap_or(generated_name);
    let on = set.truth("Enabled")?.unwrap_or(true);
    let rule = Schedule {
        source: ScheduleSource::Rule,
        role_arn: None,
        expression: expression(set, "Schedule")?,
        enabled: on && enabled(set)?,
        targets: vec![Target {
            id: format!("{}LambdaTarget", set.resource().id),
            arn: function_arn.to_owned(),
            input: set.text("Input")?,
        }],
        name,
    };
    let arn = crate::schedules::rule_arn(&rule.name);
    permissions::to_service(draft, function_arn, "events.amazonaws.com", &arn);
    draft.plan.schedules.push(rule);
    Ok(())
}

/// The schedule of a SAM function's event of type `ScheduleV2`. `id` is the schedule's name if it has none of its own.
pub(super) fn schedule_of_event(
    set: &Properties<'_>,
    id: String,
    function_arn: &str,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    draft.skip(set, &["OmitName", "PermissionsBoundary"]);
    refuse_failures(set)?;
    let name = set.text("Name")?.unwrap_or(id);
    let target = Target {
        id: name.clone(),
        arn: function_arn.to_owned(),
        input: set.text("Input")?,
    };
    let role = set.text("RoleArn")?;
    let schedule = scheduler(set, name, role, target, draft)?;
    draft.plan.schedules.push(schedule);
    Ok(())
}

/// The properties that schedules of EventBridge Scheduler have in common.
fn scheduler(
    set: &Properties<'_>,
    name: String,
    role_arn: Option<String>,
    target: Target,
    draft: &mut Draft,
) -> Result<Schedule, TemplateError> {
    draft.skip(set, &["Description", "KmsKeyArn"]);
    let group = set.text("GroupName")?;
    let zone = "ScheduleExpressionTimezone";
    if !matches!(set.text(zone)?.as_deref(), None | Some("UTC")) {
        return Err(set.unsupported(zone, "times are in UTC"));
    }
    set.within("FlexibleTimeWindow", |window| {
        match window.text("Mode")?.as_deref() {
            Some("OFF") | None => Ok(()),
            Some(_) => Err(window.unsupported("Mode", "schedules keep their time")),
        }
    })?;
    Ok(Schedule {
        name,
        source: ScheduleSource::Scheduler {
            group: group.unwrap_or_else(|| "default".to_owned()),
        },
        role_arn,
        expression: expression(set, "ScheduleExpression")?,
        enabled: enabled(set)?,
        targets: vec![target],
    })
}

fn refuse_failures(set: &Properties<'_>) -> Result<(), TemplateError> {
    let why = "the function's own settings of asynchronous invocations hold here";
    set.refuse("DeadLetterConfig", why)?;
    set.refuse("RetryPolicy", why)
}

fn expression(set: &Properties<'_>, property: &str) -> Result<String, TemplateError> {
    let expression = set.required(property)?;
    let kinds = ["rate(", "cron(", "at("];
    if kinds.iter().any(|kind| expression.starts_with(kind)) && expression.ends_with(')') {
        return Ok(expression);
    }
    Err(set.must(property, "rate(…), cron(…) or at(…)"))
}

fn enabled(set: &Properties<'_>) -> Result<bool, TemplateError> {
    let states = [("ENABLED", true), ("DISABLED", false)];
    Ok(set.choice("State", &states)?.unwrap_or(true))
}
