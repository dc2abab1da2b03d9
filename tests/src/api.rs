//! A client of the API.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use events::IdReserva;
use serde_json::Value;
use ureq::{Agent, http};

use crate::{PATIENCE, setting};

/// The pause before the second attempt. Each further pause is longer by this much.
const SENT_AGAIN: Duration = Duration::from_millis(500);
/// The pause after a connection that broke or was refused.
const CONNECTED_AGAIN: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// A client of the API. Clones are cheap and share connections.
///
/// The client retries as the API's description tells clients to: after 503, with which the system refuses a request for
/// the moment, and after 502 and 504, with which the gateway tells that the function was killed or timed out. The client
/// also retries a request whose connection breaks, as it does when the runtime is killed. It does not repeat a read
/// after 500, which is the system's own fault.
#[derive(Clone)]
pub struct Api {
    agent: Agent,
    base: String,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The answer's status.
    pub status: u16,
    /// The answer's body, byte for byte.
    pub body: Vec<u8>,
    /// How many earlier answers to the same request were lost.
    pub lost: u32,
    headers: http::HeaderMap,
    url: String,
}

impl Api {
    pub(crate) fn from_env() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections_per_host(64)
            .proxy(None)
            .timeout_global(Some(PATIENCE));
        Self {
            agent: config.build().into(),
            base: setting("ALPES_API_URL").trim_end_matches('/').to_owned(),
        }
    }

    /// True if the API's address answers now, whatever the answer. Waits a moment before it returns false.
    pub fn answers(&self) -> bool {
        let answers = self.agent.get(&self.base).call().is_ok();
        if !answers {
            std::thread::sleep(CONNECTED_AGAIN);
        }
        answers
    }

    /// Gets a path of the API, which may have a query.
    pub fn get(&self, path: &str) -> Answer {
        self.get_url(&format!("{}{path}", self.base))
    }

    /// Sends a request without a body, with any method.
    pub fn ask(&self, method: &str, path: &str) -> Answer {
        let url = format!("{}{path}", self.base);
        insist(&url, Answer::is_final, || {
            let request = http::Request::builder().method(method).uri(&url);
            self.agent.run(request.body(()).unwrap())
        })
    }

    /// Sends a request with an access token, if one is given. Methods that are only read with have no body.
    pub fn call(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let url = format!("{}{path}", self.base);
        insist(&url, Answer::is_final, || {
            let request = http::Request::builder().method(method).uri(&url);
            let request = match token {
                Some(token) => request.header("Authorization", format!("Bearer {token}")),
                None => request,
            };
            if ["GET", "HEAD", "OPTIONS", "DELETE"].contains(&method) {
                return self.agent.run(request.body(()).unwrap());
            }
            let request = request.header("Content-Type", "application/json");
            self.agent.run(request.body(body.to_string()).unwrap())
        })
    }

    /// Gets the target of an answer's `Location`.
    pub fn follow(&self, answer: &Answer) -> Answer {
        let location = answer.header("location").expect("a Location");
        self.get_url(&resolve(&answer.url, location))
    }

    /// `POST /vuelos/reserva`, with the content type JSON unless `headers` has another.
    pub fn book(&self, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        self.post(&format!("{}/vuelos/reserva", self.base), body, headers)
    }

    /// `POST /vuelos/reserva/{id}/cancelacion`.
    pub fn cancel(&self, id: IdReserva, body: &Value) -> Answer {
        self.send(&format!("/vuelos/reserva/{id}/cancelacion"), body)
    }

    /// Reads a list of reservations page by page, and asserts that they come newest first and without repetition. With
    /// `until`, reading stops after the last of these reservations. `filter` adds to the query, such as
    /// `&estado=Pagada`.
    pub fn list(
        &self,
        filter: &str,
        limit: usize,
        until: Option<&BTreeSet<IdReserva>>,
    ) -> Vec<Value> {
        let mut missing = until.cloned();
        let mut seen: Vec<Value> = vec![];
        let mut after = String::new();
        loop {
            let page = self
                .get(&format!("/vuelos/reserva?limite={limit}{filter}{after}"))
                .expect(200);
            let reservas = page["reservas"].as_array().unwrap();
            for reserva in reservas {
                let order = |reserva: &Value| {
                    ["fecha_creacion", "id_reserva"]
                        .map(|name| reserva[name].as_str().unwrap().to_owned())
                };
                if let Some(before) = seen.last() {
                    assert!(
                        order(before) > order(reserva),
                        "{filter}: newest first, none twice"
                    );
                }
                if let Some(missing) = &mut missing {
                    missing.remove(&reserva["id_reserva"].as_str().unwrap().parse().unwrap());
                }
                seen.push(reserva.clone());
            }
            let Some(next) = page["siguiente"].as_str() else {
                assert!(page["siguiente"].is_null(), "{page}");
                return seen;
            };
            assert_eq!(reservas.len(), limit, "only the last page is short");
            if missing.as_ref().is_some_and(BTreeSet::is_empty) {
                return seen;
            }
            after = format!("&siguiente={next}");
        }
    }

    /// Posts JSON to a path of the API.
    pub fn send(&self, path: &str, body: &Value) -> Answer {
        let url = format!("{}{path}", self.base);
        self.post(&url, body.to_string().as_bytes(), &[])
    }

    pub(crate) fn post(&self, url: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
        let mut headers = headers.to_vec();
        let is_type = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("content-type");
        if !headers.iter().any(is_type) {
            headers.push(("Content-Type", "application/json"));
        }
        insist(
            url,
            |answer| answer.status < 500,
            || {
                let request = self.agent.post(url);
                let request = headers.iter().fold(request, |request, (name, value)| {
                    request.header(*name, *value)
                });
                request.send(body)
            },
        )
    }

    pub(crate) fn get_url(&self, url: &str) -> Answer {
        insist(url, Answer::is_final, || self.agent.get(url).call())
    }
}

/// Sends the request until an acceptable answer comes, or [`PATIENCE`] ends.
fn insist(
    url: &str,
    will_do: impl Fn(&Answer) -> bool,
    send: impl Fn() -> Result<http::Response<ureq::Body>, ureq::Error>,
) -> Answer {
    let (start, mut lost) = (Instant::now(), 0);
    loop {
        let answer = send().and_then(|response| read(response, url, lost));
        let is_over = start.elapsed() > PATIENCE;
        lost += 1;
        std::thread::sleep(match answer {
            Ok(answer) if is_over || will_do(&answer) => return answer,
            Ok(answer) => {
                let text = String::from_utf8_lossy(&answer.body);
                println!("{url}: status {}: {text}", answer.status);
                (SENT_AGAIN * lost).min(LONGEST_PAUSE)
            }
            Err(error) => {
                assert!(!is_over, "{url} gave no answer: {error}");
                CONNECTED_AGAIN
            }
        });
    }
}

fn read(
    mut response: http::Response<ureq::Body>,
    url: &str,
    lost: u32,
) -> Result<Answer, ureq::Error> {
    Ok(Answer {
        status: response.status().as_u16(),
        body: response.body_mut().read_to_vec()?,
        lost,
        headers: response.headers().clone(),
        url: url.to_owned(),
    })
}

impl Answer {
    /// The value of a header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            let text = String::from_utf8_lossy(&self.body);
            panic!("{}: status {}, {error}: {text}", self.url, self.status)
        })
    }

    /// The body as JSON. Panics if the answer has another status.
    pub fn expect(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{}: {text}", self.url);
        self.json()
    }

    /// The body of an accepted request. If the first answer was lost, a 409 that refuses the repeated request counts as
    /// accepted too.
    pub fn accepted(&self) -> Value {
        self.expect(if self.lost > 0 && self.status == 409 {
            409
        } else {
            202
        })
    }

    /// The problem (RFC 9457) in the body. Panics if the answer has another status, or if its body is no problem.
    pub fn problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        assert!(self.is_problem(), "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        problem
    }

    /// False if the same request may be answered otherwise a moment later.
    fn is_final(&self) -> bool {
        ![502, 503, 504].contains(&self.status)
    }

    fn is_problem(&self) -> bool {
        self.header("content-type") == Some("application/problem+json")
    }
}

/// Resolves a reference against the URL at which it was found (RFC 3986, section 5, as far as servers use it).
fn resolve(base: &str, reference: &str) -> String {
    let authority = base.find("://").map_or(0, |at| at + 3);
    let path = base[authority..]
        .find('/')
        .map_or(base.len(), |at| authority + at);
    if reference.contains("://") {
        reference.to_owned()
    } else if reference.starts_with('/') {
        format!("{}{reference}", &base[..path])
    } else {
        let folder = base[path..].rfind('/').map_or(base.len(), |at| path + at);
        format!("{}/{reference}", &base[..folder])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_as_browsers_do() {
        let base = "http://h:1/api/v1/vuelos/reserva";
        for (reference, url) in [
            ("reserva/7", "http://h:1/api/v1/vuelos/reserva/7"),
            ("/vuelos/reserva/7", "http://h:1/vuelos/reserva/7"),
            ("http://other/x", "http://other/x"),
        ] {
            assert_eq!(resolve(base, reference), url);
        }
    }
}
