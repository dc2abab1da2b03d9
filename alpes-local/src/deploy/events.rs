//! The events of a SAM function, which stand for mappings, routes, schedules and subscriptions.

use template::{Properties, TemplateError};

use super::{
    apis::{self, Route},
    draft::{Draft, Source},
    mappings, messaging, schedules,
};

/// The function of the events.
pub(super) struct Target {
    /// The name of the function.
    pub function: String,
    /// The alias that events invoke.
    pub alias: Option<String>,
}

impl Target {
    /// The ARN that events invoke.
    pub fn arn(&self, source: &Source<'_>) -> String {
        let name = &self.function;
        let qualifier = self.alias.iter().map(|alias| format!(":{alias}"));
        let qualifier: String = qualifier.collect();
        source
            .stack
            .arn("lambda", &format!("function:{name}{qualifier}"))
    }
}

/// Adds what the events of a function stand for.
pub(super) fn add(
    set: &Properties<'_>,
    target: &Target,
    source: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    set.within("Events", |events| {
        for name in events.names() {
            events.within(name, |event| {
                let kind = Kind::read(event)?;
                let read = event.within("Properties", |set| {
                    let event = Event { kind, name, set };
                    event.add(target, source, draft)
                })?;
                read.ok_or_else(|| event.must("Properties", "given"))
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Api,
    Kinesis,
    Schedule,
    ScheduleV2,
    Sns,
    Sqs,
}

impl Kind {
    fn read(event: &Properties<'_>) -> Result<Self, TemplateError> {
        Ok(match event.required("Type")?.as_str() {
            "Api" => Self::Api,
            "Kinesis" => Self::Kinesis,
            "Schedule" => Self::Schedule,
            "ScheduleV2" => Self::ScheduleV2,
            "SNS" => Self::Sns,
            "SQS" => Self::Sqs,
            other => {
                let why = format!("this runtime has no events of type {other}");
                return Err(event.unsupported("Type", &why));
            }
        })
    }
}

struct Event<'a, 'p> {
    kind: Kind,
    /// The key of the event.
    name: &'a str,
    set: &'a Properties<'p>,
}

impl Event<'_, '_> {
    fn add(
        &self,
        target: &Target,
        source: &Source<'_>,
        draft: &mut Draft,
    ) -> Result<(), TemplateError> {
        let set = self.set;
        let arn = target.arn(source);
        match self.kind {
            Kind::Kinesis => {
                let stream = set.required("Stream")?;
                mappings::add_stream(set, &self.id(), (&stream, "Stream"), target, draft)
            }
            Kind::Sqs => {
                let queue = set.required("Queue")?;
                mappings::add_queue(set, &self.id(), (&queue, "Queue"), target, draft)
            }
            Kind::Sns => messaging::of_event(set, &arn, draft),
            Kind::Schedule => schedules::rule_of_event(set, self.rule_name(source), &arn, draft),
            Kind::ScheduleV2 => schedules::schedule_of_event(set, self.id(), &arn, draft),
            Kind::Api => {
                let route = Route::read(set, apis::implicit_id(source), arn)?;
                draft.routes.push(route);
                Ok(())
            }
        }
    }

    /// The logical id of the resource that SAM makes of the event.
    fn id(&self) -> String {
        format!("{}{}", self.set.resource().id, self.name)
    }

    fn rule_name(&self, source: &Source<'_>) -> String {
        source.stack.generated_name("AWS::Events::Rule", &self.id())
    }
}
