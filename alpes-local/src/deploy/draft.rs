//! A plan while it is made.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use template::{Properties, Resource, Stack, Template, TemplateError};

use super::{Function, Plan, Stream, apis::Route};
use crate::names::FunctionName;

/// The template that is being added to the plan.
pub(super) struct Source<'a> {
    pub stack: &'a Stack,
    /// The folder of the template, to which the paths in it are relative.
    pub folder: &'a Path,
    pub template: &'a Template,
}

impl Source<'_> {
    /// The text of a file that a property names.
    pub fn file(&self, set: &Properties<'_>, property: &str) -> Result<String, TemplateError> {
        let path = self.folder.join(set.required(property)?);
        std::fs::read_to_string(&path).map_err(|error| {
            let rule = format!("the path of a text file ({}: {error})", path.display());
            set.must(property, &rule)
        })
    }
}

/// The plan so far, and what is not yet part of it.
#[derive(Default)]
pub(super) struct Draft {
    pub plan: Plan,
    /// The routes that functions' events add to APIs.
    pub routes: Vec<Route>,
    without_meaning: BTreeMap<String, usize>,
    arns: BTreeSet<String>,
}

impl Draft {
    pub fn finished(self) -> Plan {
        let lines = self.without_meaning.into_iter();
        let lines = lines.map(|(what, times)| format!("{what} ({times})"));
        Plan {
            without_meaning: lines.collect(),
            ..self.plan
        }
    }

    /// Counts something without meaning in this runtime.
    pub fn note(&mut self, what: impl Into<String>) {
        *self.without_meaning.entry(what.into()).or_default() += 1;
    }

    /// Accepts these properties, if they are there, as properties without meaning in this runtime.
    pub fn skip(&mut self, set: &Properties<'_>, names: &[&str]) {
        for name in names {
            if set.value(name).is_some() {
                self.note(set.kind_path(name));
            }
        }
    }

    /// Refuses a second resource with the same ARN.
    pub fn claim(&mut self, resource: &Resource) -> Result<(), TemplateError> {
        match &resource.arn {
            Some(arn) if !self.arns.insert(arn.clone()) => {
                let rule = format!("the only resource with the ARN {arn}");
                Err(TemplateError::malformed(resource.place(""), rule))
            }
            _ => Ok(()),
        }
    }

    /// The stream of this ARN, which a property of `set` names.
    pub fn stream(
        &mut self,
        arn: &str,
        set: &Properties<'_>,
        property: &str,
    ) -> Result<&mut Stream, TemplateError> {
        let mut streams = self.plan.streams.iter_mut();
        let found = streams.find(|stream| stream.arn == arn);
        found.ok_or_else(|| TemplateError::dangling(set.place(property), format!("stream {arn}")))
    }

    /// The function that a property names, and the qualifier if the property has one.
    pub fn function(
        &self,
        set: &Properties<'_>,
        property: &str,
    ) -> Result<(&Function, Option<String>), TemplateError> {
        let text = set.required(property)?;
        let FunctionName { name, qualifier } = FunctionName::parse(&text)
            .map_err(|_| set.must(property, "the name or the ARN of a function"))?;
        let found = self
            .plan
            .functions
            .iter()
            .find(|function| function.name == name);
        let missing = || TemplateError::dangling(set.place(property), format!("function {name}"));
        Ok((found.ok_or_else(missing)?, qualifier))
    }

    /// The version to which a qualifier of a function leads.
    pub fn version(&self, function: &str, qualifier: Option<&str>) -> String {
        let Some(qualifier) = qualifier else {
            return "$LATEST".to_owned();
        };
        let mut aliases = self.plan.aliases.iter();
        let alias = aliases.find(|alias| alias.function == function && alias.name == qualifier);
        alias.map_or(qualifier, |alias| &alias.version).to_owned()
    }
}
