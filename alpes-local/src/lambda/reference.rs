//! What Lambda says about the names by which callers name functions.

use super::limits::violated;
use crate::{error::AwsError, names::FunctionName};

/// The version that changes with the function.
pub(super) const LATEST: &str = "$LATEST";
/// The only published version that functions have here. It runs what [`LATEST`] runs.
pub(super) const PUBLISHED: &str = "1";

impl FunctionName {
    /// Adds the qualifier that a request names apart from the function.
    pub(super) fn qualified(mut self, qualifier: Option<String>) -> Result<Self, AwsError> {
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
        let message = format!("Function not found: {}", self.arn());
        AwsError::of(404, "ResourceNotFoundException", message).with("Type", "User")
    }
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
    }
}
