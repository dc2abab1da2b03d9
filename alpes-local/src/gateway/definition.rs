//! Reads the definition of an API: an OpenAPI document with `x-amazon-apigateway-*` extensions.

use std::{collections::BTreeMap, fmt::Display};

use serde_json::{Map, Value};

use super::{
    ApiInfo, ApiSpec,
    integration::Integration,
    media::BinaryMediaTypes,
    refusal::GatewayResponses,
    routes::{ANY, METHODS, Resource, Routes},
    security::Security,
};
use crate::{digest::sha256, error::AwsError};

/// How the names of API Gateway's extensions begin.
const EXTENSION: &str = "x-amazon-apigateway-";
/// Members of a path that are for people only, or that describe parameters.
const DESCRIPTIVE: [&str; 4] = ["description", "parameters", "servers", "summary"];
/// Extensions of the document that the gateway reads.
const READ: [&str; 2] = ["binary-media-types", "gateway-responses"];
/// Extensions of the document without meaning here: of endpoints, documentation, tags, keys for plans, and the
/// validators that an operation may choose.
const WITHOUT_MEANING: [&str; 6] = [
    "api-key-source",
    "documentation",
    "endpoint-configuration",
    "importexport-version",
    "request-validators",
    "tag-value",
];

/// An API.
pub(super) struct Api {
    pub(super) id: String,
    pub(super) stage: String,
    /// The id of the deployment.
    pub(super) deployment: String,
    pub(super) routes: Routes,
    pub(super) refusals: GatewayResponses,
    pub(super) binary: BinaryMediaTypes,
    name: String,
}

impl Api {
    /// Reads an API.
    ///
    /// # Errors
    ///
    /// `BadRequestException`, which names the place and the rule.
    pub(super) fn read(spec: ApiSpec) -> Result<Self, AwsError> {
        let place = Place::api(&spec.name);
        let document = &spec.definition;
        check_root(document, &place)?;
        let binary = BinaryMediaTypes::read(&document["x-amazon-apigateway-binary-media-types"])
            .map_err(|rule| {
                place
                    .at("x-amazon-apigateway-binary-media-types")
                    .error(rule)
            })?;
        Ok(Self {
            deployment: short_id(&[&spec.id, &document.to_string()]),
            routes: routes(&spec.id, document, &place)?,
            refusals: GatewayResponses::read(document, &place)?,
            binary,
            id: spec.id,
            stage: spec.stage,
            name: spec.name,
        })
    }

    /// The API for people.
    pub(super) fn info(&self) -> ApiInfo {
        ApiInfo {
            id: self.id.clone(),
            name: self.name.clone(),
            stage: self.stage.clone(),
            routes: self.routes.list(),
        }
    }
}

/// Refuses extensions that would change what the API does.
fn check_root(document: &Value, place: &Place) -> Result<(), AwsError> {
    let members = members(document, place)?;
    if members.contains_key("security") {
        let rule = "API Gateway ignores it here; write it at each operation";
        return Err(place.at("security").error(rule));
    }
    let extensions = members
        .keys()
        .filter_map(|name| name.strip_prefix(EXTENSION));
    for extension in extensions {
        if !READ.contains(&extension) && !WITHOUT_MEANING.contains(&extension) {
            return Err(place
                .at(&format!("{EXTENSION}{extension}"))
                .error("not supported"));
        }
    }
    Ok(())
}

fn routes(api_id: &str, document: &Value, place: &Place) -> Result<Routes, AwsError> {
    let security = Security::read(document, place)?;
    let mut routes = Routes::default();
    for (path, item) in members(&document["paths"], &place.at("paths"))? {
        let methods = methods(path, item, &security, place)?;
        if !methods.is_empty() {
            let resource = Resource::new(path, short_id(&[api_id, path]), methods);
            routes
                .add(resource)
                .map_err(|rule| place.at(path).error(rule))?;
        }
    }
    Ok(routes)
}

fn methods(
    path: &str,
    item: &Value,
    security: &Security,
    place: &Place,
) -> Result<BTreeMap<String, Integration>, AwsError> {
    let mut methods = BTreeMap::new();
    for (name, operation) in members(item, &place.at(path))? {
        let method = name.to_ascii_uppercase();
        let method = match METHODS.into_iter().find(|known| *known == method) {
            Some(method) => method,
            None if name == "x-amazon-apigateway-any-method" => ANY,
            None if DESCRIPTIVE.contains(&name.as_str()) => continue,
            None => {
                let rule = format!("{name} is not a method of API Gateway");
                return Err(place.at(path).error(rule));
            }
        };
        let place = place.at(&format!("{method} {path}"));
        methods.insert(
            method.to_owned(),
            operation_of(operation, security, &place)?,
        );
    }
    Ok(methods)
}

fn operation_of(
    operation: &Value,
    security: &Security,
    place: &Place,
) -> Result<Integration, AwsError> {
    const READ: [&str; 2] = [
        "x-amazon-apigateway-auth",
        "x-amazon-apigateway-integration",
    ];
    let members = members(operation, place)?;
    let mut extensions = members.keys().filter(|name| name.starts_with(EXTENSION));
    if let Some(other) = extensions.find(|name| !READ.contains(&name.as_str())) {
        return Err(place.at(other).error("not supported"));
    }
    let integration = &operation["x-amazon-apigateway-integration"];
    let place_of_it = place.at("x-amazon-apigateway-integration");
    Integration::read(integration, security.of(operation, place)?, &place_of_it)
}

/// A place in a definition, for errors.
pub(super) struct Place(String);

impl Place {
    fn api(name: &str) -> Self {
        Self(format!("API {name}"))
    }

    /// A place within this one.
    pub(super) fn at(&self, name: &str) -> Self {
        Self(format!("{}, {name}", self.0))
    }

    /// The error that something at this place breaks a rule.
    pub(super) fn error(&self, rule: impl Display) -> AwsError {
        AwsError::client("BadRequestException", format!("{}: {rule}", self.0))
    }
}

/// The members of an object.
pub(super) fn members<'a>(
    value: &'a Value,
    place: &Place,
) -> Result<&'a Map<String, Value>, AwsError> {
    value
        .as_object()
        .ok_or_else(|| place.error("must be an object"))
}

/// An id in the form of API Gateway's ids of resources and deployments. Equal parts have the same id.
fn short_id(parts: &[&str]) -> String {
    let parts: String = parts.iter().flat_map(|part| [part, "\0"]).collect();
    let letter = |byte: u8| char::from_digit(u32::from(byte) % 36, 36).unwrap_or('0');
    sha256(parts).into_iter().take(6).map(letter).collect()
}
