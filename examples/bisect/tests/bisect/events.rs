//! The server-sent events of the runtime.

use alpes_local::http::Body;
use http_body_util::BodyExt;
use serde_json::Value;

/// The events from `GET /_alpes/events`.
pub struct Events {
    body: Body,
    /// The beginning of an event that has not come whole.
    rest: String,
}

impl Events {
    pub fn new(body: Body) -> Self {
        let rest = String::new();
        Self { body, rest }
    }

    /// The acts of the mapping, up to the checkpoint at this record.
    pub async fn until_checkpoint(&mut self, through: &str) -> Vec<Value> {
        let mut acts = vec![];
        loop {
            let (kind, data) = self.next().await;
            if kind != "mapping" {
                continue;
            }
            acts.extend(data["acts"].as_array().unwrap().iter().cloned());
            let settled = |act: &Value| act["act"] == "checkpointed" && act["through"] == through;
            if acts.iter().any(settled) {
                return acts;
            }
        }
    }

    async fn next(&mut self) -> (String, Value) {
        loop {
            if let Some((event, further)) = self.rest.split_once("\n\n") {
                let (kind, data) = event.split_once('\n').unwrap();
                let kind = kind.strip_prefix("event: ").unwrap().to_owned();
                let data = data.strip_prefix("data: ").unwrap();
                let data = serde_json::from_str(data).unwrap();
                self.rest = further.to_owned();
                return (kind, data);
            }
            let frame = self.body.frame().await.expect("the events end").unwrap();
            let text = frame.into_data().unwrap();
            self.rest.push_str(std::str::from_utf8(&text).unwrap());
        }
    }
}
