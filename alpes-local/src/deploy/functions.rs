//! Lambda functions.

use std::{collections::BTreeMap, time::Duration};

use template::{Properties, Resource, TemplateError};

use super::{
    Alias, aliases,
    draft::{Draft, Source},
    events, policies,
};
use crate::lambda::{Architecture, Asynchronous};

/// A Lambda function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The name.
    pub name: String,
    /// The ARN, without qualifier.
    pub arn: String,
    /// The path of the code as the template writes it. Only its last part counts: the code is in the folder of
    /// artifacts.
    pub code: String,
    /// The handler, which the code finds in `_HANDLER`.
    pub handler: String,
    /// The runtime, for example `provided.al2023`.
    pub runtime: String,
    /// The memory in MB.
    pub memory_mb: u32,
    /// The time limit of an invocation.
    pub timeout: Duration,
    /// The environment variables, by name.
    pub environment: BTreeMap<String, String>,
    /// The ARN of the function's role.
    pub role_arn: String,
    /// The name of the log group.
    pub log_group: String,
    /// The form of the log.
    pub log_format: LogFormat,
    /// The level of the function's own lines in a log in JSON, for example `INFO`.
    pub log_level: Option<String>,
    /// The number of invocations that may run at once; `None` for the account's limit alone.
    pub reserved_concurrency: Option<u32>,
    /// The architecture for which the code is compiled.
    pub architecture: Architecture,
    /// The size of `/tmp` in MB.
    pub ephemeral_mb: u32,
    /// The settings of asynchronous invocations.
    pub asynchronous: Asynchronous,
}

/// The form of a function's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines of text.
    #[default]
    Text,
    /// Lines of JSON.
    Json,
}

/// Properties without meaning for functions of both kinds.
const WITHOUT_MEANING: [&str; 10] = [
    "CodeSigningConfigArn",
    "Description",
    "KmsKeyArn",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "RuntimeManagementConfig",
    "SnapStart",
    "SourceKmsKeyArn",
    "Tags",
    "VpcConfig",
];

/// An `AWS::Lambda::Function`.
pub(super) fn lambda(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let function = resource.read(|set| {
        draft.skip(set, &["TracingConfig"]);
        let role = set.required("Role")?;
        let mut function = function(set, "Code", role, draft)?;
        let dead_letter = set.within("DeadLetterConfig", |config| config.text("TargetArn"))?;
        function.asynchronous.dead_letter = dead_letter.flatten();
        Ok(function)
    })?;
    draft.plan.functions.push(function);
    Ok(())
}

/// An `AWS::Serverless::Function`, with its role, alias and events.
pub(super) fn serverless(
    resource: &Resource,
    source: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let sam_only = [
        "AutoPublishAliasAllProperties",
        "AutoPublishCodeSha256",
        "DeploymentPreference",
        "PropagateTags",
        "ProvisionedConcurrencyConfig",
        "Tracing",
        "VersionDescription",
    ];
    resource.read(|set| {
        draft.skip(set, &sam_only);
        set.refuse("FunctionUrlConfig", "this runtime has no function URLs")?;
        set.refuse("InlineCode", "the code is a file")?;
        let role = policies::role_of(set, source, draft, "lambda.amazonaws.com")?;
        let mut function = function(set, "CodeUri", role, draft)?;
        if let Some(asynchronous) = set.within("EventInvokeConfig", aliases::asynchronous)? {
            function.asynchronous = asynchronous;
        }
        function.asynchronous.dead_letter = set.within("DeadLetterQueue", |queue| {
            queue.text("Type")?;
            queue.required("TargetArn")
        })?;
        let alias = set.text("AutoPublishAlias")?.map(|name| Alias {
            function: function.name.clone(),
            name,
            version: "1".to_owned(),
        });
        let target = events::Target {
            function: function.name.clone(),
            alias: alias.as_ref().map(|alias| alias.name.clone()),
        };
        draft.plan.aliases.extend(alias);
        draft.plan.functions.push(function);
        events::add(set, &target, source, draft)?;
        if set.value("Role").is_none() {
            policies::allow_destinations(&target.function, draft);
        }
        Ok(())
    })
}

/// The properties that functions of both kinds have in common.
fn function(
    set: &Properties<'_>,
    code: &str,
    role_arn: String,
    draft: &mut Draft,
) -> Result<Function, TemplateError> {
    draft.skip(set, &WITHOUT_MEANING);
    refuse_other_packages(set)?;
    set.text("FunctionName")?;
    let resource = set.resource();
    let name = resource.name.clone();
    let logging = set.within("LoggingConfig", |logging| log_settings(logging, draft))?;
    let logging = logging.unwrap_or_default();
    let environment = set.within("Environment", |set| set.named_texts("Variables"))?;
    Ok(Function {
        arn: resource.arn.clone().unwrap_or_default(),
        code: code_path(set, code)?,
        handler: set.required("Handler")?,
        runtime: runtime(set)?,
        memory_mb: within(set, "MemorySize", 128, 128, 10_240)?,
        timeout: Duration::from_secs(within(set, "Timeout", 3, 1, 900)?.into()),
        environment: environment.unwrap_or_default(),
        role_arn,
        log_group: logging
            .group
            .unwrap_or_else(|| format!("/aws/lambda/{name}")),
        log_format: logging.format,
        log_level: logging.level,
        reserved_concurrency: set.number("ReservedConcurrentExecutions")?,
        architecture: architecture(set)?,
        ephemeral_mb: set
            .within("EphemeralStorage", |size| {
                within(size, "Size", 512, 512, 10_240)
            })?
            .unwrap_or(512),
        asynchronous: Asynchronous::default(),
        name,
    })
}

fn refuse_other_packages(set: &Properties<'_>) -> Result<(), TemplateError> {
    if !matches!(set.text("PackageType")?.as_deref(), None | Some("Zip")) {
        return Err(set.unsupported("PackageType", "this runtime runs zip files"));
    }
    set.refuse("ImageUri", "this runtime runs zip files")?;
    set.refuse("ImageConfig", "this runtime runs zip files")?;
    set.refuse(
        "FileSystemConfigs",
        "this runtime has no shared file systems",
    )?;
    if set.list("Layers")?.is_empty() {
        return Ok(());
    }
    Err(set.unsupported("Layers", "this runtime has no layers"))
}

/// The path of the code.
fn code_path(set: &Properties<'_>, property: &str) -> Result<String, TemplateError> {
    let value = set.value(property);
    let path = value.and_then(serde_json::Value::as_str);
    let path = path.ok_or_else(|| {
        set.must(
            property,
            "the path of a zip file or of a folder with bootstrap",
        )
    })?;
    if path.starts_with("s3://") {
        return Err(set.unsupported(property, "the code is a file here, and no object"));
    }
    Ok(path.to_owned())
}

fn runtime(set: &Properties<'_>) -> Result<String, TemplateError> {
    let runtime = set.required("Runtime")?;
    if ["provided.al2023", "provided.al2"].contains(&runtime.as_str()) {
        return Ok(runtime);
    }
    let why = "this runtime runs the bootstrap of provided.al2023 and provided.al2";
    Err(set.unsupported("Runtime", why))
}

/// A number between two limits.
fn within(
    set: &Properties<'_>,
    name: &str,
    default: u32,
    least: u32,
    most: u32,
) -> Result<u32, TemplateError> {
    let number = set.number(name)?.unwrap_or(default);
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(set.must(name, &format!("{least} to {most}")))
}

fn architecture(set: &Properties<'_>) -> Result<Architecture, TemplateError> {
    let known = set.texts("Architectures")?;
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    match known.as_slice() {
        [] | ["x86_64"] => Ok(Architecture::X86_64),
        ["arm64"] => Ok(Architecture::Arm64),
        _ => Err(set.must("Architectures", "a list of x86_64 or arm64")),
    }
}

#[derive(Default)]
struct LogSettings {
    group: Option<String>,
    format: LogFormat,
    level: Option<String>,
}

fn log_settings(set: &Properties<'_>, draft: &mut Draft) -> Result<LogSettings, TemplateError> {
    draft.skip(set, &["SystemLogLevel"]);
    let formats = [("Text", LogFormat::Text), ("JSON", LogFormat::Json)];
    Ok(LogSettings {
        group: set.text("LogGroup")?,
        format: set.choice("LogFormat", &formats)?.unwrap_or_default(),
        level: set.text("ApplicationLogLevel")?,
    })
}
