//! The errors of reading a template, and the places that they name.

use std::fmt;

use source_mapping::InvalidSettings;
use thiserror::Error;

/// A place in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The path: a resource's logical id and a property, for example `Reader.Environment.Variables.LOG`.
    pub path: String,
    /// The line of the template, from 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "line {}: {}", self.line, self.path)
    }
}

/// An error of reading a template.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// The text is not YAML.
    #[error("the template is no YAML: {0}")]
    NotYaml(String),
    /// The template does not have a parameter that was given.
    #[error("the template has no parameter {0}")]
    NoParameter(String),
    /// A reference names something that the template does not have.
    #[error("{place}: the template has no {name}")]
    Dangling {
        /// The place of the reference.
        place: Place,
        /// The name that the template does not have.
        name: String,
    },
    /// A value does not have the required form.
    #[error("{place} must be {rule}")]
    Malformed {
        /// The place of the value.
        place: Place,
        /// The required form.
        rule: String,
    },
    /// The template uses something that this reader, or its user, does not support.
    #[error("{place} is not supported{why}")]
    Unsupported {
        /// The place of the value.
        place: Place,
        /// The reason or the alternative, with a colon and a space before it; empty if the name says it all.
        why: String,
    },
    /// The template has no function of this name.
    #[error("the template has no function named {0}")]
    NoFunction(String),
    /// No event source mapping delivers to this function.
    #[error("the template has no event source mapping of {0}")]
    NoMapping(String),
    /// AWS would refuse the settings of an event source mapping.
    #[error("{place}: {cause}")]
    Refused {
        /// The place of the setting.
        place: Place,
        /// The reason.
        cause: InvalidSettings,
    },
}

impl TemplateError {
    /// The value at this place must have this form.
    pub fn malformed(place: Place, rule: impl Into<String>) -> Self {
        let rule = rule.into();
        Self::Malformed { place, rule }
    }

    /// The template has nothing of this name.
    pub fn dangling(place: Place, name: impl Into<String>) -> Self {
        let name = name.into();
        Self::Dangling { place, name }
    }

    /// The value at this place is not supported; `why` may be empty.
    #[must_use]
    pub fn unsupported(place: Place, why: &str) -> Self {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {why}")
        };
        Self::Unsupported { place, why }
    }
}

/// The way from the root to a value that is being read. It becomes text only in an error.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Step<'a>,
    line: usize,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl<'a> At<'a> {
    pub fn root(name: &'a str, line: usize) -> Self {
        Self {
            above: None,
            step: Step::Key(name),
            line,
        }
    }

    pub fn key<'b>(&'b self, key: &'b str, line: usize) -> At<'b> {
        At {
            above: Some(self),
            step: Step::Key(key),
            line,
        }
    }

    pub fn item(&self, place: usize, line: usize) -> At<'_> {
        At {
            above: Some(self),
            step: Step::Item(place),
            line,
        }
    }

    /// The same path, with the line on which its value stands.
    pub fn on(self, line: usize) -> Self {
        Self { line, ..self }
    }

    pub fn place(&self) -> Place {
        Place {
            path: self.path(),
            line: self.line,
        }
    }

    pub fn must(&self, rule: impl Into<String>) -> TemplateError {
        TemplateError::malformed(self.place(), rule)
    }

    pub fn unsupported(&self, why: &str) -> TemplateError {
        TemplateError::unsupported(self.place(), why)
    }

    pub fn dangling(&self, name: impl Into<String>) -> TemplateError {
        TemplateError::dangling(self.place(), name)
    }

    fn path(&self) -> String {
        let above = self.above.map(At::path).unwrap_or_default();
        match self.step {
            Step::Key(key) if above.is_empty() => key.to_owned(),
            Step::Key(key) => format!("{above}.{key}"),
            Step::Item(place) => format!("{above}[{place}]"),
        }
    }
}
