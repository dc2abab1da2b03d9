//! The operations on machines.

use serde::Deserialize;
use serde_json::{Value, json};
use states_language::Machine;

use crate::{
    error::AwsError,
    input::{cut, fault, length, put, put_some, read, seconds},
    states::{
        arns::{check_name, execution_names, machine_arn, machine_name},
        engine::Engine,
        executions::{execution_missing, results_page},
        revisions::{self, Known, Revision},
        rows,
    },
};

/// The most characters in a definition.
const DEFINITION_LIMIT: usize = 1_048_576;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Create {
    name: String,
    definition: String,
    role_arn: String,
    r#type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Update {
    state_machine_arn: String,
    definition: Option<String>,
    role_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Delete {
    state_machine_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Describe {
    state_machine_arn: String,
    #[serde(default)]
    included_data: IncludedData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DescribeForExecution {
    execution_arn: String,
    #[serde(default)]
    included_data: IncludedData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Whether an answer has data, or only what surrounds them.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum IncludedData {
    #[default]
    AllData,
    MetadataOnly,
}

impl Engine {
    /// Creates or updates a machine as a deployment asks. A machine that is already so gets no new revision.
    pub(super) fn ensure(
        &self,
        name: &str,
        definition: &str,
        role: &str,
    ) -> Result<String, AwsError> {
        check_name(name)?;
        check_definition(name, definition)?;
        self.check_trust(name, role)?;
        let at = self.clock.now();
        self.store.write(|transaction| {
            let known = revisions::machine(transaction, name)?;
            if known.is_some_and(|known| known.revision.is(definition, role)) {
                return Ok(());
            }
            let revision = revisions::add(transaction, definition, role, at)?;
            revisions::point(transaction, name, revision, at)
        })?;
        Ok(machine_arn(name))
    }

    /// Checks that a machine may assume its role.
    fn check_trust(&self, name: &str, role: &str) -> Result<(), AwsError> {
        let (service, source) = ("states.amazonaws.com", &*machine_arn(name));
        let trusted = self.iam.check_trust(service, source, role);
        trusted.map_err(|_| {
            let message = format!("Neither the global service principal {service}, nor the regional one is authorized to assume the provided role.");
            AwsError::client("AccessDeniedException", message)
        })
    }

    pub(super) fn create_machine(&self, input: &Value) -> Result<Value, AwsError> {
        let Create {
            name,
            definition,
            role_arn,
            r#type,
        } = read(input)?;
        check_name(&name)?;
        check_type(r#type.as_deref())?;
        check_definition(&name, &definition)?;
        length("roleArn", &role_arn, 1..=256)?;
        self.check_trust(&name, &role_arn)?;
        let at = self.clock.now();
        let created = self.store.write(|transaction| {
            if let Some(known) = revisions::machine(transaction, &name)? {
                return idempotent(&known, &definition);
            }
            let revision = revisions::add(transaction, &definition, &role_arn, at)?;
            revisions::point(transaction, &name, revision, at)?;
            Ok(at)
        })?;
        Ok(json!({"stateMachineArn": machine_arn(&name), "creationDate": seconds(created)}))
    }

    pub(super) fn update_machine(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Update = read(input)?;
        let name = machine_name(&request.state_machine_arn)?;
        if request.definition.is_none() && request.role_arn.is_none() {
            return Err(AwsError::client(
                "MissingRequiredParameter",
                "Either the definition or the role ARN must be specified",
            ));
        }
        if let Some(definition) = &request.definition {
            check_definition(name, definition)?;
        }
        if let Some(role) = &request.role_arn {
            length("roleArn", role, 1..=256)?;
        }
        let at = self.clock.now();
        let revision = self.store.write(|transaction| {
            let known =
                revisions::machine(transaction, name)?.ok_or_else(|| machine_missing(name))?;
            let definition = request.definition.unwrap_or(known.revision.definition);
            let role = request.role_arn.unwrap_or(known.revision.role);
            let revision = revisions::add(transaction, &definition, &role, at)?;
            revisions::point(transaction, name, revision, at)?;
            Ok::<_, AwsError>(revision)
        })?;
        Ok(json!({"updateDate": seconds(at), "revisionId": revision.to_string()}))
    }

    /// Deletes a machine, its executions and their histories. AWS does so some time later.
    pub(super) fn delete_machine(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Delete = read(input)?;
        let name = machine_name(&request.state_machine_arn)?;
        let running = self.store.write(|transaction| {
            let running = rows::running(transaction, Some(name))?;
            rows::forget_machine(transaction, name)?;
            revisions::remove(transaction, name)?;
            revisions::forget_unused(transaction)?;
            Ok::<_, AwsError>(running)
        })?;
        for live in running.into_iter().filter_map(|id| self.driven(id)) {
            self.halt(&live);
        }
        Ok(json!({}))
    }

    pub(super) fn describe_machine(&self, input: &Value) -> Result<Value, AwsError> {
        let request: Describe = read(input)?;
        let known = self.known(machine_name(&request.state_machine_arn)?)?;
        let mut answer = json!({
            "status": "ACTIVE",
            "type": "STANDARD",
            "creationDate": seconds(known.created),
        });
        described(
            &mut answer,
            &known.name,
            &known.revision,
            request.included_data,
        );
        Ok(answer)
    }

    pub(super) fn describe_machine_for_execution(&self, input: &Value) -> Result<Value, AwsError> {
        let request: DescribeForExecution = read(input)?;
        let (machine, name) = execution_names(&request.execution_arn)?;
        let revision = self.store.read(|connection| {
            let execution = rows::by_name(connection, machine, name)?;
            let execution = execution.ok_or_else(|| execution_missing(&request.execution_arn))?;
            revisions::revision(connection, execution.revision)
        })?;
        let mut answer = json!({"updateDate": seconds(revision.updated)});
        described(&mut answer, machine, &revision, request.included_data);
        Ok(answer)
    }

    pub(super) fn list_machines(&self, input: &Value) -> Result<Value, AwsError> {
        let request: List = read(input)?;
        let page = results_page(request.max_results)?;
        let after = request.next_token.unwrap_or_default();
        let mut found = self
            .store
            .read(|connection| revisions::machines(connection, &after, page + 1))?;
        let next = cut(&mut found, page, |last| last.name.clone());
        let found: Vec<_> = found.iter().map(listed).collect();
        let mut answer = json!({"stateMachines": found});
        put_some(&mut answer, "nextToken", next);
        Ok(answer)
    }

    /// The machine of this name, or the error that it does not exist.
    pub(super) fn known(&self, name: &str) -> Result<Known, AwsError> {
        let known = self
            .store
            .read(|connection| revisions::machine(connection, name))?;
        known.ok_or_else(|| machine_missing(name))
    }
}

pub(super) fn machine_missing(name: &str) -> AwsError {
    AwsError::client(
        "StateMachineDoesNotExist",
        format!("State Machine Does Not Exist: '{}'", machine_arn(name)),
    )
}

fn check_definition(name: &str, definition: &str) -> Result<(), AwsError> {
    length("definition", definition, 1..=DEFINITION_LIMIT)?;
    let parsed = serde_json::from_str(definition).map_err(|error| error.to_string());
    let parsed = parsed
        .and_then(|value: Value| Machine::parse(name, &value).map_err(|error| error.to_string()));
    let invalid = |error| {
        let message = format!("Invalid State Machine Definition: '{error}'");
        AwsError::client("InvalidDefinition", message)
    };
    parsed.map(|_| ()).map_err(invalid)
}

fn check_type(kind: Option<&str>) -> Result<(), AwsError> {
    match kind {
        None | Some("STANDARD") => Ok(()),
        Some("EXPRESS") => Err(AwsError::client(
            "StateMachineTypeNotSupported",
            "This runtime supports machines of type STANDARD, and not of type EXPRESS.",
        )),
        Some(other) => Err(fault(
            "type",
            other,
            "satisfy enum value set: [STANDARD, EXPRESS]",
        )),
    }
}

/// The answer to the creation of a machine that exists: success if its definition is the same.
fn idempotent(known: &Known, definition: &str) -> Result<jiff::Timestamp, AwsError> {
    if known.revision.definition == definition {
        return Ok(known.created);
    }
    Err(AwsError::client(
        "StateMachineAlreadyExists",
        format!(
            "State Machine Already Exists: '{}'",
            machine_arn(&known.name)
        ),
    ))
}

/// Adds what all descriptions of a machine have.
fn described(answer: &mut Value, name: &str, revision: &Revision, data: IncludedData) {
    put(answer, "stateMachineArn", machine_arn(name));
    put(answer, "name", name);
    put(answer, "roleArn", revision.role.as_str());
    put(answer, "revisionId", revision.id.to_string());
    put(
        answer,
        "loggingConfiguration",
        json!({"level": "OFF", "includeExecutionData": false}),
    );
    put(answer, "tracingConfiguration", json!({"enabled": false}));
    put(
        answer,
        "encryptionConfiguration",
        json!({"type": "AWS_OWNED_KEY"}),
    );
    let definition = match data {
        IncludedData::AllData => revision.definition.as_str(),
        IncludedData::MetadataOnly => "{}",
    };
    put(answer, "definition", definition);
}

fn listed(known: &Known) -> Value {
    json!({
        "stateMachineArn": machine_arn(&known.name),
        "name": known.name,
        "type": "STANDARD",
        "creationDate": seconds(known.created),
    })
}
