//! State machines of Step Functions.

use serde::Serialize;
use serde_json::Value;
use template::{Properties, Resource, TemplateError};

use super::{
    draft::{Draft, Source},
    policies,
};

/// A state machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StateMachine {
    /// The name.
    pub name: String,
    /// The definition in Amazon States Language, with all substitutions made.
    pub definition: String,
    /// The ARN of the machine's role.
    pub role_arn: String,
}

/// An `AWS::StepFunctions::StateMachine`.
pub(super) fn states(
    resource: &Resource,
    source: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let machine = resource.read(|set| {
        let without_meaning = ["EncryptionConfiguration", "LoggingConfiguration"];
        draft.skip(set, &without_meaning);
        draft.skip(set, &["Tags", "TracingConfiguration"]);
        set.text("StateMachineName")?;
        only_standard(set, "StateMachineType")?;
        let file = "DefinitionS3Location";
        let role_arn = set.required("RoleArn")?;
        machine(set, file, role_arn, source)
    })?;
    draft.plan.state_machines.push(machine);
    Ok(())
}

/// An `AWS::Serverless::StateMachine`.
pub(super) fn serverless(
    resource: &Resource,
    source: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let machine = resource.read(|set| {
        draft.skip(set, &["Logging", "PropagateTags", "Tags", "Tracing"]);
        set.text("Name")?;
        only_standard(set, "Type")?;
        let role_arn = policies::role_of(set, source, draft, "states.amazonaws.com")?;
        machine(set, "DefinitionUri", role_arn, source)
    })?;
    draft.plan.state_machines.push(machine);
    Ok(())
}

fn only_standard(set: &Properties<'_>, property: &str) -> Result<(), TemplateError> {
    match set.text(property)?.as_deref() {
        None | Some("STANDARD") => Ok(()),
        _ => Err(set.unsupported(property, "this runtime runs STANDARD machines")),
    }
}

fn machine(
    set: &Properties<'_>,
    file: &str,
    role_arn: String,
    source: &Source<'_>,
) -> Result<StateMachine, TemplateError> {
    let resource = set.resource();
    Ok(StateMachine {
        name: resource.name.clone(),
        definition: definition(set, file, source)?,
        role_arn,
    })
}

fn definition(
    set: &Properties<'_>,
    file: &str,
    source: &Source<'_>,
) -> Result<String, TemplateError> {
    let object = set.get("Definition", "a mapping", |value| {
        value.is_object().then(|| value.to_string())
    })?;
    let text = set.text("DefinitionString")?;
    let read = match set.value(file) {
        Some(_) => Some(source.file(set, file)?),
        None => None,
    };
    let mut given = [object, text, read].into_iter().flatten();
    let (Some(definition), None) = (given.next(), given.next()) else {
        let rule = format!("given either as Definition, as DefinitionString or as {file}");
        return Err(set.must("Definition", &rule));
    };
    let mut definition = definition;
    for (name, value) in set.named_texts("DefinitionSubstitutions")? {
        definition = definition.replace(&format!("${{{name}}}"), &value);
    }
    in_json(definition).map_err(|error| set.must(file, &format!("a definition ({error})")))
}

/// A definition in JSON. It may be written in YAML.
fn in_json(definition: String) -> Result<String, TemplateError> {
    match serde_json::from_str::<Value>(&definition) {
        Ok(_) => Ok(definition),
        Err(_) => Ok(template::document(&definition)?.to_string()),
    }
}
