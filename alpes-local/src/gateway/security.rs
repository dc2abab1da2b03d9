//! Authorization of methods: security schemes, and the schemes that methods require.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::{
    authorizer::Authorizer,
    definition::{Place, members},
};
use crate::error::AwsError;

/// The authorization of a method.
#[derive(Clone, Debug)]
pub(super) enum Authorization {
    /// Everybody.
    None,
    /// Whoever signs requests.
    Iam,
    /// Whomever a function lets pass.
    Lambda(Arc<Authorizer>),
}

/// The security schemes of an API.
#[derive(Debug)]
pub(super) struct Security(BTreeMap<String, Scheme>);

#[derive(Debug)]
enum Scheme {
    Supported(Authorization),
    /// A scheme that only methods which use it are refused for, with the reason.
    NotSupported(&'static str),
}

impl Security {
    /// Reads `components.securitySchemes`, or `securityDefinitions` of OpenAPI 2.
    pub(super) fn read(document: &Value, place: &Place) -> Result<Self, AwsError> {
        let schemes = document.pointer("/components/securitySchemes");
        let schemes = schemes.or_else(|| document.get("securityDefinitions"));
        let Some(schemes) = schemes else {
            return Ok(Self(BTreeMap::new()));
        };
        let place = place.at("securitySchemes");
        let schemes = members(schemes, &place)?.iter();
        let read = schemes
            .map(|(name, scheme)| Ok((name.clone(), Scheme::read(scheme, &place.at(name))?)));
        Ok(Self(read.collect::<Result<_, AwsError>>()?))
    }

    /// The authorization that an operation requires, by `x-amazon-apigateway-auth` or by `security`.
    pub(super) fn of(&self, operation: &Value, place: &Place) -> Result<Authorization, AwsError> {
        let auth = &operation["x-amazon-apigateway-auth"];
        let kind = &auth["type"];
        match kind.as_str().map(str::to_ascii_uppercase).as_deref() {
            Some("AWS_IAM") => Ok(Authorization::Iam),
            None | Some("NONE") => self.of_requirement(&operation["security"], place),
            Some(_) => Err(place.at("x-amazon-apigateway-auth").error(format!(
                "the type {kind} is not supported, only AWS_IAM and NONE are"
            ))),
        }
    }

    fn of_requirement(&self, security: &Value, place: &Place) -> Result<Authorization, AwsError> {
        let place = place.at("security");
        let schemes = security.as_array().into_iter().flatten();
        let schemes = schemes
            .filter_map(Value::as_object)
            .flat_map(|schemes| schemes.keys());
        let mut schemes = schemes.collect::<Vec<_>>().into_iter();
        let Some(name) = schemes.next() else {
            return Ok(Authorization::None);
        };
        if schemes.next().is_some() {
            return Err(place.error("more than one scheme is not supported"));
        }
        match self.0.get(name) {
            Some(Scheme::Supported(authorization)) => Ok(authorization.clone()),
            Some(Scheme::NotSupported(reason)) => Err(place.at(name).error(reason)),
            None => Err(place.at(name).error("no such security scheme")),
        }
    }
}

impl Scheme {
    fn read(scheme: &Value, place: &Place) -> Result<Self, AwsError> {
        let authorizer = &scheme["x-amazon-apigateway-authorizer"];
        if scheme["x-amazon-apigateway-authtype"] == "awsSigv4" {
            return Ok(Self::Supported(Authorization::Iam));
        }
        match authorizer["type"]
            .as_str()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("token" | "request") => {
                let authorizer = Arc::new(Authorizer::read(scheme, place)?);
                Ok(Self::Supported(Authorization::Lambda(authorizer)))
            }
            Some("cognito_user_pools") => Ok(Self::NotSupported("Cognito is not supported")),
            Some(_) => Err(place.error("the authorizer's type must be token or request")),
            None if scheme["type"] == "apiKey" => {
                Ok(Self::NotSupported("API keys are not supported"))
            }
            None => Ok(Self::NotSupported(
                "a scheme without authorizer is not supported",
            )),
        }
    }
}
