//! The HTTP API of event source mappings: `/2015-03-31/event-source-mappings`.

mod document;
mod members;
mod request;

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Mappings, config::Config, core::Live, not_found};
use crate::{
    error::AwsError,
    http::{Request, Response, json_answer, json_error},
    names::FunctionName,
};

const ROOT: &str = "/2015-03-31/event-source-mappings";
/// The number of mappings in a page of a list, if the request names none.
const PAGE: usize = 100;

pub(super) async fn serve(mappings: &Arc<Mappings>, request: Request) -> Response {
    match answer(mappings, request).await {
        Ok((status, body)) => json_answer(status, "", &body),
        Err(error) => json_error("", &error),
    }
}

async fn answer(mappings: &Arc<Mappings>, request: Request) -> Result<(u16, Value), AwsError> {
    let rest = request.path.strip_prefix(ROOT).unwrap_or_default();
    let id = rest.trim_matches('/').to_owned();
    let body = request.body.clone();
    match (&request.method, id.as_str()) {
        (&Method::POST, "") => {
            let created = mappings.in_turn(async move |all| create(&all, &body));
            created.await.map(|document| (202, document))
        }
        (&Method::GET, "") => list(mappings, &request).map(|body| (200, body)),
        (&Method::GET, id) => {
            let live = find(mappings, id)?;
            Ok((200, document::of(&live, live.state())))
        }
        (&Method::PUT, known) if !known.is_empty() => {
            let updated = mappings.in_turn(async move |all| update(&all, &id, &body).await);
            updated.await.map(|document| (202, document))
        }
        (&Method::DELETE, known) if !known.is_empty() => {
            let deleted = mappings.in_turn(async move |all| delete(&all, &id).await);
            deleted.await.map(|document| (202, document))
        }
        (method, _) => Err(AwsError::client(
            "UnknownOperationException",
            format!(
                "event source mappings have no operation {method} {}",
                request.path
            ),
        )),
    }
}

fn find(mappings: &Mappings, id: &str) -> Result<Arc<Live>, AwsError> {
    mappings.find(Uuid::parse_str(id).map_err(|_| not_found())?)
}

/// Creates a mapping. The caller has its turn to change mappings. So have the callers of `update` and `delete`.
fn create(mappings: &Mappings, body: &[u8]) -> Result<Value, AwsError> {
    let config = request::created(body)?;
    refuse_second(mappings, &config)?;
    let live = mappings.create(config)?;
    Ok(document::of(&live, "Creating"))
}

/// AWS allows one mapping from a source to a function.
fn refuse_second(mappings: &Mappings, config: &Config) -> Result<(), AwsError> {
    let Some(other) = mappings.of(&config.function, &config.source) else {
        return Ok(());
    };
    let name = FunctionName::parse(&config.function)?.name;
    let message = format!(
        "The event source arn (\" {} \") and function (\" {name} \") provided mapping already exists. Please update or \
         delete the existing mapping with UUID {}",
        config.source, other.uuid
    );
    Err(AwsError::of(409, "ResourceConflictException", message).with("Type", "User"))
}

async fn update(mappings: &Mappings, id: &str, body: &[u8]) -> Result<Value, AwsError> {
    let live = find(mappings, id)?;
    let before = live.config();
    let config = request::updated(body, &before)?;
    if config.function != before.function {
        refuse_second(mappings, &config)?;
    }
    let state = match (before.enabled, config.enabled) {
        (false, true) => "Enabling",
        (true, false) => "Disabling",
        (true, true) | (false, false) => "Updating",
    };
    mappings.change(&live, config).await?;
    Ok(document::of(&live, state))
}

async fn delete(mappings: &Mappings, id: &str) -> Result<Value, AwsError> {
    let live = find(mappings, id)?;
    mappings.delete(&live).await?;
    Ok(document::of(&live, "Deleting"))
}

fn list(mappings: &Mappings, request: &Request) -> Result<Value, AwsError> {
    let source = request.parameter("EventSourceArn");
    let function = request.parameter("FunctionName");
    let function = function
        .map(|name| FunctionName::parse(&name))
        .transpose()?
        .map(|function| function.arn());
    let marker = request.parameter("Marker");
    let most = page_size(request)?;
    let all = mappings.core.all();
    let mut found = all.iter().filter(|live| {
        let config = live.config();
        source
            .as_ref()
            .is_none_or(|source| config.source == *source)
            && function
                .as_ref()
                .is_none_or(|function| config.function == *function)
            && marker
                .as_ref()
                .is_none_or(|marker| live.uuid.to_string() > *marker)
    });
    let page: Vec<_> = found.by_ref().take(most).collect();
    let last = page.last().filter(|_| found.next().is_some());
    let next = last.map(|live| live.uuid.to_string());
    let page = page.iter().map(|live| document::of(live, live.state()));
    let mut body = json!({ "EventSourceMappings": page.collect::<Vec<_>>() });
    if let (Some(next), Some(body)) = (next, body.as_object_mut()) {
        body.insert("NextMarker".to_owned(), next.into());
    }
    Ok(body)
}

fn page_size(request: &Request) -> Result<usize, AwsError> {
    let Some(text) = request.parameter("MaxItems") else {
        return Ok(PAGE);
    };
    let size = text.parse().ok().filter(|size| (1..=10_000).contains(size));
    size.map(|size: usize| size.min(PAGE)).ok_or_else(|| {
        let message = format!(
            "1 validation error detected: Value '{text}' at 'maxItems' failed to satisfy constraint: Member must be a \
             number from 1 to 10000"
        );
        AwsError::client("ValidationException", message)
    })
}
