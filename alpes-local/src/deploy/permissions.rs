//! Policies of resources: of functions, buckets, topics and queues.

use serde_json::{Map, Value, json};
use template::{Properties, Resource, TemplateError};

use super::{
    documents,
    draft::{Draft, Source},
};
use crate::names::{arn, last_part};

/// A policy of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourcePolicy {
    /// The ARN of the resource.
    pub arn: String,
    /// The document.
    pub document: Value,
}

/// An `AWS::Lambda::Permission`: lets a service or an account use a function.
pub(super) fn of_function(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let policy = resource.read(|set| {
        let urls = "this runtime has no function URLs";
        set.refuse("FunctionUrlAuthType", urls)?;
        set.refuse("InvokedViaFunctionUrl", urls)?;
        set.refuse("EventSourceToken", "it is for Alexa")?;
        set.refuse("PrincipalOrgID", "this runtime has no organizations")?;
        let (function, qualifier) = draft.function(set, "FunctionName")?;
        let qualifier = qualifier.map(|qualifier| format!(":{qualifier}"));
        let arn = format!("{}{}", function.arn, qualifier.unwrap_or_default());
        let action = set.required("Action")?;
        let statement = json!({
            "Effect": "Allow",
            "Principal": principal(&set.required("Principal")?),
            "Action": action,
            "Resource": arn,
            "Condition": condition(set)?,
        });
        let document = json!({"Statement": [statement]});
        documents::check_of_resource(set, "Action", &document)?;
        Ok(ResourcePolicy { arn, document })
    })?;
    draft.plan.resource_policies.push(policy);
    Ok(())
}

fn principal(name: &str) -> Value {
    if name == "*" {
        return json!("*");
    }
    let is_service = name.ends_with(".amazonaws.com");
    let kind = if is_service { "Service" } else { "AWS" };
    json!({kind: name})
}

fn condition(set: &Properties<'_>) -> Result<Value, TemplateError> {
    let mut condition = Map::new();
    if let Some(arn) = set.text("SourceArn")? {
        condition.insert("ArnLike".to_owned(), json!({"aws:SourceArn": arn}));
    }
    if let Some(account) = set.text("SourceAccount")? {
        let account = json!({"aws:SourceAccount": account});
        condition.insert("StringEquals".to_owned(), account);
    }
    Ok(condition.into())
}

/// Lets a service invoke a function, as SAM does for the events of a function. `source` is the ARN of the resource on
/// whose behalf the service calls.
pub(super) fn to_service(draft: &mut Draft, function_arn: &str, service: &str, source: &str) {
    let document = json!({
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "lambda:InvokeFunction",
            "Resource": function_arn,
            "Condition": {"ArnLike": {"aws:SourceArn": source}},
        }],
    });
    let arn = function_arn.to_owned();
    draft
        .plan
        .resource_policies
        .push(ResourcePolicy { arn, document });
}

/// An `AWS::S3::BucketPolicy`.
pub(super) fn of_bucket(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let policy = resource.read(|set| {
        let bucket = set.required("Bucket")?;
        let known = draft.plan.buckets.iter().any(|known| known.name == bucket);
        if !known {
            let name = format!("bucket {bucket}");
            return Err(TemplateError::dangling(set.place("Bucket"), name));
        }
        Ok(ResourcePolicy {
            arn: format!("arn:aws:s3:::{bucket}"),
            document: documents::of_resource(set, "PolicyDocument")?,
        })
    })?;
    draft.plan.resource_policies.push(policy);
    Ok(())
}

/// An `AWS::SNS::TopicPolicy`.
pub(super) fn of_topics(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let topics = draft.plan.topics.iter();
    let known: Vec<_> = topics.map(|topic| topic.arn.clone()).collect();
    shared_by(resource, draft, "Topics", &known, str::to_owned)
}

/// An `AWS::SQS::QueuePolicy`. It names queues by their URLs.
pub(super) fn of_queues(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let queues = draft.plan.queues.iter();
    let known: Vec<_> = queues.map(|queue| queue.arn.clone()).collect();
    shared_by(resource, draft, "Queues", &known, |url| {
        arn("sqs", last_part(url))
    })
}

/// A policy that several resources share.
fn shared_by(
    resource: &Resource,
    draft: &mut Draft,
    property: &str,
    known: &[String],
    arn: fn(&str) -> String,
) -> Result<(), TemplateError> {
    let policies: Vec<_> = resource.read(|set| {
        let document = documents::of_resource(set, "PolicyDocument")?;
        let arns = set.texts(property)?.into_iter().map(|name| arn(&name));
        let policies = arns.map(|arn| {
            if !known.contains(&arn) {
                return Err(TemplateError::dangling(set.place(property), arn));
            }
            let document = document.clone();
            Ok(ResourcePolicy { arn, document })
        });
        policies.collect()
    })?;
    draft.plan.resource_policies.extend(policies);
    Ok(())
}
