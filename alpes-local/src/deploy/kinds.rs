//! The kinds of resources that this runtime knows.

use template::{Resource, TemplateError};

use super::{
    aliases, apis,
    draft::{Draft, Source},
    functions, keys, machines, mappings, messaging, permissions, roles, schedules, storage,
    streams, tables,
};

/// Kinds of resources without meaning here: nothing in this runtime would act on them.
const WITHOUT_MEANING: [&str; 8] = [
    "AWS::ApiGateway::Account",
    "AWS::CDK::Metadata",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::CompositeAlarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::ResourcePolicy",
    "AWS::XRay::SamplingRule",
];

type Add = fn(&Resource, &Source<'_>, &mut Draft) -> Result<(), TemplateError>;

/// When resources of a kind are added. A resource can refer to those of earlier phases.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    First,
    Functions,
    Versions,
    Aliases,
    Last,
}

/// Adds all resources of a template.
pub(super) fn add_resources(source: &Source<'_>, draft: &mut Draft) -> Result<(), TemplateError> {
    let mut known = vec![];
    for resource in &source.template.resources {
        for attribute in &resource.attributes {
            if attribute != "DependsOn" {
                draft.note(attribute.as_str());
            }
        }
        if WITHOUT_MEANING.contains(&resource.kind.as_str()) {
            draft.note(resource.kind.as_str());
            continue;
        }
        let (phase, add) = kind(resource)?;
        draft.claim(resource)?;
        known.push((phase, add, resource));
    }
    let phases = [
        Phase::First,
        Phase::Functions,
        Phase::Versions,
        Phase::Aliases,
        Phase::Last,
    ];
    for now in phases {
        for (_, add, resource) in known.iter().filter(|(phase, ..)| *phase == now) {
            add(resource, source, draft)?;
        }
    }
    Ok(())
}

fn kind(resource: &Resource) -> Result<(Phase, Add), TemplateError> {
    use Phase::{Aliases, First, Functions, Last, Versions};
    Ok(match resource.kind.as_str() {
        "AWS::DynamoDB::Table" => (First, tables::table),
        "AWS::Events::Rule" => (Last, schedules::rule),
        "AWS::IAM::ManagedPolicy" => (Last, roles::managed_policy),
        "AWS::IAM::Policy" => (Last, roles::policy),
        "AWS::IAM::Role" => (First, roles::role),
        "AWS::IAM::RolePolicy" => (Last, roles::role_policy),
        "AWS::KMS::Alias" => (Last, keys::alias),
        "AWS::KMS::Key" => (First, keys::key),
        "AWS::Kinesis::Stream" => (First, streams::stream),
        "AWS::Kinesis::StreamConsumer" => (Last, streams::consumer),
        "AWS::Lambda::Alias" => (Aliases, aliases::alias),
        "AWS::Lambda::EventInvokeConfig" => (Last, aliases::invoke_config),
        "AWS::Lambda::EventSourceMapping" => (Last, mappings::mapping),
        "AWS::Lambda::Function" => (Functions, functions::lambda),
        "AWS::Lambda::Permission" => (Last, permissions::of_function),
        "AWS::Lambda::Version" => (Versions, aliases::version),
        "AWS::Logs::LogGroup" => (First, storage::log_group),
        "AWS::S3::Bucket" => (First, storage::bucket),
        "AWS::S3::BucketPolicy" => (Last, permissions::of_bucket),
        "AWS::SNS::Subscription" => (Last, messaging::subscription),
        "AWS::SNS::Topic" => (First, messaging::topic),
        "AWS::SNS::TopicPolicy" => (Last, permissions::of_topics),
        "AWS::SQS::Queue" => (First, messaging::queue),
        "AWS::SQS::QueuePolicy" => (Last, permissions::of_queues),
        "AWS::SSM::Parameter" => (First, keys::parameter),
        "AWS::Scheduler::Schedule" => (Last, schedules::schedule),
        "AWS::Serverless::Api" => (First, apis::api),
        "AWS::Serverless::Function" => (Functions, functions::serverless),
        "AWS::Serverless::SimpleTable" => (First, tables::simple),
        "AWS::Serverless::StateMachine" => (First, machines::serverless),
        "AWS::StepFunctions::StateMachine" => (First, machines::states),
        unknown => {
            let why = format!("this runtime does not know the type {unknown}");
            return Err(TemplateError::unsupported(resource.place("Type"), &why));
        }
    })
}
