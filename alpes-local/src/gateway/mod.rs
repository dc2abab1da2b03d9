//! API Gateway: REST APIs in front of functions.
//!
//! ```text
//! request ──► route ──► authorizer ──► integration ──► answer
//!               └───────────┴───────────────┴────────► gateway response
//! ```

mod answer;
mod authorizer;
mod call;
mod definition;
mod event;
mod integration;
mod invocation;
mod media;
mod mock;
mod refusal;
mod routes;
mod security;
mod variables;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderName, HeaderValue, Method};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    error::AwsError,
    http::{Request, Response, answer},
    iam::Iam,
    invoke::Invoker,
};
use answer::FunctionAnswer;
use call::Call;
use definition::Api;
use integration::{Integration, Target};
use invocation::NotInvoked;
use refusal::{Kind, Refusal};
use security::Authorization;

/// The most bytes that a request's body may have.
const MOST_BYTES: usize = 10 * 1024 * 1024;

/// An API to serve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ApiSpec {
    /// The id by which clients reach the API, for example `a1b2c3d4e5`.
    pub id: String,
    /// The name, for people.
    pub name: String,
    /// The one stage, for example `v1`.
    pub stage: String,
    /// The OpenAPI document, with `x-amazon-apigateway-*` extensions and without intrinsic functions.
    pub definition: Value,
}

/// An API, as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiInfo {
    /// The id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The stage.
    pub stage: String,
    /// All routes, ordered by path.
    pub routes: Vec<RouteInfo>,
}

/// A path of an API with one of its methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteInfo {
    /// The method, or `ANY`.
    pub method: String,
    /// The path, with variables in braces.
    pub path: String,
}

/// Serves APIs. The APIs are in memory only: every start of the runtime puts them again.
pub struct Gateway {
    iam: Arc<Iam>,
    invoker: Arc<dyn Invoker>,
    /// In the order in which they were put.
    apis: RwLock<Vec<Arc<Api>>>,
}

impl Gateway {
    /// A gateway without APIs, in front of the functions of `invoker`, as far as `iam` lets APIs invoke them.
    #[must_use]
    pub fn new(iam: Arc<Iam>, invoker: Arc<dyn Invoker>) -> Self {
        Self {
            iam,
            invoker,
            apis: RwLock::default(),
        }
    }

    /// Serves an API from now on. An API with the same id is replaced, and what its authorizers had cached is dropped.
    ///
    /// # Errors
    ///
    /// `BadRequestException` if the definition has a mistake or needs what the gateway does not support. The message
    /// names the API, the path and the method.
    pub fn put(&self, spec: ApiSpec) -> Result<(), AwsError> {
        let api = Arc::new(Api::read(spec)?);
        let mut apis = self.apis.write().unwrap_or_else(PoisonError::into_inner);
        match apis.iter_mut().find(|known| known.id == api.id) {
            Some(known) => *known = api,
            None => apis.push(api),
        }
        Ok(())
    }

    /// Stops serving an API, and returns whether there was one with this id.
    pub fn remove(&self, api_id: &str) -> bool {
        let mut apis = self.apis.write().unwrap_or_else(PoisonError::into_inner);
        let before = apis.len();
        apis.retain(|api| api.id != api_id);
        apis.len() < before
    }

    /// All APIs, in the order in which they were put.
    #[must_use]
    pub fn apis(&self) -> Vec<ApiInfo> {
        self.all().iter().map(|api| api.info()).collect()
    }

    /// Whether the first API has a resource for this path, with this method.
    #[must_use]
    pub fn first_serves(&self, method: &Method, path: &str) -> bool {
        let first = self.all().into_iter().next();
        first.is_some_and(|api| {
            let found = api.routes.find(path);
            found.is_some_and(|found| found.resource.method(method).is_some())
        })
    }

    /// Answers a request to an API. `path_rest` is the path after the stage, as it was sent.
    pub async fn serve(
        &self,
        api_id: &str,
        stage: &str,
        path_rest: &str,
        request: &Request,
    ) -> Response {
        let Some(api) = self.all().into_iter().find(|api| api.id == api_id) else {
            return not_there(404, &format!("no API has the id {api_id}"));
        };
        if api.stage != stage {
            return not_there(403, "Forbidden");
        }
        self.serve_api(&api, path_rest, request).await
    }

    /// Answers a request to the first API by its short URL, which has neither the API's id nor its stage.
    pub async fn serve_first(&self, request: &Request) -> Response {
        match self.all().into_iter().next() {
            Some(api) => self.serve_api(&api, &request.path, request).await,
            None => not_there(404, "no API is deployed"),
        }
    }

    fn all(&self) -> Vec<Arc<Api>> {
        let apis = self.apis.read().unwrap_or_else(PoisonError::into_inner);
        apis.clone()
    }

    async fn serve_api(&self, api: &Api, path: &str, request: &Request) -> Response {
        let mut call = Call::new(api, path, request);
        let mut response = match self.handle(&mut call).await {
            Ok(response) => response,
            Err(refusal) => api.refusals.answer(&call, &refusal),
        };
        identify(&call, &mut response);
        response
    }

    async fn handle(&self, call: &mut Call<'_>) -> Result<Response, Refusal> {
        if call.request.body.len() > MOST_BYTES {
            return Err(Refusal::too_large());
        }
        let integration = route(call)?;
        self.authorize(call, &integration.authorization).await?;
        match &integration.target {
            Target::Function(function) => self.call_function(call, function).await,
            Target::Mock(mock) => mock.answer(call),
        }
    }

    async fn authorize(
        &self,
        call: &mut Call<'_>,
        authorization: &Authorization,
    ) -> Result<(), Refusal> {
        match authorization {
            Authorization::None => Ok(()),
            Authorization::Iam => call.sign_in(&self.iam),
            Authorization::Lambda(authorizer) => {
                let service = (&*self.iam, &self.invoker);
                call.authorizer = Some(authorizer.authorize(call, service).await?);
                Ok(())
            }
        }
    }

    async fn call_function(
        &self,
        call: &Call<'_>,
        function: &integration::Function,
    ) -> Result<Response, Refusal> {
        let source = call.resource_arn();
        invocation::may_invoke(&self.iam, &source, &function.name)
            .map_err(|_| refusal_of(NotInvoked::NotPermitted))?;
        let event = event::proxy(call).to_string();
        let invoked = invocation::invoke(&self.invoker, &function.name, event, function.timeout);
        let invoked = invoked.await.map_err(refusal_of)?;
        if invoked.failure.is_some() {
            return Err(Refusal::bad_gateway());
        }
        let answer = FunctionAnswer::read(&invoked.payload).ok_or_else(Refusal::bad_gateway)?;
        answer.into_response(call.api.binary.accepted_by(call.request.header("accept")))
    }
}

/// Finds the method of a request, and keeps the route in the call.
fn route<'a>(call: &mut Call<'a>) -> Result<&'a Integration, Refusal> {
    let api = call.api;
    let missing = || {
        Refusal::of(
            Kind::MissingAuthenticationToken,
            "Missing Authentication Token",
        )
    };
    let found = api.routes.find(&call.path).ok_or_else(missing)?;
    let integration = found.resource.method(&call.request.method);
    let integration = integration.ok_or_else(missing)?;
    call.route = Some(found);
    Ok(integration)
}

/// API Gateway answers 500 if Lambda rejects an invocation, throttles among them, and 502 if the function fails.
fn refusal_of(error: NotInvoked) -> Refusal {
    match error {
        NotInvoked::TimedOut => Refusal::of(Kind::IntegrationTimeout, "Endpoint request timed out"),
        NotInvoked::Rejected(error) if error.status == 413 => Refusal::too_large(),
        NotInvoked::NotPermitted | NotInvoked::Rejected(_) => {
            Refusal::of(Kind::IntegrationFailure, "Internal server error").with_status(500)
        }
    }
}

/// The headers by which an answer can be found in logs. As at AWS, only answers of a route have a trace.
fn identify(call: &Call<'_>, response: &mut Response) {
    let mut ids = vec![
        ("x-amzn-requestid", &call.request_id),
        ("x-amz-apigw-id", &call.extended_id),
    ];
    if call.route.is_some() {
        ids.push(("x-amzn-trace-id", &call.trace));
    }
    for (name, id) in ids {
        if let Ok(value) = HeaderValue::from_str(id) {
            let name = HeaderName::from_static(name);
            response.headers_mut().insert(name, value);
        }
    }
}

fn not_there(status: u16, message: &str) -> Response {
    let body = json!({ "message": message }).to_string();
    answer(status, "application/json", body)
}
