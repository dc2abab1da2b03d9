//! The role of a SAM function or state machine: one of the template, or the one that SAM makes from `Policies`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use template::{Properties, TemplateError};

use super::{
    Policy, Role, StreamMapping, documents,
    draft::{Draft, Source},
};
use crate::iam::managed;

/// The ARN of the role. A role that SAM would make becomes part of the plan.
pub(super) fn role_of(
    set: &Properties<'_>,
    source: &Source<'_>,
    draft: &mut Draft,
    service: &str,
) -> Result<String, TemplateError> {
    set.refuse("RolePath", "give the function a role with this path")?;
    if let Some(role) = set.text("Role")? {
        // As on AWS, the policies of a function with a role of its own have no effect.
        draft.skip(
            set,
            &[
                "AssumeRolePolicyDocument",
                "PermissionsBoundary",
                "Policies",
            ],
        );
        return Ok(role);
    }
    let id = format!("{}Role", set.resource().id);
    let name = source.stack.generated_name("AWS::IAM::Role", &id);
    let arn = source.stack.global_arn("iam", &format!("role/{name}"));
    let mut role = Role {
        name,
        arn: arn.clone(),
        assume: assume(set, service)?,
        policies: vec![],
        managed_policy_arns: basic_policies(set, service),
        boundary: documents::boundary(set)?,
    };
    add_policies(set, source, &mut role, draft)?;
    draft.plan.roles.push(role);
    Ok(arn)
}

fn assume(set: &Properties<'_>, service: &str) -> Result<Value, TemplateError> {
    let own = match set.value("AssumeRolePolicyDocument") {
        Some(_) => Some(documents::of_resource(set, "AssumeRolePolicyDocument")?),
        None => None,
    };
    let usual = || {
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": [service]},
                "Action": ["sts:AssumeRole"],
            }],
        })
    };
    Ok(own.unwrap_or_else(usual))
}

/// The policies of AWS that SAM attaches by itself.
fn basic_policies(set: &Properties<'_>, service: &str) -> Vec<String> {
    if service != "lambda.amazonaws.com" {
        return vec![];
    }
    let events = set.resource().properties.get("Events");
    let events = events.and_then(Value::as_object).into_iter().flatten();
    let mut names = vec!["AWSLambdaBasicExecutionRole"];
    for (_, event) in events {
        names.extend(match event.get("Type").and_then(Value::as_str) {
            Some("Kinesis") => Some("AWSLambdaKinesisExecutionRole"),
            Some("SQS") => Some("AWSLambdaSQSQueueExecutionRole"),
            _ => None,
        });
    }
    names.dedup();
    let arn = |name| format!("arn:aws:iam::aws:policy/service-role/{name}");
    names.into_iter().map(arn).collect()
}

fn add_policies(
    set: &Properties<'_>,
    source: &Source<'_>,
    role: &mut Role,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let Some(policies) = set.value("Policies") else {
        return Ok(());
    };
    let only = std::slice::from_ref(policies);
    let policies = policies.as_array().map_or(only, Vec::as_slice);
    for (place, policy) in policies.iter().enumerate() {
        match policy {
            Value::String(arn) if arn.starts_with("arn:") => {
                documents::check_managed(set, "Policies", arn)?;
                role.managed_policy_arns.push(arn.clone());
            }
            Value::String(name) => {
                let arn = managed::arn_of_name(name).ok_or_else(|| {
                    let wanted = format!("policies that this runtime knows, unlike {name}");
                    set.must("Policies", &wanted)
                })?;
                role.managed_policy_arns.push(arn);
            }
            Value::Object(policy) => {
                let document = policy_document(policy, source);
                match document.map_err(|rule| set.must("Policies", &rule))? {
                    Meant::Document(document) => {
                        documents::check_of_role(set, "Policies", &document)?;
                        let name = format!("{}Policy{place}", role.name);
                        role.policies.push(Policy { name, document });
                    }
                    Meant::Template(unknown) => {
                        draft.note(format!("{}.{unknown}", set.kind_path("Policies")));
                    }
                }
            }
            _ => return Err(set.must("Policies", "ARNs, names, documents and policy templates")),
        }
    }
    Ok(())
}

/// Lets the role that SAM makes for a function send to the function's destinations, as SAM does.
pub(super) fn allow_destinations(function: &str, draft: &mut Draft) {
    let plan = &mut draft.plan;
    let mut functions = plan.functions.iter();
    let Some(function) = functions.find(|known| known.name == function) else {
        return;
    };
    let asynchronous = &function.asynchronous;
    let of_function = [
        &asynchronous.on_success,
        &asynchronous.on_failure,
        &asynchronous.dead_letter,
    ];
    let mappings = plan.stream_mappings.iter();
    let of_function_too =
        |mapping: &&StreamMapping| mapping.function.split(':').next() == Some(&function.name);
    let of_mappings = mappings.filter(of_function_too);
    let of_mappings = of_mappings.filter_map(|mapping| mapping.destination_arn.as_ref());
    let all = of_function.into_iter().flatten().chain(of_mappings);
    let statements: Vec<_> = all.filter_map(|arn| to_destination(arn)).collect();
    let mut roles = plan.roles.iter_mut();
    let role = roles.find(|role| role.arn == function.role_arn);
    if let Some(role) = role.filter(|_| !statements.is_empty()) {
        role.policies.push(Policy {
            name: format!("{}Destinations", role.name),
            document: json!({ "Statement": statements }),
        });
    }
}

/// The statement that lets a function send to a destination.
fn to_destination(arn: &str) -> Option<Value> {
    let (actions, resources) = match arn.split(':').nth(2)? {
        "s3" => (
            vec!["s3:PutObject", "s3:ListBucket"],
            vec![arn.to_owned(), format!("{arn}/*")],
        ),
        "sqs" => (vec!["sqs:SendMessage"], vec![arn.to_owned()]),
        "sns" => (vec!["sns:Publish"], vec![arn.to_owned()]),
        "lambda" => (vec!["lambda:InvokeFunction"], vec![arn.to_owned()]),
        _ => return None,
    };
    Some(json!({"Effect": "Allow", "Action": actions, "Resource": resources}))
}

/// The kind of an object in `Policies`.
enum Meant<'a> {
    Document(Value),
    /// A policy template for a service that this runtime does not have.
    Template(&'a str),
}

/// A policy's document: the policy itself, or what its template stands for.
fn policy_document<'a>(
    policy: &'a Map<String, Value>,
    source: &Source<'_>,
) -> Result<Meant<'a>, String> {
    if policy.contains_key("Statement") {
        return Ok(Meant::Document(policy.clone().into()));
    }
    let mut entries = policy.iter();
    let (Some((name, given)), None) = (entries.next(), entries.next()) else {
        return Err("documents, or policy templates with one name each".to_owned());
    };
    let found = TEMPLATES.iter().find(|(known, _)| known == name);
    let Some((_, statements)) = found else {
        return Ok(Meant::Template(name));
    };
    let given = given.as_object().into_iter().flatten();
    let given = given.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let given: BTreeMap<_, _> = given.collect();
    let statements: Result<Vec<_>, _> = statements
        .iter()
        .map(|(actions, resources)| statement(actions, resources, &given, source))
        .collect();
    let document = json!({"Version": "2012-10-17", "Statement": statements?});
    Ok(Meant::Document(document))
}

fn statement(
    actions: &[&str],
    resources: &[&str],
    given: &BTreeMap<&str, &str>,
    source: &Source<'_>,
) -> Result<Value, String> {
    let resources: Result<Vec<_>, _> = resources
        .iter()
        .map(|resource| resource_arn(resource, given, source))
        .collect();
    Ok(json!({"Effect": "Allow", "Action": actions, "Resource": resources?}))
}

/// The ARN of a pattern `service:resource`, in which `${name}` is a parameter of the policy template.
fn resource_arn(
    pattern: &str,
    given: &BTreeMap<&str, &str>,
    source: &Source<'_>,
) -> Result<String, String> {
    let mut resource = pattern.to_owned();
    if let Some((_, rest)) = pattern.split_once("${") {
        let name = rest.split('}').next().unwrap_or_default();
        let value = given.get(name);
        let value = value.ok_or_else(|| format!("policy templates with their parameter {name}"))?;
        resource = pattern.replace(&format!("${{{name}}}"), value);
    }
    Ok(match resource.split_once(':') {
        Some(("s3", bucket)) => format!("arn:aws:s3:::{bucket}"),
        Some((service, resource)) => source.stack.arn(service, resource),
        None => resource,
    })
}

/// A policy template: its name, and for each statement the actions and the resources.
type PolicyTemplate = (
    &'static str,
    &'static [(&'static [&'static str], &'static [&'static str])],
);

const TABLE: &[&str] = &[
    "dynamodb:table/${TableName}",
    "dynamodb:table/${TableName}/index/*",
];
const BUCKET: &[&str] = &["s3:${BucketName}", "s3:${BucketName}/*"];

/// SAM's policy templates for the services of this runtime.
const TEMPLATES: &[PolicyTemplate] = &[
    (
        "CloudWatchPutMetricPolicy",
        &[(&["cloudwatch:PutMetricData"], &["*"])],
    ),
    (
        "DynamoDBCrudPolicy",
        &[(
            &[
                "dynamodb:GetItem",
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:Scan",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
                "dynamodb:BatchWriteItem",
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
                "dynamodb:ConditionCheckItem",
            ],
            TABLE,
        )],
    ),
    (
        "DynamoDBReadPolicy",
        &[(
            &[
                "dynamodb:GetItem",
                "dynamodb:Scan",
                "dynamodb:Query",
                "dynamodb:BatchGetItem",
                "dynamodb:DescribeTable",
            ],
            TABLE,
        )],
    ),
    (
        "DynamoDBWritePolicy",
        &[(
            &[
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
                "dynamodb:BatchWriteItem",
            ],
            TABLE,
        )],
    ),
    (
        "KMSDecryptPolicy",
        &[(&["kms:Decrypt"], &["kms:key/${KeyId}"])],
    ),
    (
        "KMSEncryptPolicy",
        &[(&["kms:Encrypt"], &["kms:key/${KeyId}"])],
    ),
    (
        "KinesisStreamReadPolicy",
        &[
            (
                &["kinesis:ListStreams", "kinesis:DescribeLimits"],
                &["kinesis:stream/*"],
            ),
            (
                &[
                    "kinesis:DescribeStream",
                    "kinesis:DescribeStreamSummary",
                    "kinesis:GetRecords",
                    "kinesis:GetShardIterator",
                ],
                &["kinesis:stream/${StreamName}"],
            ),
        ],
    ),
    (
        "LambdaInvokePolicy",
        &[(
            &["lambda:InvokeFunction"],
            &["lambda:function:${FunctionName}*"],
        )],
    ),
    (
        "S3CrudPolicy",
        &[(
            &[
                "s3:GetObject",
                "s3:ListBucket",
                "s3:GetBucketLocation",
                "s3:GetObjectVersion",
                "s3:PutObject",
                "s3:PutObjectAcl",
                "s3:GetLifecycleConfiguration",
                "s3:PutLifecycleConfiguration",
                "s3:DeleteObject",
            ],
            BUCKET,
        )],
    ),
    (
        "S3ReadPolicy",
        &[(
            &[
                "s3:GetObject",
                "s3:ListBucket",
                "s3:GetBucketLocation",
                "s3:GetObjectVersion",
                "s3:GetLifecycleConfiguration",
            ],
            BUCKET,
        )],
    ),
    (
        "S3WritePolicy",
        &[(
            &[
                "s3:PutObject",
                "s3:PutObjectAcl",
                "s3:PutLifecycleConfiguration",
            ],
            BUCKET,
        )],
    ),
    (
        "SNSPublishMessagePolicy",
        &[(&["sns:Publish"], &["sns:${TopicName}"])],
    ),
    (
        "SQSPollerPolicy",
        &[(
            &[
                "sqs:ChangeMessageVisibility",
                "sqs:ChangeMessageVisibilityBatch",
                "sqs:DeleteMessage",
                "sqs:DeleteMessageBatch",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ],
            &["sqs:${QueueName}"],
        )],
    ),
    (
        "SQSSendMessagePolicy",
        &[(&["sqs:SendMessage*"], &["sqs:${QueueName}"])],
    ),
    (
        "SSMParameterReadPolicy",
        &[
            (&["ssm:DescribeParameters"], &["*"]),
            (
                &[
                    "ssm:GetParameters",
                    "ssm:GetParameter",
                    "ssm:GetParametersByPath",
                ],
                &["ssm:parameter/${ParameterName}"],
            ),
        ],
    ),
    (
        "StepFunctionsExecutionPolicy",
        &[(
            &["states:StartExecution"],
            &["states:stateMachine:${StateMachineName}"],
        )],
    ),
];
