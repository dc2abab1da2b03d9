//! The plan: everything that the templates ask for.

use std::path::{Path, PathBuf};

use template::{Output, Stack, Template, TemplateError};
use thiserror::Error;

use super::{
    Alias, ApiSpec, Bucket, Function, Key, KeyAlias, ManagedPolicy, Parameter, Queue, QueueMapping,
    ResourcePolicy, Role, Schedule, StateMachine, Stream, StreamMapping, Subscription, Table,
    Topic, apis,
    draft::{Draft, Source},
    kinds,
};
use crate::names::{ACCOUNT, REGION};

/// Everything that templates ask for, in the order of the templates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Kinesis streams, with their consumers.
    pub streams: Vec<Stream>,
    /// DynamoDB tables.
    pub tables: Vec<Table>,
    /// S3 buckets.
    pub buckets: Vec<Bucket>,
    /// SNS topics.
    pub topics: Vec<Topic>,
    /// Subscriptions to the topics.
    pub subscriptions: Vec<Subscription>,
    /// SQS queues.
    pub queues: Vec<Queue>,
    /// Lambda functions.
    pub functions: Vec<Function>,
    /// Aliases of the functions.
    pub aliases: Vec<Alias>,
    /// Event source mappings of Kinesis streams.
    pub stream_mappings: Vec<StreamMapping>,
    /// Event source mappings of SQS queues.
    pub queue_mappings: Vec<QueueMapping>,
    /// REST APIs.
    pub apis: Vec<ApiSpec>,
    /// State machines of Step Functions.
    pub state_machines: Vec<StateMachine>,
    /// Rules and schedules that invoke functions at certain times.
    pub schedules: Vec<Schedule>,
    /// Parameters of SSM's parameter store.
    pub parameters: Vec<Parameter>,
    /// KMS keys.
    pub keys: Vec<Key>,
    /// Aliases of the KMS keys.
    pub key_aliases: Vec<KeyAlias>,
    /// Roles, with the policies that are part of them or attached to them.
    pub roles: Vec<Role>,
    /// Policies with an ARN of their own.
    pub managed_policies: Vec<ManagedPolicy>,
    /// Policies of resources.
    pub resource_policies: Vec<ResourcePolicy>,
    /// The names of the log groups.
    pub log_groups: Vec<String>,
    /// The outputs of all templates.
    pub outputs: Vec<Output>,
    /// Everything without meaning in this runtime: each kind of resource and property once, with its number of
    /// occurrences, for example `AWS::CloudWatch::Alarm (27)`.
    pub without_meaning: Vec<String>,
}

/// The reason why templates cannot be deployed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DeployError {
    /// A template has a mistake, or asks for something that this runtime does not support.
    #[error("{path}: {error}")]
    Template {
        /// The path of the template.
        path: String,
        /// The mistake, with its place.
        error: TemplateError,
    },
    /// No template declares a parameter that was given.
    #[error("no template has a parameter {0}")]
    NoParameter(String),
}

impl Plan {
    /// Reads templates, each a path and its text, as one stack. Files that templates name, for example definitions of
    /// state machines, are read relative to the template's folder. Each parameter goes to all templates that declare
    /// it; a template can import what earlier ones export.
    ///
    /// # Errors
    ///
    /// [`DeployError`] names the template, the line and the faulty value.
    pub fn read(
        templates: &[(PathBuf, String)],
        stack: &str,
        parameters: &[(String, String)],
    ) -> Result<Self, DeployError> {
        let stack = Stack {
            name: stack.to_owned(),
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
        };
        let read = read_templates(templates, &stack, parameters)?;
        let mut draft = Draft::default();
        for ((path, _), template) in templates.iter().zip(&read) {
            let folder = path.parent().unwrap_or(Path::new(""));
            let source = Source {
                stack: &stack,
                folder,
                template,
            };
            add(&source, &mut draft).map_err(|error| in_template(path, error))?;
        }
        Ok(draft.finished())
    }
}

fn read_templates(
    templates: &[(PathBuf, String)],
    stack: &Stack,
    parameters: &[(String, String)],
) -> Result<Vec<Template>, DeployError> {
    let given: Vec<_> = parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut read: Vec<Template> = vec![];
    for (path, text) in templates {
        let template = Template::after(text, stack, &given, &read);
        read.push(template.map_err(|error| in_template(path, error))?);
    }
    for (name, _) in parameters {
        if !read
            .iter()
            .any(|template| template.parameters.contains(name))
        {
            return Err(DeployError::NoParameter(name.clone()));
        }
    }
    Ok(read)
}

fn in_template(path: &Path, error: TemplateError) -> DeployError {
    let path = path.display().to_string();
    DeployError::Template { path, error }
}

/// Adds a template's resources and outputs.
fn add(source: &Source<'_>, draft: &mut Draft) -> Result<(), TemplateError> {
    kinds::add_resources(source, draft)?;
    apis::add_routes(draft)?;
    draft
        .plan
        .outputs
        .extend(source.template.outputs.iter().cloned());
    Ok(())
}
