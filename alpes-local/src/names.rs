//! The names of things: the one account, the one region, ARNs, and functions.

use crate::{error::AwsError, input::fault};

/// The account of everything here.
pub const ACCOUNT: &str = "000000000000";
/// The region of everything here.
pub const REGION: &str = "us-east-1";

/// An ARN in this account and region: `arn:aws:SERVICE:us-east-1:000000000000:RESOURCE`.
#[must_use]
pub fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

/// The last part of an ARN, after the last `:` or `/`; a text without either is returned whole. So a name stays a name.
#[must_use]
pub fn last_part(arn_or_name: &str) -> &str {
    arn_or_name.rsplit([':', '/']).next().unwrap_or(arn_or_name)
}

/// The current time in milliseconds since 1970.
#[must_use]
pub fn now_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// A function as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionName {
    /// The function's name.
    pub name: String,
    /// The version or alias, if the caller named one.
    pub qualifier: Option<String>,
}

impl FunctionName {
    /// Reads `NAME`, `ACCOUNT:function:NAME` or an ARN, each with or without `:QUALIFIER`.
    ///
    /// # Errors
    ///
    /// AWS's `ValidationException` for any other text.
    pub fn parse(text: &str) -> Result<Self, AwsError> {
        Self::read(text)
            .ok_or_else(|| fault("functionName", text, "be the name or the ARN of a function"))
    }

    fn read(text: &str) -> Option<Self> {
        let local = match text.split_once(":function:") {
            Some((owner, local)) => is_owner(owner).then_some(local)?,
            None => text,
        };
        let (name, qualifier) = match local.split_once(':') {
            Some((name, qualifier)) => (name, Some(qualifier)),
            None => (local, None),
        };
        let valid = is_word(name)
            && qualifier.is_none_or(|qualifier| qualifier == "$LATEST" || is_word(qualifier));
        valid.then(|| Self {
            name: name.to_owned(),
            qualifier: qualifier.map(str::to_owned),
        })
    }

    /// The ARN, with the qualifier if the caller named one.
    #[must_use]
    pub fn arn(&self) -> String {
        let arn = function_arn(&self.name);
        match &self.qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }
}

/// The ARN of a function, without a qualifier.
#[must_use]
pub fn function_arn(name: &str) -> String {
    arn("lambda", &format!("function:{name}"))
}

/// Whether this is what comes before `:function:`: an account, or the beginning of an ARN of Lambda.
fn is_owner(text: &str) -> bool {
    match text.strip_prefix("arn:") {
        Some(rest) => rest.split(':').nth(1) == Some("lambda"),
        None => text.len() == ACCOUNT.len() && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn is_word(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    !text.is_empty() && text.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_many_names() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:order-function";
        for text in [
            "order-function",
            "000000000000:function:order-function",
            arn,
        ] {
            let plain = FunctionName::parse(text).unwrap();
            assert_eq!(
                (plain.name.as_str(), plain.qualifier.as_deref()),
                ("order-function", None)
            );
            assert_eq!(plain.arn(), arn);
            let live = FunctionName::parse(&format!("{text}:live")).unwrap();
            assert_eq!(live.name, "order-function");
            assert_eq!(live.arn(), format!("{arn}:live"));
        }
        assert!(FunctionName::parse("f:$LATEST").is_ok());
        for text in [
            "",
            "a b",
            "f:",
            "f:1:2",
            "a/b",
            "f:$live",
            "x:function:f",
            "arn:aws:s3:::function:f",
        ] {
            let error = FunctionName::parse(text).unwrap_err();
            assert_eq!(error.code, "ValidationException", "{text}");
        }
    }
}
