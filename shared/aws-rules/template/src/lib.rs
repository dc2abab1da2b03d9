//! Reads a `CloudFormation` template, SAM's too, as far as the settings of functions and mappings need it.
//!
//! [`Template::of`] resolves parameters, conditions and the functions `!Ref`, `!GetAtt`, `!Sub`, `!If`, `!Equals` and `!Not`. A
//! resource whose condition does not hold is left out, and so is a property of the value `AWS::NoValue`.
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

/// Where resources of a template that is only read are said to be.
const REGION: &str = "us-east-1";
const ACCOUNT: &str = "123456789012";

/// What cannot be read of a template.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TemplateError {
    /// The text is no YAML.
    #[error("the template is no YAML: {0}")]
    NotYaml(String),
    /// A parameter is given that the template does not have.
    #[error("the template has no parameter {0}")]
    NoParameter(String),
    /// Something refers to what the template does not have.
    #[error("{at}: the template has no {name}")]
    Dangling {
        /// Where, as a path.
        at: String,
        /// What it refers to.
        name: String,
    },
    /// Something is not of the form that it must have.
    #[error("{at} must be {rule}")]
    Malformed {
        /// Where, as a path.
        at: String,
        /// What it must be.
        rule: &'static str,
    },
    /// There is no such function.
    #[error("the template has no function of the name {0}")]
    NoFunction(String),
    /// No mapping delivers to that function.
    #[error("the template has no event source mapping of {0}")]
    NoMapping(String),
    /// A mapping is set up as AWS refuses it.
    #[error("{at}: {cause}")]
    Refused {
        /// Which mapping.
        at: String,
        /// Why.
        cause: InvalidSettings,
    },
}

/// A resource, all of it resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its `Type`, as `AWS::Kinesis::Stream`.
    pub kind: String,
    /// Its `Properties`. A reference to another resource is the name or the ARN of that.
    pub properties: Map<String, Value>,
}

/// What `CloudFormation` makes of a template and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The resources, by their logical ids.
    pub resources: BTreeMap<String, Resource>,
    globals: Map<String, Value>,
}

impl Template {
    /// Reads a template for a stack of the name `stack`. `parameters` stand before the defaults of the template.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] names the place at fault, and the rule.
    pub fn of(text: &str, stack: &str, parameters: &[(&str, &str)]) -> Result<Self, TemplateError> {
        read::template(text, stack, parameters)
    }
}
