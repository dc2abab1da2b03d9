//! Versions and aliases of functions, and the settings of their asynchronous invocations.

use template::{Properties, Resource, TemplateError};

use super::draft::{Draft, Source};
use crate::lambda::Asynchronous;

/// An alias of a function. A function has one version here, since its code is not kept by version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name of the function.
    pub function: String,
    /// The name of the alias.
    pub name: String,
    /// The version: `1`, or `$LATEST`.
    pub version: String,
}

pub(super) fn version(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        draft.skip(set, &["CodeSha256", "Description"]);
        draft.skip(set, &["ProvisionedConcurrencyConfig", "RuntimePolicy"]);
        draft.function(set, "FunctionName").map(|_| ())
    })
}

pub(super) fn alias(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let alias = resource.read(|set| {
        draft.skip(set, &["Description", "ProvisionedConcurrencyConfig"]);
        set.refuse("RoutingConfig", "an alias leads to one version here")?;
        let version = set.required("FunctionVersion")?;
        if !["1", "$LATEST"].contains(&version.as_str()) {
            return Err(set.must(
                "FunctionVersion",
                "1 or $LATEST, the versions that exist here",
            ));
        }
        let (function, _) = draft.function(set, "FunctionName")?;
        Ok(Alias {
            function: function.name.clone(),
            name: set.required("Name")?,
            version,
        })
    })?;
    draft.plan.aliases.push(alias);
    Ok(())
}

pub(super) fn invoke_config(
    resource: &Resource,
    _: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    resource.read(|set| {
        let (function, _) = draft.function(set, "FunctionName")?;
        let name = function.name.clone();
        let qualifier = set.required("Qualifier")?;
        let mut known = draft.plan.aliases.iter();
        let aliased = known.any(|alias| alias.function == name && alias.name == qualifier);
        if qualifier != "$LATEST" && !aliased {
            let name = format!("version or alias {qualifier} of {name}");
            return Err(TemplateError::dangling(set.place("Qualifier"), name));
        }
        let read = asynchronous(set)?;
        let mut functions = draft.plan.functions.iter_mut();
        if let Some(function) = functions.find(|function| function.name == name) {
            let dead_letter = function.asynchronous.dead_letter.take();
            function.asynchronous = Asynchronous {
                dead_letter,
                ..read
            };
        }
        Ok(())
    })
}

/// The settings of asynchronous invocations, in the form of SAM and of CloudFormation.
pub(super) fn asynchronous(set: &Properties<'_>) -> Result<Asynchronous, TemplateError> {
    let mut read = Asynchronous::default();
    if let Some(retries) = set.number("MaximumRetryAttempts")? {
        read.max_retries = retries;
    }
    if read.max_retries > 2 {
        return Err(set.must("MaximumRetryAttempts", "0 to 2"));
    }
    if let Some(age) = set.number("MaximumEventAgeInSeconds")? {
        read.max_age_seconds = age;
    }
    if !(60..=21_600).contains(&read.max_age_seconds) {
        return Err(set.must("MaximumEventAgeInSeconds", "60 to 21600"));
    }
    set.within("DestinationConfig", |config| {
        read.on_success = config.within("OnSuccess", destination)?;
        read.on_failure = config.within("OnFailure", destination)?;
        Ok(())
    })?;
    Ok(read)
}

/// The ARN of a destination. Its type only says what SAM makes where the ARN is missing.
fn destination(set: &Properties<'_>) -> Result<String, TemplateError> {
    set.text("Type")?;
    set.required("Destination")
}
