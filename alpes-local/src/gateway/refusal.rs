//! Gateway responses: the answers of the gateway itself.

use std::collections::BTreeMap;

use http::{HeaderName, StatusCode};
use serde_json::{Value, json};

use super::{
    answer::set,
    call::Call,
    definition::{Place, members},
    variables::{Source, Template, Variables, template_for},
};
use crate::{
    error::AwsError,
    http::{Response, answer},
};

/// The names of all kinds of gateway responses at AWS.
const NAMES: [&str; 21] = [
    "ACCESS_DENIED",
    "API_CONFIGURATION_ERROR",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "AUTHORIZER_FAILURE",
    "BAD_REQUEST_BODY",
    "BAD_REQUEST_PARAMETERS",
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "EXPIRED_TOKEN",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
    "INVALID_API_KEY",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "QUOTA_EXCEEDED",
    "REQUEST_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "THROTTLED",
    "UNAUTHORIZED",
    "UNSUPPORTED_MEDIA_TYPE",
    "WAF_FILTERED",
];

/// A kind of gateway response that this gateway gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AccessDenied,
    ApiConfigurationError,
    AuthorizerConfigurationError,
    IntegrationFailure,
    IntegrationTimeout,
    InvalidSignature,
    /// A function that failed or answered in a wrong form has no kind of its own.
    Other5xx,
    MissingAuthenticationToken,
    RequestTooLarge,
    Unauthorized,
}

impl Kind {
    /// The name, the status by default, and the header `x-amzn-ErrorType`.
    fn facts(self) -> (&'static str, u16, &'static str) {
        const SERVER: &str = "InternalServerErrorException";
        match self {
            Self::AccessDenied => ("ACCESS_DENIED", 403, "AccessDeniedException"),
            Self::ApiConfigurationError => ("API_CONFIGURATION_ERROR", 500, SERVER),
            Self::AuthorizerConfigurationError => (
                "AUTHORIZER_CONFIGURATION_ERROR",
                500,
                "AuthorizerConfigurationException",
            ),
            Self::IntegrationFailure => ("INTEGRATION_FAILURE", 504, SERVER),
            Self::IntegrationTimeout => ("INTEGRATION_TIMEOUT", 504, SERVER),
            Self::InvalidSignature => ("INVALID_SIGNATURE", 403, "InvalidSignatureException"),
            Self::Other5xx => ("DEFAULT_5XX", 502, SERVER),
            Self::MissingAuthenticationToken => (
                "MISSING_AUTHENTICATION_TOKEN",
                403,
                "MissingAuthenticationTokenException",
            ),
            Self::RequestTooLarge => ("REQUEST_TOO_LARGE", 413, "RequestTooLargeException"),
            Self::Unauthorized => ("UNAUTHORIZED", 401, "UnauthorizedException"),
        }
    }
}

/// A request that the gateway itself answers.
#[derive(Debug)]
pub(super) struct Refusal {
    kind: Kind,
    status: u16,
    /// The message; AWS has none for a failed authorizer.
    message: Option<String>,
}

impl Refusal {
    pub(super) fn of(kind: Kind, message: &str) -> Self {
        Self {
            kind,
            status: kind.facts().1,
            message: Some(message.to_owned()),
        }
    }

    /// A refusal without message.
    pub(super) fn silent(kind: Kind) -> Self {
        Self {
            message: None,
            ..Self::of(kind, "")
        }
    }

    /// A function that failed or answered in a wrong form.
    pub(super) fn bad_gateway() -> Self {
        Self::of(Kind::Other5xx, "Internal server error")
    }

    /// A body of too many bytes.
    pub(super) fn too_large() -> Self {
        Self::of(Kind::RequestTooLarge, "Request Too Long")
    }

    /// The same refusal with another status.
    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The status, unless the API sets another one.
    #[cfg(test)]
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The values that templates read from `$context.error`.
    fn error(&self) -> Value {
        let quoted = Value::from(self.message.clone()).to_string();
        json!({
            "message": self.message,
            "messageString": quoted,
            "responseType": self.kind.facts().0,
            "validationErrorString": "",
        })
    }

    /// The body if the API has no template.
    fn body(&self) -> String {
        let name = if self.kind == Kind::AccessDenied {
            "Message"
        } else {
            "message"
        };
        json!({ name: self.message }).to_string()
    }
}

/// An API's own forms of gateway responses.
#[derive(Debug)]
pub(super) struct GatewayResponses(BTreeMap<String, GatewayResponse>);

#[derive(Debug)]
struct GatewayResponse {
    status: Option<u16>,
    headers: Vec<(HeaderName, Source)>,
    templates: Vec<(String, Template)>,
}

impl GatewayResponses {
    /// Reads `x-amazon-apigateway-gateway-responses`.
    pub(super) fn read(document: &Value, place: &Place) -> Result<Self, AwsError> {
        const NAME: &str = "x-amazon-apigateway-gateway-responses";
        let Some(responses) = document.get(NAME) else {
            return Ok(Self(BTreeMap::new()));
        };
        let place = place.at(NAME);
        let responses = members(responses, &place)?.iter();
        let read = responses.map(|(name, response)| {
            let place = place.at(name);
            if !NAMES.contains(&name.as_str()) {
                return Err(place.error("no such gateway response"));
            }
            Ok((name.clone(), GatewayResponse::read(response, &place)?))
        });
        Ok(Self(read.collect::<Result<_, AwsError>>()?))
    }

    /// The answer to a refused request.
    pub(super) fn answer(&self, call: &Call<'_>, refusal: &Refusal) -> Response {
        let variables = Variables::of(call).with_error(refusal.error());
        let mut response = match self.form(refusal) {
            Some(form) => form.answer(call, refusal, &variables),
            None => answer(refusal.status, "application/json", refusal.body()),
        };
        let kind = HeaderName::from_static("x-amzn-errortype");
        set(&mut response, &kind, refusal.kind.facts().2);
        response
    }

    /// The form of a refusal: the one of its kind, or else the one for all of its class.
    fn form(&self, refusal: &Refusal) -> Option<&GatewayResponse> {
        let (name, status, _) = refusal.kind.facts();
        let class = if status < 500 {
            "DEFAULT_4XX"
        } else {
            "DEFAULT_5XX"
        };
        self.0.get(name).or_else(|| self.0.get(class))
    }
}

impl GatewayResponse {
    fn read(response: &Value, place: &Place) -> Result<Self, AwsError> {
        for name in members(response, place)?.keys() {
            if !["statusCode", "responseParameters", "responseTemplates"].contains(&name.as_str()) {
                return Err(place.at(name).error("not supported"));
            }
        }
        let parameters = &response["responseParameters"];
        Ok(Self {
            status: status(&response["statusCode"], &place.at("statusCode"))?,
            headers: Source::read_headers(parameters, "gatewayresponse.header.", place)?,
            templates: Template::read_all(&response["responseTemplates"], place)?,
        })
    }

    fn answer(&self, call: &Call<'_>, refusal: &Refusal, variables: &Variables<'_>) -> Response {
        let template = template_for(&self.templates, call.request.header("accept"));
        let body = template.map_or_else(|| refusal.body(), |(_, form)| form.text(variables));
        let media = template.map_or("application/json", |(media, _)| media);
        let mut response = answer(self.status.unwrap_or(refusal.status), media, body);
        for (name, source) in &self.headers {
            set(&mut response, name, &source.value(variables));
        }
        response
    }
}

/// A status as a number or as a text; `None` if it is absent.
pub(super) fn status(value: &Value, place: &Place) -> Result<Option<u16>, AwsError> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let status: Option<StatusCode> = text.parse().ok();
    let status = status.ok_or_else(|| place.error("must be an HTTP status"))?;
    Ok(Some(status.as_u16()))
}
