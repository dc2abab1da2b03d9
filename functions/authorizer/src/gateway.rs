//! The questions of API Gateway to an authorizer of tokens, and the answers.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-output.html>

use lambda_runtime::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;

/// A question: may the sender of this token call this method?
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The value of the header `Authorization`.
    authorization_token: Option<String>,
    method_arn: String,
}

impl Request {
    /// The token of the header, if the header has one token of the scheme Bearer and nothing more.
    pub(crate) fn token(&self) -> Option<&str> {
        let (scheme, token) = self.authorization_token.as_deref()?.split_once(' ')?;
        let alone = !token.is_empty() && !token.contains([' ', ',']);
        (scheme.eq_ignore_ascii_case("bearer") && alone).then_some(token)
    }

    /// The pattern of all methods of the API's stage, of which the method's ARN is
    /// `arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/PATH`. The gateway keeps an answer and uses it for all methods, so
    /// an answer about one method would refuse the others.
    pub(crate) fn stage(&self) -> Option<String> {
        let mut parts = self.method_arn.splitn(3, '/');
        let (api, stage) = (parts.next()?, parts.next()?);
        parts.next()?;
        Some(format!("{api}/{stage}/*"))
    }
}

/// The answer that lets a request pass, with what the functions are told about the caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    principal_id: String,
    policy_document: Value,
    context: Context,
}

/// What `api::Callers` reads of the caller, besides the principal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Context {
    rol: &'static str,
    /// The second at which the token expires. The functions look at it again, since the gateway keeps this answer.
    exp: String,
}

impl Answer {
    pub(crate) fn allow(methods: &str, rol: &'static str, name: String, expires: i64) -> Self {
        Self {
            principal_id: name,
            policy_document: json!({
                "Version": "2012-10-17",
                "Statement": [{ "Effect": "Allow", "Action": "execute-api:Invoke", "Resource": methods }],
            }),
            context: Context {
                rol,
                exp: expires.to_string(),
            },
        }
    }
}

/// The function does not let a request pass.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    /// The token is invalid. The gateway answers 401 to this very message.
    #[error("Unauthorized")]
    Unauthorized,
    /// No token can be checked now. The gateway answers 503, as the template has it.
    #[error("there are no keys to check tokens with")]
    WithoutKeys,
}

impl From<Refused> for Diagnostic {
    fn from(refused: Refused) -> Self {
        Self {
            error_type: format!("{refused:?}"),
            error_message: refused.to_string(),
        }
    }
}
