//! `GET /vuelos/reserva/{id}/eventos`.

use events::{Context, Moment, StreamId, Version};
use lambda_http::{Body, Response, http::StatusCode};
use lambda_kit::http;
use serde_json::{Value, json};

use crate::{App, Refusal, no_such_reservation, parse_id};

impl App {
    /// The events of a reservation, from its three streams, by time, then version: each exactly as it was committed.
    pub(crate) async fn eventos(&self, id: &str) -> Result<Response<Body>, Refusal> {
        let id = parse_id(id)?;
        let streams = self
            .reader
            .read(&Context::ALL.map(|context| StreamId::new(context, id)))
            .await?;
        let mut events = vec![];
        for stream in &streams {
            for (version, text) in stream.texts(1, Version::MAX) {
                let event: Value = serde_json::from_str(text).unwrap_or_default();
                let time = event
                    .get("time")
                    .and_then(Value::as_str)
                    .and_then(|time| time.parse::<Moment>().ok());
                events.push((time, version, stream.id, event));
            }
        }
        if events.is_empty() {
            return Err(no_such_reservation(id));
        }
        events.sort_by_key(|(time, version, stream, _)| (*time, *version, *stream));
        let events: Vec<_> = events.into_iter().map(|(.., event)| event).collect();
        Ok(http::json(StatusCode::OK, &json!({ "eventos": events })))
    }
}
