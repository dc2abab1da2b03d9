//! REST APIs, as OpenAPI definitions.

use serde_json::{Map, Value, json};
use template::{Place, Properties, Resource, TemplateError};

use super::{
    ApiSpec,
    draft::{Draft, Source},
    permissions,
};

/// The logical id of the API that functions' events imply, and its stage.
const IMPLICIT: (&str, &str) = ("ServerlessRestApi", "Prod");

/// The id of the API that events without an API of their own imply.
pub(super) fn implicit_id(source: &Source<'_>) -> String {
    source
        .stack
        .generated_name("AWS::Serverless::Api", IMPLICIT.0)
}

pub(super) fn api(
    resource: &Resource,
    source: &Source<'_>,
    draft: &mut Draft,
) -> Result<(), TemplateError> {
    let api = resource.read(|set| {
        skip_without_meaning(set, draft);
        refuse_unsupported(set)?;
        let (name, stage) = if resource.implied {
            (Some(source.stack.name.clone()), IMPLICIT.1.to_owned())
        } else {
            (set.text("Name")?, set.required("StageName")?)
        };
        let name = name.unwrap_or_else(|| resource.id.clone());
        let mut definition = definition(set, &name, source)?;
        add_binary_types(set, &mut definition)?;
        add_gateway_responses(set, &mut definition)?;
        Ok(ApiSpec {
            id: resource.name.clone(),
            name,
            stage,
            definition: definition.into(),
        })
    })?;
    if draft.plan.apis.iter().any(|known| known.id == api.id) {
        let rule = "of a new logical id, since ids of APIs are made from these";
        return Err(TemplateError::malformed(resource.place(""), rule));
    }
    draft.plan.apis.push(api);
    Ok(())
}

fn skip_without_meaning(set: &Properties<'_>, draft: &mut Draft) {
    let without_meaning = [
        "AccessLogSetting",
        "AlwaysDeploy",
        "CacheClusterEnabled",
        "CacheClusterSize",
        "Description",
        "EndpointConfiguration",
        "FailOnWarnings",
        "MethodSettings",
        "MinimumCompressionSize",
        "Mode",
        "OpenApiVersion",
        "PropagateTags",
        "Tags",
        "TracingEnabled",
    ];
    draft.skip(set, &without_meaning);
}

fn refuse_unsupported(set: &Properties<'_>) -> Result<(), TemplateError> {
    let in_definition = "write it into the DefinitionBody";
    set.refuse("Auth", in_definition)?;
    set.refuse("Cors", in_definition)?;
    set.refuse("Models", in_definition)?;
    set.refuse("Variables", "this runtime has no stage variables")?;
    set.refuse("CanarySetting", "this runtime has no canaries")?;
    set.refuse("Domain", "this runtime has no domains")
}

fn definition(
    set: &Properties<'_>,
    name: &str,
    source: &Source<'_>,
) -> Result<Map<String, Value>, TemplateError> {
    let written = set.get("DefinitionBody", "a mapping", Value::as_object)?;
    if set.value("DefinitionUri").is_none() {
        let empty = || {
            Map::from_iter([
                ("openapi".to_owned(), "3.0.1".into()),
                ("info".to_owned(), json!({"title": name, "version": "1.0"})),
                ("paths".to_owned(), json!({})),
            ])
        };
        return Ok(written.cloned().unwrap_or_else(empty));
    }
    if written.is_some() {
        return Err(set.must("DefinitionUri", "absent where there is a DefinitionBody"));
    }
    let document = template::document(&source.file(set, "DefinitionUri")?);
    let document = document.map_err(|error| set.must("DefinitionUri", &error.to_string()))?;
    match document {
        Value::Object(document) => Ok(document),
        _ => Err(set.must("DefinitionUri", "the path of an OpenAPI document")),
    }
}

/// SAM writes `/` in a media type as `~1`.
fn add_binary_types(
    set: &Properties<'_>,
    definition: &mut Map<String, Value>,
) -> Result<(), TemplateError> {
    let types = set.texts("BinaryMediaTypes")?;
    if !types.is_empty() {
        let types: Vec<_> = types.iter().map(|kind| kind.replace("~1", "/")).collect();
        let name = "x-amazon-apigateway-binary-media-types";
        definition.insert(name.to_owned(), types.into());
    }
    Ok(())
}

/// Writes SAM's `GatewayResponses` into the definition.
fn add_gateway_responses(
    set: &Properties<'_>,
    definition: &mut Map<String, Value>,
) -> Result<(), TemplateError> {
    let responses = set.within("GatewayResponses", |all| {
        let mut responses = Map::new();
        for kind in all.names() {
            let response = all.within(kind, gateway_response)?;
            responses.extend(response.map(|response| (kind.to_owned(), response)));
        }
        Ok(responses)
    })?;
    if let Some(responses) = responses {
        let name = "x-amazon-apigateway-gateway-responses";
        definition.insert(name.to_owned(), responses.into());
    }
    Ok(())
}

fn gateway_response(set: &Properties<'_>) -> Result<Value, TemplateError> {
    let mut response = Map::new();
    let status: Option<u64> = set.number("StatusCode")?;
    response.extend(status.map(|status| ("statusCode".to_owned(), status.into())));
    let headers = set.within("ResponseParameters", |parameters| {
        parameters.named_texts("Headers")
    })?;
    let headers = headers.unwrap_or_default().into_iter();
    let headers = headers.map(|(name, value)| {
        let name = format!("gatewayresponse.header.{name}");
        (name, Value::from(value))
    });
    response.insert(
        "responseParameters".to_owned(),
        Value::Object(headers.collect()),
    );
    let templates = set.named_texts("ResponseTemplates")?;
    response.insert("responseTemplates".to_owned(), json!(templates));
    Ok(response.into())
}

/// A route that a function's event adds to an API.
pub(super) struct Route {
    place: Place,
    api_id: String,
    path: String,
    method: String,
    function_arn: String,
    timeout_ms: Option<u32>,
}

impl Route {
    /// Reads an event of type `Api`.
    pub fn read(
        set: &Properties<'_>,
        implicit_id: String,
        function_arn: String,
    ) -> Result<Self, TemplateError> {
        set.refuse("Auth", "write it into the API's DefinitionBody")?;
        set.refuse("RequestModel", "write it into the API's DefinitionBody")?;
        set.refuse(
            "RequestParameters",
            "write it into the API's DefinitionBody",
        )?;
        let path = set.required("Path")?;
        if !path.starts_with('/') {
            return Err(set.must("Path", "a path that begins with /"));
        }
        Ok(Self {
            place: set.here(),
            api_id: set.text("RestApiId")?.unwrap_or(implicit_id),
            path,
            method: set.required("Method")?.to_lowercase(),
            function_arn,
            timeout_ms: set.number("TimeoutInMillis")?,
        })
    }

    fn method_name(&self) -> &str {
        match self.method.as_str() {
            "any" | "*" => "x-amazon-apigateway-any-method",
            method => method,
        }
    }

    /// The ARN of the method, at any stage and with any values for variables.
    fn source(&self) -> String {
        let method = match self.method.as_str() {
            "any" | "*" => "*".to_owned(),
            method => method.to_uppercase(),
        };
        let parts = self.path.split('/').map(|part| {
            let is_variable = part.starts_with('{');
            if is_variable { "*" } else { part }
        });
        let path = parts.collect::<Vec<_>>().join("/");
        crate::names::arn("execute-api", &format!("{}/*/{method}{path}", self.api_id))
    }

    /// The operation in OpenAPI.
    fn operation(&self) -> Value {
        let region = crate::names::REGION;
        let arn = &self.function_arn;
        let mut integration = json!({
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": format!(
                "arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations"
            ),
        });
        if let (Some(timeout), Some(set)) = (self.timeout_ms, integration.as_object_mut()) {
            set.insert("timeoutInMillis".to_owned(), timeout.into());
        }
        json!({"x-amazon-apigateway-integration": integration, "responses": {}})
    }
}

/// Adds the routes of events to their APIs. An operation that a definition has already stays as it is.
pub(super) fn add_routes(draft: &mut Draft) -> Result<(), TemplateError> {
    for route in std::mem::take(&mut draft.routes) {
        let source = route.source();
        permissions::to_service(
            draft,
            &route.function_arn,
            "apigateway.amazonaws.com",
            &source,
        );
        let mut apis = draft.plan.apis.iter_mut();
        let api = apis.find(|api| api.id == route.api_id);
        let missing =
            || TemplateError::dangling(route.place.clone(), format!("API {}", route.api_id));
        let api = api.ok_or_else(missing)?;
        let mut node = Some(&mut api.definition);
        for key in ["paths", &route.path] {
            let set = node.and_then(Value::as_object_mut);
            node = set.map(|set| set.entry(key).or_insert_with(|| json!({})));
        }
        let malformed = || {
            let rule = "an event of an API whose paths are mappings";
            TemplateError::malformed(route.place.clone(), rule)
        };
        let methods = node.and_then(Value::as_object_mut).ok_or_else(malformed)?;
        methods
            .entry(route.method_name())
            .or_insert_with(|| route.operation());
    }
    Ok(())
}
