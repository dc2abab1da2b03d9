//! Reads requests in the form that API Gateway sends.

use std::mem;

use lambda_http::{
    Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    request::LambdaRequest,
};
use serde::{Deserialize, Deserializer};

/// An event of API Gateway that holds a request, from a REST API or an HTTP API. Production and tests build their
/// requests from this event.
///
/// A REST API sends each header twice: its last value in `headers`, and all its values in `multiValueHeaders`.
/// `lambda_http` keeps only the values in `headers`, which would hide that a request has a header twice. This type
/// keeps all values.
pub struct Event(LambdaRequest);

impl Event {
    /// The event in the form that `lambda_http` converts to a request.
    pub(super) fn into_inner(self) -> LambdaRequest {
        self.0
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut request = LambdaRequest::deserialize(deserializer)?;
        if let LambdaRequest::ApiGatewayV1(event) = &mut request {
            let all = mem::take(&mut event.multi_value_headers);
            event.headers = merged(all, &event.headers);
        }
        Ok(Self(request))
    }
}

impl From<Event> for Request {
    fn from(event: Event) -> Self {
        event.0.into()
    }
}

/// All values of every header: `all`, with the headers that only `last` has.
fn merged(mut all: HeaderMap, last: &HeaderMap) -> HeaderMap {
    let missing: Vec<(HeaderName, HeaderValue)> = last
        .iter()
        .filter(|(name, _)| !all.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    all.extend(missing);
    all
}
