//! Errors of the services, sorted by whether trying again may help.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// The error of a port: refused for good, where the service answered with one of these codes or the request could not even be
/// made, and unavailable for now otherwise.
pub(crate) fn sorted<E, R, P>(
    error: &SdkError<E, R>,
    refusals: &[&str],
    refused: fn(String) -> P,
    unavailable: fn(String) -> P,
) -> P
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let for_good = matches!(error, SdkError::ConstructionFailure(_))
        || error.code().is_some_and(|code| refusals.contains(&code));
    let text = DisplayErrorContext(error).to_string();
    if for_good {
        refused(text)
    } else {
        unavailable(text)
    }
}
