//! Lambda's rules and errors for the names of functions.

use super::limits::violated;
use crate::{error::AwsError, names::FunctionName};

/// The version that changes with the function.
pub(super) const LATEST: &str = "$LATEST";
/// The only published version that functions have here. It runs what [`LATEST`] runs.
pub(super) const PUBLISHED: &str = "1";

impl FunctionName {
    /// Adds the qualifier that a request names apart from the function.
    pub(crate) fn qualified(mut self, qualifier: Option<String>) -> Result<Self, AwsError> {
        match (&self.qualifier, qualifier) {
            (Some(own), Some(other)) if *own != other => {
                let rule = "Member must be the qualifier of the function's ARN";
                Err(violated("qualifier", &other, rule))
            }
            (None, Some(other)) => {
                self.qualifier = Some(other);
                Ok(self)
            }
            _ => Ok(self),
        }
    }

    /// AWS's error for a function, version or alias that does not exist.
    pub(super) fn missing(&self) -> AwsError {
        missing(&self.arn())
    }

    /// AWS's error for the invocation of a function that does not exist: it names `$LATEST` if the caller named no version.
    pub(super) fn missing_version(&self) -> AwsError {
        let version = self.qualifier.as_deref().unwrap_or(LATEST);
        let name = self.name.clone();
        let qualifier = Some(version.to_owned());
        missing(&Self { name, qualifier }.arn())
    }
}

fn missing(arn: &str) -> AwsError {
    let message = format!("Function not found: {arn}");
    AwsError::of(404, "ResourceNotFoundException", message).with("Type", "User")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_one_qualifier() {
        let live = FunctionName::parse("f:live").unwrap();
        assert_eq!(
            live.clone().qualified(Some("live".into())),
            Ok(live.clone())
        );
        assert_eq!(
            FunctionName::parse("f")
                .unwrap()
                .qualified(Some("live".into())),
            Ok(live.clone())
        );
        let twice = live.qualified(Some("2".into()));
        assert_eq!(twice.unwrap_err().code, "ValidationException");
        let missing = FunctionName::parse("f").unwrap().missing_version();
        assert!(
            missing.message.ends_with(":function:f:$LATEST"),
            "{}",
            missing.message
        );
    }
}
