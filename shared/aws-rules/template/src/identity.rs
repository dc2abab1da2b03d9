//! The names, ARNs and other attributes by which a template's resources refer to each other.

use crate::{
    Stack, TemplateError,
    error::At,
    scope::{Declared, Scope},
};

/// The time in a consumer's ARN. On AWS it is the time of the registration, which no template knows.
const REGISTERED: &str = "1";

/// The property that names a resource of this kind.
fn name_property(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "AWS::CloudWatch::Alarm" => "AlarmName",
        "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => "TableName",
        "AWS::Events::Rule"
        | "AWS::Kinesis::Stream"
        | "AWS::Lambda::Alias"
        | "AWS::SSM::Parameter"
        | "AWS::Scheduler::Schedule"
        | "AWS::Serverless::StateMachine" => "Name",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        "AWS::IAM::Policy" => "PolicyName",
        "AWS::IAM::Role" => "RoleName",
        "AWS::KMS::Alias" => "AliasName",
        "AWS::Kinesis::StreamConsumer" => "ConsumerName",
        "AWS::Lambda::Function" | "AWS::Serverless::Function" => "FunctionName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::S3::Bucket" => "BucketName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::StepFunctions::StateMachine" => "StateMachineName",
        _ => return None,
    })
}

impl Scope<'_> {
    /// The resource of this logical id, if it is part of the stack.
    fn declared(&self, id: &str, at: &At<'_>) -> Result<&Declared, TemplateError> {
        let found = self.resources.iter().find(|resource| resource.id == id);
        let found = found.ok_or_else(|| at.dangling(id))?;
        match &found.condition {
            Some(condition) if !self.holds(condition, at)? => Err(at.dangling(format!(
                "{id} while its condition {condition} does not hold"
            ))),
            _ => Ok(found),
        }
    }

    /// The text of a resource's property, which must not depend on the reference that is being resolved.
    fn property(&self, of: &Declared, name: &str) -> Result<Option<String>, TemplateError> {
        let properties = of.properties.as_ref();
        let Some(entry) = properties.and_then(|set| set.entry(name)) else {
            return Ok(None);
        };
        let resource = At::root(&of.id, of.line);
        let at = resource.key(name, entry.line);
        let busy = format!("{}.{name}", of.id);
        let value = self
            .trail
            .within(&busy, &at, || self.resolve(&entry.value, &at))?;
        Ok(value.to_text())
    }

    /// The name of a resource: the one that the template gives, or the one that AWS would generate.
    pub fn name(&self, of: &Declared) -> Result<String, TemplateError> {
        let given = match name_property(&of.kind) {
            Some(property) => self.property(of, property)?,
            None => None,
        };
        Ok(given.unwrap_or_else(|| self.stack.generated_name(&of.kind, &of.id)))
    }

    /// The ARN of a resource; `None` if resources of this kind have none.
    pub fn arn(&self, of: &Declared) -> Result<Option<String>, TemplateError> {
        let name = self.name(of)?;
        let stack = self.stack;
        Ok(Some(match of.kind.as_str() {
            "AWS::Kinesis::StreamConsumer" => {
                let stream = self.property(of, "StreamARN")?.unwrap_or_default();
                format!("{stream}/consumer/{name}:{REGISTERED}")
            }
            "AWS::IAM::Role" | "AWS::IAM::ManagedPolicy" => {
                let path = self.property(of, "Path")?.unwrap_or_else(|| "/".to_owned());
                let what = if of.kind.ends_with("Role") {
                    "role"
                } else {
                    "policy"
                };
                stack.global_arn("iam", &format!("{what}{path}{name}"))
            }
            "AWS::Scheduler::Schedule" => {
                let group = self.property(of, "GroupName")?;
                let group = group.as_deref().unwrap_or("default");
                stack.arn("scheduler", &format!("schedule/{group}/{name}"))
            }
            "AWS::WAFv2::WebACL" => {
                let id = stack.uuid(&of.id);
                stack.arn("wafv2", &format!("regional/webacl/{name}/{id}"))
            }
            "AWS::Lambda::Alias" | "AWS::Lambda::Version" => {
                let function = self.property(of, "FunctionName")?.unwrap_or_default();
                let qualifier = if of.kind.ends_with("Alias") {
                    name.as_str()
                } else {
                    "1"
                };
                qualified(stack, &function, qualifier)
            }
            kind => return Ok(named_arn(stack, kind, &name)),
        }))
    }

    /// The value of `Ref` to a resource.
    pub fn reference_to(&self, id: &str, at: &At<'_>) -> Result<String, TemplateError> {
        let of = self.declared(id, at)?;
        let name = self.name(of)?;
        match of.kind.as_str() {
            "AWS::SQS::Queue" => Ok(queue_url(self.stack, &name)),
            "AWS::IAM::ManagedPolicy"
            | "AWS::Kinesis::StreamConsumer"
            | "AWS::Lambda::Alias"
            | "AWS::Lambda::Version"
            | "AWS::SNS::Topic"
            | "AWS::Serverless::StateMachine"
            | "AWS::StepFunctions::StateMachine" => Ok(self.arn(of)?.unwrap_or(name)),
            "AWS::Lambda::EventSourceMapping" | "AWS::SNS::Subscription" => {
                Err(at.unsupported("AWS draws this id when it makes the resource"))
            }
            _ => Ok(name),
        }
    }

    /// The value of an attribute of a resource.
    pub fn attribute(
        &self,
        id: &str,
        attribute: &str,
        at: &At<'_>,
    ) -> Result<String, TemplateError> {
        let of = self.declared(id, at)?;
        let value = if own_arn_attribute(&of.kind) == attribute {
            self.arn(of)?
        } else {
            self.other_attribute(of, attribute)?
        };
        let why = || {
            format!(
                "{} has no attribute {attribute} that is known here",
                of.kind
            )
        };
        value.ok_or_else(|| at.unsupported(&why()))
    }

    fn other_attribute(
        &self,
        of: &Declared,
        attribute: &str,
    ) -> Result<Option<String>, TemplateError> {
        let name = self.name(of)?;
        let region = &self.stack.region;
        Ok(Some(match (of.kind.as_str(), attribute) {
            ("AWS::S3::Bucket", "DomainName") => format!("{name}.s3.amazonaws.com"),
            ("AWS::S3::Bucket", "RegionalDomainName") => {
                format!("{name}.s3.{region}.amazonaws.com")
            }
            ("AWS::S3::Bucket", "DualStackDomainName") => {
                format!("{name}.s3.dualstack.{region}.amazonaws.com")
            }
            ("AWS::SQS::Queue", "QueueUrl") => queue_url(self.stack, &name),
            ("AWS::SQS::Queue", "QueueName")
            | ("AWS::SNS::Topic", "TopicName")
            | ("AWS::Kinesis::StreamConsumer", "ConsumerName")
            | ("AWS::StepFunctions::StateMachine" | "AWS::Serverless::StateMachine", "Name")
            | ("AWS::KMS::Key", "KeyId")
            | ("AWS::Serverless::Api", "RestApiId") => name,
            ("AWS::Kinesis::StreamConsumer", "StreamARN") => {
                return self.property(of, "StreamARN");
            }
            ("AWS::Serverless::Api", "Stage") => return self.property(of, "StageName"),
            ("AWS::SSM::Parameter", "Type" | "Value") => return self.property(of, attribute),
            ("AWS::Lambda::Version", "Version") => "1".to_owned(),
            ("AWS::Serverless::Function", "Alias" | "Version") => {
                let alias = self.property(of, "AutoPublishAlias")?;
                let qualifier = if attribute == "Version" {
                    "1".to_owned()
                } else {
                    alias.clone().unwrap_or_default()
                };
                return Ok(alias.map(|_| qualified(self.stack, &name, &qualifier)));
            }
            _ => return Ok(None),
        }))
    }
}

/// The attribute that is the resource's own ARN.
fn own_arn_attribute(kind: &str) -> &'static str {
    match kind {
        "AWS::SNS::Topic" => "TopicArn",
        "AWS::IAM::ManagedPolicy" => "PolicyArn",
        "AWS::Kinesis::StreamConsumer" => "ConsumerARN",
        "AWS::Lambda::Alias" => "AliasArn",
        "AWS::Lambda::Version" => "FunctionArn",
        _ => "Arn",
    }
}

/// The ARN of a resource whose ARN depends on its name alone.
fn named_arn(stack: &Stack, kind: &str, name: &str) -> Option<String> {
    Some(match kind {
        "AWS::CloudWatch::Alarm" => stack.arn("cloudwatch", &format!("alarm:{name}")),
        "AWS::DynamoDB::Table" | "AWS::Serverless::SimpleTable" => {
            stack.arn("dynamodb", &format!("table/{name}"))
        }
        "AWS::Events::Rule" => stack.arn("events", &format!("rule/{name}")),
        "AWS::KMS::Key" => stack.arn("kms", &format!("key/{name}")),
        "AWS::Kinesis::Stream" => stack.arn("kinesis", &format!("stream/{name}")),
        "AWS::Lambda::Function" | "AWS::Serverless::Function" => {
            stack.arn("lambda", &format!("function:{name}"))
        }
        "AWS::Logs::LogGroup" => stack.arn("logs", &format!("log-group:{name}:*")),
        "AWS::S3::Bucket" => format!("arn:aws:s3:::{name}"),
        "AWS::SNS::Topic" => stack.arn("sns", name),
        "AWS::SQS::Queue" => stack.arn("sqs", name),
        "AWS::Serverless::StateMachine" | "AWS::StepFunctions::StateMachine" => {
            stack.arn("states", &format!("stateMachine:{name}"))
        }
        _ => return None,
    })
}

/// The ARN of a version or an alias of a function. `function` is a name or an ARN.
fn qualified(stack: &Stack, function: &str, qualifier: &str) -> String {
    if function.starts_with("arn:") {
        format!("{function}:{qualifier}")
    } else {
        stack.arn("lambda", &format!("function:{function}:{qualifier}"))
    }
}

fn queue_url(stack: &Stack, name: &str) -> String {
    let Stack {
        account, region, ..
    } = stack;
    format!("https://sqs.{region}.amazonaws.com/{account}/{name}")
}
