//! A request on its way through an API.

use http::header::HOST;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    definition::Api,
    refusal::{Kind, Refusal},
    routes::Found,
};
use crate::{
    clock::{Clock, SystemClock},
    http::Request,
    iam::{Iam, Need},
    names::{ACCOUNT, REGION, arn},
    router::Credential,
};

/// A request to an API, with all that is known about it.
pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) request: &'a Request,
    /// The path after the stage. It begins with one slash and keeps its percent-encoding.
    pub(super) path: String,
    pub(super) request_id: String,
    pub(super) extended_id: String,
    /// The header `X-Amzn-Trace-Id`.
    pub(super) trace: String,
    /// `None` until a route is found.
    pub(super) route: Option<Found<'a>>,
    /// The answer of a Lambda authorizer about the caller.
    pub(super) authorizer: Option<Map<String, Value>>,
    at: Timestamp,
    /// The access key and the ARN of a caller that had to sign.
    caller: Option<(String, String)>,
}

impl<'a> Call<'a> {
    pub(super) fn new(api: &'a Api, path: &str, request: &'a Request) -> Self {
        let at = SystemClock.now();
        Self {
            api,
            request,
            path: format!("/{}", path.trim_start_matches('/')),
            request_id: Uuid::new_v4().to_string(),
            extended_id: extended_id(),
            trace: trace(request, at),
            route: None,
            authorizer: None,
            at,
            caller: None,
        }
    }

    /// Lets a caller pass that has signed its request and may invoke the method.
    pub(super) fn sign_in(&mut self, iam: &Iam) -> Result<(), Refusal> {
        let credential = Credential::of(self.request).ok_or_else(|| {
            Refusal::of(
                Kind::MissingAuthenticationToken,
                "Missing Authentication Token",
            )
        })?;
        let signed = iam.check_signature(self.request);
        signed.map_err(|unsigned| {
            eprintln!("{} is not let in: {}", credential.key, unsigned.message());
            Refusal::of(Kind::InvalidSignature, unsigned.message())
        })?;
        let failed = |_| Refusal::of(Kind::AccessDenied, "The caller cannot be read");
        let caller = iam.caller(self.request).map_err(failed)?;
        let need = Need {
            action: "execute-api:Invoke".to_owned(),
            resource: self.method_arn(),
        };
        iam.check_all(&caller, &[need])
            .map_err(|denied| Refusal::of(Kind::AccessDenied, &denied.to_string()))?;
        self.caller = Some((credential.key, caller.arn()));
        Ok(())
    }

    /// The ARN of the request's resource, as the policies of functions name it: with the names of variables.
    pub(super) fn resource_arn(&self) -> String {
        let path = self
            .route
            .as_ref()
            .map_or(&*self.path, |route| &route.resource.path);
        let (api, method) = (self.api, &self.request.method);
        arn(
            "execute-api",
            &format!("{}/{}/{method}{path}", api.id, api.stage),
        )
    }

    /// The ARN of the API's authorizers. Their ids are made by AWS, so policies name them by a pattern.
    pub(super) fn authorizer_arn(&self) -> String {
        arn(
            "execute-api",
            &format!("{}/authorizers/authorizer", self.api.id),
        )
    }

    /// The ARN by which policies name the request's method.
    pub(super) fn method_arn(&self) -> String {
        let (api, method, path) = (self.api, &self.request.method, &self.path);
        arn(
            "execute-api",
            &format!("{}/{}/{method}{path}", api.id, api.stage),
        )
    }

    /// The `requestContext` of events, which is also `$context` of templates.
    pub(super) fn context(&self) -> Value {
        let domain = self.domain();
        let prefix = domain.split('.').next().unwrap_or_default();
        let mut context = json!({
            "accountId": ACCOUNT,
            "apiId": self.api.id,
            "deploymentId": self.api.deployment,
            "domainName": domain,
            "domainPrefix": prefix,
            "extendedRequestId": self.extended_id,
            "httpMethod": self.request.method.as_str(),
            "identity": self.identity(),
            "path": format!("/{}{}", self.api.stage, self.path),
            "protocol": "HTTP/1.1",
            "requestId": self.request_id,
            "requestTime": self.at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
            "requestTimeEpoch": self.at.as_millisecond(),
            "stage": self.api.stage,
        });
        if let Value::Object(members) = &mut context {
            members.extend(self.later_members());
        }
        context
    }

    /// The members of the context that come to be on the way.
    fn later_members(&self) -> Map<String, Value> {
        let mut members = Map::new();
        if let Some(route) = &self.route {
            members.insert("resourceId".to_owned(), route.resource.id.clone().into());
            let path = route.resource.path.clone();
            members.insert("resourcePath".to_owned(), path.into());
        }
        if let Some(authorizer) = &self.authorizer {
            members.insert("authorizer".to_owned(), authorizer.clone().into());
        }
        members
    }

    fn domain(&self) -> String {
        let host = self.request.header(HOST.as_str());
        host.map_or_else(
            || format!("{}.execute-api.{REGION}.amazonaws.com", self.api.id),
            str::to_owned,
        )
    }

    fn identity(&self) -> Value {
        let (key, arn) = self
            .caller
            .as_ref()
            .map_or((None, None), |(key, arn)| (Some(key), Some(arn)));
        let account = key.map(|_| ACCOUNT);
        json!({
            "accessKey": key,
            "accountId": account,
            "caller": account,
            "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null,
            "cognitoIdentityId": null,
            "cognitoIdentityPoolId": null,
            "principalOrgId": null,
            "sourceIp": self.request.peer.ip().to_string(),
            "user": account,
            "userAgent": self.request.header("user-agent"),
            "userArn": arn,
        })
    }
}

/// An id in the form of API Gateway's second one: 15 characters of base64 and `=`.
fn extended_id() -> String {
    let hex = Uuid::new_v4().simple().to_string();
    format!("{hex:.15}=")
}

/// The trace of a request: the client's own, or a new one.
fn trace(request: &Request, at: Timestamp) -> String {
    let sent = request.header("x-amzn-trace-id");
    if let Some(sent) = sent.filter(|trace| trace.contains("Root=")) {
        return sent.to_owned();
    }
    let id = Uuid::new_v4().simple().to_string();
    format!("Root=1-{:08x}-{id:.24}", at.as_second())
}
