//! The names of parameters.

use crate::{
    error::AwsError,
    input::{length, validation},
    names::arn,
};

/// The most characters in a name.
const NAME_LIMIT: usize = 1011;
/// The most parts of a name that is a path.
const LEVEL_LIMIT: usize = 15;

/// The ARN of a parameter. A path's first slash is not doubled.
pub(crate) fn parameter_arn(name: &str) -> String {
    let path = name.strip_prefix('/').unwrap_or(name);
    arn("ssm", &format!("parameter/{path}"))
}

/// Fails unless a parameter may have this name.
pub(super) fn check(name: &str) -> Result<(), AwsError> {
    length("name", name, 1..=NAME_LIMIT)?;
    let is_part = |next: char| next.is_ascii_alphanumeric() || "_.-/".contains(next);
    if !name.chars().all(is_part) || name.ends_with('/') || name.contains("//") {
        return Err(validation(
            "Parameter name: only a mix of letters, numbers and the following 3 symbols .-_ and the slash between \
             the parts of a path",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(validation("Parameter name must be a fully qualified name."));
    }
    let parts = name.trim_start_matches('/').split('/');
    if parts.clone().count() > LEVEL_LIMIT {
        return Err(AwsError::client(
            "HierarchyLevelLimitExceededException",
            format!("A parameter name may have {LEVEL_LIMIT} levels. {name} has more."),
        ));
    }
    let first = parts.into_iter().next().unwrap_or_default();
    let first = first.to_ascii_lowercase();
    if first.starts_with("aws") || first.starts_with("ssm") {
        return Err(validation(
            "Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).",
        ));
    }
    Ok(())
}

/// A parameter as a request names it: by its name or ARN, and perhaps by a version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) version: Option<i64>,
    /// The selector as it was given, as in `:3`.
    pub(super) selector: Option<String>,
}

impl Named {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let text = match text.strip_prefix(&arn("ssm", "parameter/")) {
            Some(path) if path.contains('/') => format!("/{path}"),
            Some(name) => name.to_owned(),
            None => text.to_owned(),
        };
        let Some((name, selector)) = text.split_once(':') else {
            return Ok(Self {
                name: text,
                version: None,
                selector: None,
            });
        };
        let version = selector.parse().map_err(|_| {
            validation(format!(
                "The selector {selector} is no version. Labels are not supported by this runtime."
            ))
        })?;
        Ok(Self {
            name: name.to_owned(),
            version: Some(version),
            selector: Some(format!(":{selector}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_parameter_store() {
        for good in ["a", "/a/b.c-D_1", &"a".repeat(1011), &"/a".repeat(15)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "/a/",
            "//a",
            "ñ",
            "a:1",
            "AwsKey",
            "/ssm/x",
            &"a".repeat(1012),
            &"/a".repeat(16),
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_parameter_is_named_in_several_ways() {
        let named = |text: &str| {
            let named = Named::parse(text).unwrap();
            (named.name, named.version)
        };
        assert_eq!(named("/a/b"), ("/a/b".into(), None));
        assert_eq!(named("a:3"), ("a".into(), Some(3)));
        assert_eq!(named(&parameter_arn("/a/b")), ("/a/b".into(), None));
        let version = format!("{}:2", parameter_arn("a"));
        assert_eq!(named(&version), ("a".into(), Some(2)));
        assert!(Named::parse("a:live").is_err());
    }
}
