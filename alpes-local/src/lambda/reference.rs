//! The ways in which a caller names a function.

use super::limits::violated;
use crate::{error::AwsError, names::arn};

/// The only version that functions have here.
pub(super) const LATEST: &str = "$LATEST";

/// A function as a caller named it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    /// The function's name.
    pub(super) name: String,
    /// The version or alias, if the caller named one.
    pub(super) qualifier: Option<String>,
}

impl Reference {
    /// Parses `name`, `account:function:name` or an ARN, each with or without `:qualifier`.
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let local = match text.split_once("function:") {
            Some((_, local)) => local,
            None => text,
        };
        let mut parts = local.split(':');
        let name = parts.next().unwrap_or_default();
        let qualifier = parts.next();
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.is_empty() || !name.bytes().all(known) || parts.next().is_some() {
            let rule = "Member must be a function's name or ARN";
            return Err(violated("functionName", text, rule));
        }
        Ok(Self {
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    }

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

    /// The ARN, with the qualifier if the caller named one.
    pub(super) fn arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", function_arn(&self.name)),
            None => function_arn(&self.name),
        }
    }

    /// Whether the version exists, if the function does. There are no other versions, and no aliases.
    pub(super) fn is_latest(&self) -> bool {
        self.qualifier
            .as_deref()
            .is_none_or(|qualifier| qualifier == LATEST)
    }

    /// AWS's error for a function that does not exist.
    pub(super) fn missing(&self) -> AwsError {
        missing(&self.arn())
    }

    /// AWS's error for the invocation of a function that does not exist: it names `$LATEST` if the caller named no version.
    pub(super) fn missing_version(&self) -> AwsError {
        let version = self.qualifier.as_deref().unwrap_or(LATEST);
        missing(&format!("{}:{version}", function_arn(&self.name)))
    }
}

fn missing(arn: &str) -> AwsError {
    let message = format!("Function not found: {arn}");
    AwsError::of(404, "ResourceNotFoundException", message).with("Type", "User")
}

/// The ARN of a function, without a qualifier.
pub(super) fn function_arn(name: &str) -> String {
    arn("lambda", &format!("function:{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_many_names() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        for text in ["f", "000000000000:function:f", arn] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(
                (reference.name.as_str(), reference.arn().as_str()),
                ("f", arn)
            );
            assert!(reference.is_latest());
            let missing = reference.missing_version().message;
            assert_eq!(missing, format!("Function not found: {arn}:$LATEST"));
            let qualified = Reference::parse(&format!("{text}:live")).unwrap();
            assert_eq!(qualified.arn(), format!("{arn}:live"));
            assert!(!qualified.is_latest());
        }
        for text in ["", "a b", "f:1:2", "a/b"] {
            assert_eq!(
                Reference::parse(text).unwrap_err().code,
                "ValidationException",
                "{text}"
            );
        }
        let twice = Reference::parse("f:1").unwrap().qualified(Some("2".into()));
        assert_eq!(twice.unwrap_err().code, "ValidationException");
    }
}
