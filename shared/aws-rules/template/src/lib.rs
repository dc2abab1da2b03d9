//! Reads `CloudFormation` and SAM templates as AWS does, in YAML or JSON.
//!
//! **When to use it**: to deploy a template to something that is not AWS, or to read settings from it. [`Template::of`]
//! resolves parameters, conditions, mappings, SAM's global settings and the functions Ref, `GetAtt`, Sub, Join, Select,
//! Split, If, `FindInMap`, Base64 and `ImportValue`, in tag form and in long form. References to resources become the
//! names and ARNs that AWS would give. The result leaves out resources and outputs whose condition does not hold, and
//! properties with the value `AWS::NoValue`. Errors name the line and the path of the faulty value.
//!
//! [`Resource::read`] reads a resource's properties, and refuses those that the caller does not ask for.
//!
//! ```
//! use std::time::Duration;
//! use template::{Stack, Template};
//!
//! let text = r#"
//! Parameters:
//!   Window: { Type: Number, Default: 1 }
//! Globals:
//!   Function: { Timeout: 60 }
//! Resources:
//!   Log:
//!     Type: AWS::Kinesis::Stream
//!     Properties: { Name: !Sub "${AWS::StackName}-log", RetentionPeriodHours: 48 }
//!   Reader:
//!     Type: AWS::Serverless::Function
//!     Properties: { FunctionName: !Sub "${AWS::StackName}-reader", MemorySize: 256 }
//!   ReaderFromLog:
//!     Type: AWS::Lambda::EventSourceMapping
//!     Properties:
//!       FunctionName: !Ref Reader
//!       EventSourceArn: !GetAtt Log.Arn
//!       StartingPosition: TRIM_HORIZON
//!       MaximumBatchingWindowInSeconds: !Ref Window
//! "#;
//! let template = Template::of(text, &Stack::new("shop"), &[("Window", "5")])?;
//! let reader = template.function("shop-reader")?;
//! assert_eq!(reader.timeout, Duration::from_secs(60));
//! let mapping = template.mapping("shop-reader")?;
//! assert_eq!(mapping.batching_window, Duration::from_secs(5));
//! assert_eq!(mapping.retention, Duration::from_hours(48));
//! # Ok::<(), template::TemplateError>(())
//! ```

#![deny(missing_docs)]

mod error;
mod functions;
mod identity;
mod node;
mod parameters;
mod properties;
mod read;
mod rules;
mod sam;
mod scope;
mod settings;
mod stack;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

pub use error::{Place, TemplateError};
pub use properties::Properties;
pub use settings::{Function, StreamMapping, filters, reports_failures};
pub use stack::Stack;

use properties::Lines;

/// A resource whose references are all resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The logical id: the key of the resource in the template.
    pub id: String,
    /// The `Type` of the resource, for example `AWS::Kinesis::Stream`.
    pub kind: String,
    /// The name of the resource: the one that the template gives, or the one that AWS would generate. An API's and a
    /// key's name is its id.
    pub name: String,
    /// The ARN of the resource, if resources of its kind have one that is known here.
    pub arn: Option<String>,
    /// The `Properties` of the resource, with `Globals` merged in. A role or an API that SAM would add has none.
    pub properties: Map<String, Value>,
    /// The names of the resource's further attributes, for example `DeletionPolicy`.
    pub attributes: Vec<String>,
    /// True if the template does not have the resource and SAM would add it.
    pub implied: bool,
    lines: Lines,
}

/// An output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The name of the output.
    pub name: String,
    /// The value.
    pub value: String,
    /// The name under which later templates can import the value.
    pub export: Option<String>,
}

/// A template with its parameters, resolved as `CloudFormation` does.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The resources in the order of the template, and after them the roles and the API that SAM would add.
    pub resources: Vec<Resource>,
    /// The outputs, in the order of the template.
    pub outputs: Vec<Output>,
    /// The names of the declared parameters.
    pub parameters: BTreeSet<String>,
}

impl Template {
    /// Reads a template. `parameters` override the defaults of the template.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] names the faulty place of the template, and the rule that the place breaks.
    pub fn of(
        text: &str,
        stack: &Stack,
        parameters: &[(&str, &str)],
    ) -> Result<Self, TemplateError> {
        let template = Self::after(text, stack, parameters, &[])?;
        let declared = |name: &&str| template.parameters.contains(*name);
        let mut given = parameters.iter().map(|(name, _)| *name);
        match given.find(|name| !declared(name)) {
            Some(unknown) => Err(TemplateError::NoParameter(unknown.to_owned())),
            None => Ok(template),
        }
    }

    /// Reads a template after others, whose exports it can import. Parameters that the template does not declare are
    /// taken to be meant for another one.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] names the faulty place of the template, and the rule that the place breaks.
    pub fn after(
        text: &str,
        stack: &Stack,
        parameters: &[(&str, &str)],
        earlier: &[Self],
    ) -> Result<Self, TemplateError> {
        let outputs = earlier.iter().flat_map(|template| &template.outputs);
        let exports =
            outputs.filter_map(|output| Some((output.export.clone()?, output.value.clone())));
        let exports: BTreeMap<_, _> = exports.collect();
        read::template(text, stack, parameters, &exports)
    }

    /// The resource of this logical id.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }
}

/// Reads a document of YAML or JSON in which nothing is resolved, for example the definition of an API.
///
/// # Errors
///
/// [`TemplateError::NotYaml`] if the text is neither, or has tags.
pub fn document(text: &str) -> Result<Value, TemplateError> {
    let value = node::Node::parse(text)?.to_value();
    value.ok_or_else(|| TemplateError::NotYaml("a document must have no tags".to_owned()))
}

/// A template in JSON, as it is written: aliases of YAML are expanded, and functions have their long form. Nothing is
/// resolved.
///
/// # Errors
///
/// [`TemplateError::NotYaml`] if the text is not one document of YAML or JSON.
pub fn in_json(text: &str) -> Result<Value, TemplateError> {
    Ok(node::Node::parse(text)?.in_json())
}
