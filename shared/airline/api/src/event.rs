//! Requests as API Gateway tells them.

use std::mem;

use lambda_http::{
    Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    request::LambdaRequest,
};
use serde::{Deserialize, Deserializer};

/// The event of a request, of a REST API or an HTTP API. Production and tests make their requests of it.
///
/// A REST API tells each header twice: by its last value in `headers`, and by all of them in `multiValueHeaders`. `lambda_http` puts
/// the one in the place of the others, and a header that came twice would look as if it had come once.
pub struct Event(LambdaRequest);

impl Event {
    /// As the runtime adapter takes it.
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

/// Every value of every header, and those headers that are only in the other map.
fn merged(mut all: HeaderMap, last: &HeaderMap) -> HeaderMap {
    let missing: Vec<(HeaderName, HeaderValue)> = last
        .iter()
        .filter(|(name, _)| !all.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    all.extend(missing);
    all
}
