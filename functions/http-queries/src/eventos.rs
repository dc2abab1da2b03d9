//! `GET /vuelos/reserva/{id}/eventos`.

use alpes_event_store::StreamError;
use alpes_messages::{Event, StreamId, Version};
use api::{Caller, Refusal};
use events::{CONTEXTS, VUELOS};
use lambda_http::{Body, Response, http::StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{App, no_such_reservation};

/// Events, each in the exact text that was committed.
#[derive(Serialize)]
struct Eventos<'a> {
    eventos: Vec<&'a RawValue>,
}

impl App {
    /// Lists the events of a reservation from its three streams, by time, then by version, then in the order of
    /// [`CONTEXTS`]. Each event has the exact text that was committed. Events of the tutorials' own code keep the
    /// envelope of that code. An event without a readable time comes first.
    pub(crate) async fn eventos(
        &self,
        id: &str,
        caller: &Caller,
    ) -> Result<Response<Body>, Refusal> {
        let id = api::id(id)?;
        let streams = self
            .reader
            .read(&CONTEXTS.map(|context| StreamId::new(context, id)))
            .await?;
        let mut found = vec![];
        for (place, stream) in streams.iter().enumerate() {
            for (version, text) in stream.texts(1, Version::MAX) {
                let malformed =
                    |error: serde_json::Error| StreamError::Malformed(stream.id, error.to_string());
                let time = Event::time_of(text);
                let event: &RawValue = serde_json::from_str(text).map_err(malformed)?;
                found.push((time, version, place, event));
            }
        }
        let own = StreamId::new(VUELOS, id);
        if found.is_empty() || !self.shows(own, caller).await? {
            return Err(no_such_reservation(id));
        }
        found.sort_by_key(|(time, version, place, _)| (*time, *version, *place));
        let eventos = found.into_iter().map(|(.., event)| event).collect();
        Ok(api::json(StatusCode::OK, &Eventos { eventos }))
    }
}
