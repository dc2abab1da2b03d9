//! Reads the settings of functions and event source mappings from a `CloudFormation` or SAM template.
//!
//! [`Template::of`] resolves parameters, conditions and the functions `!Ref`, `!GetAtt`, `!Sub`, `!If`, `!Equals` and
//! `!Not`. The result leaves out resources whose condition does not hold, and properties with the value `AWS::NoValue`.
//!
//! ```
//! use std::time::Duration;
//! use template::Template;
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
//! let template = Template::of(text, "shop", &[("Window", "5")])?;
//! let reader = template.function("shop-reader")?;
//! assert_eq!(reader.timeout, Duration::from_secs(60));
//! let mapping = template.mapping("shop-reader")?;
//! assert_eq!(mapping.batching_window, Duration::from_secs(5));
//! assert_eq!(mapping.retention, Duration::from_hours(48));
//! # Ok::<(), template::TemplateError>(())
//! ```

#![deny(missing_docs)]

mod read;
mod settings;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use source_mapping::InvalidSettings;
use thiserror::Error;

pub use settings::Function;

/// The region and the account in ARNs, since the template is only read and not deployed.
const REGION: &str = "us-east-1";
const ACCOUNT: &str = "123456789012";

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
    #[error("{at}: the template has no {name}")]
    Dangling {
        /// The path of the reference.
        at: String,
        /// The name that the template does not have.
        name: String,
    },
    /// A value does not have the required form.
    #[error("{at} must be {rule}")]
    Malformed {
        /// The path of the value.
        at: String,
        /// The required form.
        rule: &'static str,
    },
    /// The template has no function of this name.
    #[error("the template has no function named {0}")]
    NoFunction(String),
    /// No event source mapping delivers to this function.
    #[error("the template has no event source mapping of {0}")]
    NoMapping(String),
    /// AWS would refuse the settings of an event source mapping.
    #[error("{at}: {cause}")]
    Refused {
        /// The path of the setting.
        at: String,
        /// The reason.
        cause: InvalidSettings,
    },
}

/// A resource whose references are all resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// The `Type` of the resource, for example `AWS::Kinesis::Stream`.
    pub kind: String,
    /// The `Properties` of the resource. A reference to another resource is resolved to that resource's name or ARN.
    pub properties: Map<String, Value>,
}

/// A template with its parameters, resolved as `CloudFormation` does.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The resources, by their logical ids.
    pub resources: BTreeMap<String, Resource>,
    globals: Map<String, Value>,
}

impl Template {
    /// Reads a template for a stack named `stack`. `parameters` override the defaults of the template.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] names the faulty place of the template, and the rule that the place breaks.
    pub fn of(text: &str, stack: &str, parameters: &[(&str, &str)]) -> Result<Self, TemplateError> {
        read::template(text, stack, parameters)
    }
}
