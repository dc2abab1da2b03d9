//! The deployment: brings the services to what a plan asks for.
//!
//! A deployment only adds and changes streams, tables, buckets, topics, queues, keys and parameters: what a template no
//! longer has keeps its data, as with the deletion policy `Retain`. Functions, event source mappings, state machines and
//! schedules that an earlier deployment declared and this one does not are removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde_json::json;
use uuid::Uuid;

use super::{
    Function, Plan, QueueMapping, Schedule, StreamMapping, StreamMode, declared::Declared,
};
use crate::{
    error::AwsError,
    gateway::ApiSpec,
    kinesis::Mode,
    lambda::{self, Code, FunctionSpec},
    mappings::MappingSpec,
    names::arn,
    schedules,
    services::Services,
    store::Store,
};

/// The reason why a plan could not be deployed: the resource, and the service's error.
pub type Failed = (String, AwsError);

impl Plan {
    /// Brings the services to what the plan asks for. The order is that of dependence, so that nothing refers to what
    /// is not there yet. If a resource fails, those before it are deployed; the same deployment can be done again.
    ///
    /// # Errors
    ///
    /// The first resource that failed, with the service's error.
    pub async fn apply(
        &self,
        services: &Services,
        store: &Store,
        artifacts: &Path,
    ) -> Result<(), Failed> {
        let declared = Declared::new(store).map_err(of("the deployment"))?;
        self.data(services)?;
        self.messaging(services)?;
        self.secrets(services)?;
        for function in &self.functions {
            let mut spec = spec(function, artifacts)?;
            spec.aliases = self.aliases_of(&function.name);
            let deployed = services.lambda.put(spec).await;
            deployed.map_err(of(&function.name))?;
        }
        self.subscriptions(services)?;
        let mappings = self.mappings(services).await?;
        for machine in &self.state_machines {
            let made = services.states.ensure_machine(
                &machine.name,
                &machine.definition,
                &machine.role_arn,
            );
            made.map_err(of(&machine.name))?;
        }
        self.apis(services)?;
        for schedule in &self.schedules {
            let made = services.schedules.ensure(&when(schedule));
            made.map_err(of(&schedule.name))?;
        }
        self.remove_others(services, &declared, mappings).await
    }

    /// The aliases of a function by name, each with its version.
    fn aliases_of(&self, function: &str) -> BTreeMap<String, String> {
        let aliases = self.aliases.iter();
        let own = aliases.filter(|alias| alias.function == function);
        own.map(|alias| (alias.name.clone(), alias.version.clone()))
            .collect()
    }

    fn data(&self, services: &Services) -> Result<(), Failed> {
        for group in &self.log_groups {
            present_group(services, group).map_err(of(group))?;
        }
        for bucket in &self.buckets {
            let made = services.s3.ensure_bucket(&bucket.name);
            made.map_err(of(&bucket.name))?;
        }
        for stream in &self.streams {
            let mode = match stream.mode {
                StreamMode::OnDemand => Mode::OnDemand,
                StreamMode::Provisioned => Mode::Provisioned,
            };
            let ensured = services.kinesis.ensure(
                &stream.name,
                stream.shards,
                mode,
                stream.retention_hours,
                &stream.consumers,
            );
            ensured.map_err(of(&stream.name))?;
        }
        for table in &self.tables {
            let ttl = table.ttl_attribute.as_deref();
            let made = services.dynamodb.ensure_table(&table.request, ttl);
            made.map_err(of(&table.name))?;
        }
        Ok(())
    }

    fn messaging(&self, services: &Services) -> Result<(), Failed> {
        for queue in &self.queues {
            let made = services.sqs.ensure(&queue.name, &queue.attributes);
            made.map_err(of(&queue.name))?;
        }
        for topic in &self.topics {
            let made = services.sns.ensure_topic(&topic.name, &topic.attributes);
            made.map_err(of(&topic.name))?;
        }
        Ok(())
    }

    fn subscriptions(&self, services: &Services) -> Result<(), Failed> {
        for subscription in &self.subscriptions {
            let made = services.sns.ensure_subscription(
                &subscription.topic_arn,
                &subscription.protocol,
                &subscription.endpoint,
                &subscription.attributes,
            );
            made.map_err(of(&subscription.topic_arn))?;
        }
        Ok(())
    }

    fn secrets(&self, services: &Services) -> Result<(), Failed> {
        for key in &self.keys {
            let description = key.description.as_deref().unwrap_or_default();
            let made = services.kms.ensure_key(&key.id, description);
            made.map_err(of(&key.id))?;
            if !key.enabled {
                let disabled = services.kms.call("DisableKey", &json!({"KeyId": key.id}));
                disabled.map_err(of(&key.id))?;
            }
        }
        for alias in &self.key_aliases {
            let made = services.kms.ensure_alias(&alias.name, &alias.key_id);
            made.map_err(of(&alias.name))?;
        }
        for parameter in &self.parameters {
            let made = services
                .ssm
                .ensure(&parameter.name, &parameter.kind, &parameter.value);
            made.map_err(of(&parameter.name))?;
        }
        Ok(())
    }

    async fn mappings(&self, services: &Services) -> Result<BTreeSet<String>, Failed> {
        let streams = self.stream_mappings.iter().map(|mapping| {
            let spec = Ok(from_stream(mapping));
            (&mapping.id, spec)
        });
        let queues = self.queue_mappings.iter().map(|mapping| {
            let spec = from_queue(mapping);
            (&mapping.id, spec)
        });
        let mut made = BTreeSet::new();
        for (id, spec) in streams.chain(queues) {
            let spec = spec.map_err(of(id))?;
            let uuid = services.mappings.ensure(spec).await.map_err(of(id))?;
            made.insert(uuid.to_string());
        }
        Ok(made)
    }

    fn apis(&self, services: &Services) -> Result<(), Failed> {
        for api in services.gateway.apis() {
            if !self.apis.iter().any(|wanted| wanted.id == api.id) {
                services.gateway.remove(&api.id);
            }
        }
        for api in &self.apis {
            let made = services.gateway.put(ApiSpec {
                id: api.id.clone(),
                name: api.name.clone(),
                stage: api.stage.clone(),
                definition: api.definition.clone(),
            });
            made.map_err(of(&api.name))?;
        }
        Ok(())
    }

    /// Removes what an earlier deployment declared and this one does not. What is removed stops others from being
    /// called, so event source mappings and schedules go before functions.
    async fn remove_others(
        &self,
        services: &Services,
        declared: &Declared<'_>,
        mappings: BTreeSet<String>,
    ) -> Result<(), Failed> {
        for uuid in declared
            .others("mapping", &mappings)
            .map_err(of("mappings"))?
        {
            if let Ok(uuid) = Uuid::parse_str(&uuid) {
                present(services.mappings.remove(uuid).await).map_err(of(&uuid.to_string()))?;
            }
        }
        let schedules = names(self.schedules.iter().map(|schedule| &schedule.name));
        for name in declared
            .others("schedule", &schedules)
            .map_err(of("schedules"))?
        {
            present(services.schedules.remove(&name)).map_err(of(&name))?;
        }
        let machines = names(self.state_machines.iter().map(|machine| &machine.name));
        for name in declared
            .others("machine", &machines)
            .map_err(of("machines"))?
        {
            let arn = arn("states", &format!("stateMachine:{name}"));
            let request = json!({"stateMachineArn": arn});
            let removed = services.states.call("DeleteStateMachine", &request);
            removed.map_err(of(&name))?;
        }
        let functions = names(self.functions.iter().map(|function| &function.name));
        for name in declared
            .others("function", &functions)
            .map_err(of("functions"))?
        {
            present(services.lambda.remove(&name)).map_err(of(&name))?;
        }
        let all = [
            ("mapping", mappings),
            ("schedule", schedules),
            ("machine", machines),
            ("function", functions),
        ];
        declared.replace(&all).map_err(of("the deployment"))
    }
}

fn names<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    names.cloned().collect()
}

fn present_group(services: &Services, group: &str) -> Result<(), AwsError> {
    let made = services
        .logs
        .call("CreateLogGroup", &json!({"logGroupName": group}));
    match made {
        Err(error) if error.code != "ResourceAlreadyExistsException" => Err(error),
        _ => Ok(()),
    }
}

/// What was removed by other means is removed.
fn present(removed: Result<(), AwsError>) -> Result<(), AwsError> {
    match removed {
        Err(error) if error.code == "ResourceNotFoundException" => Ok(()),
        other => other,
    }
}

/// Names the resource that failed.
fn of(what: &str) -> impl FnOnce(AwsError) -> Failed {
    let what = what.to_owned();
    move |error| (what, error)
}

fn spec(function: &Function, artifacts: &Path) -> Result<FunctionSpec, Failed> {
    let code = code(&function.code, artifacts).map_err(of(&function.name))?;
    let mut environment: BTreeMap<_, _> = function.environment.clone();
    if function.log_format == super::LogFormat::Json {
        environment.insert("AWS_LAMBDA_LOG_FORMAT".to_owned(), "JSON".to_owned());
        if let Some(level) = &function.log_level {
            environment.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), level.clone());
        }
    }
    let asynchronous = &function.asynchronous;
    Ok(FunctionSpec {
        handler: function.handler.clone(),
        runtime: function.runtime.clone(),
        memory_mb: function.memory_mb,
        timeout: u32::try_from(function.timeout.as_secs()).unwrap_or(u32::MAX),
        environment,
        role_arn: function.role_arn.clone(),
        log_group: Some(function.log_group.clone()),
        reserved_concurrency: function.reserved_concurrency,
        architecture: match function.architecture {
            super::Architecture::X86 => lambda::Architecture::X86_64,
            super::Architecture::Arm => lambda::Architecture::Arm64,
        },
        ephemeral_mb: function.ephemeral_mb,
        asynchronous: lambda::Asynchronous {
            max_retries: asynchronous.max_retries,
            max_age_seconds: asynchronous.max_age_seconds,
            on_success: asynchronous.on_success.clone(),
            on_failure: asynchronous.on_failure.clone(),
            dead_letter: asynchronous.dead_letter.clone(),
        },
        ..FunctionSpec::new(&function.name, code)
    })
}

/// The code in the folder of artifacts. The template's `dist/NAME.zip` is the folder NAME with a `bootstrap`, or the
/// file NAME.zip: a folder saves the zipping of a build for this machine.
fn code(written: &str, artifacts: &Path) -> Result<Code, AwsError> {
    let path = Path::new(written);
    let folder = artifacts.join(path.file_stem().unwrap_or_default());
    if folder.join("bootstrap").is_file() {
        return Ok(Code::Folder(folder));
    }
    let zip: PathBuf = artifacts.join(path.file_name().unwrap_or_default());
    if zip.is_file() {
        return Ok(Code::Zip(zip));
    }
    let (folder, zip) = (folder.display(), zip.display());
    let rule = format!("CodeUri {written}: there is neither {folder}/bootstrap nor the file {zip}");
    Err(AwsError::client("InvalidParameterValueException", rule))
}

fn from_stream(mapping: &StreamMapping) -> MappingSpec {
    MappingSpec {
        function: mapping.function.clone(),
        source_arn: mapping.source_arn.clone(),
        consumer: mapping
            .consumer
            .as_ref()
            .map(|_| mapping.source_arn.clone()),
        settings: mapping.settings.clone(),
        destination_arn: mapping.destination_arn.clone(),
        maximum_concurrency: None,
    }
}

fn from_queue(mapping: &QueueMapping) -> Result<MappingSpec, AwsError> {
    let position = source_mapping::StartingPosition::TrimHorizon;
    let mut settings = source_mapping::Settings::new(position);
    settings.batch_size = mapping.batch_size;
    settings.batching_window = mapping.batching_window;
    settings.report_batch_item_failures = mapping.report_batch_item_failures;
    settings.enabled = mapping.enabled;
    if !mapping.filters.is_empty() {
        let rule = "FilterCriteria: this runtime does not filter the messages of queues";
        return Err(AwsError::client("InvalidParameterValueException", rule));
    }
    let most = mapping.maximum_concurrency.map(usize::try_from);
    Ok(MappingSpec {
        function: mapping.function.clone(),
        source_arn: mapping.queue_arn.clone(),
        consumer: None,
        settings,
        destination_arn: None,
        maximum_concurrency: most.transpose().map_err(AwsError::internal)?,
    })
}

fn when(schedule: &Schedule) -> schedules::Schedule {
    schedules::Schedule {
        name: schedule.name.clone(),
        expression: schedule.expression.clone(),
        enabled: schedule.enabled,
        targets: schedule
            .targets
            .iter()
            .map(|target| schedules::Target {
                id: target.id.clone(),
                arn: target.arn.clone(),
                input: target.input.clone(),
            })
            .collect(),
    }
}
