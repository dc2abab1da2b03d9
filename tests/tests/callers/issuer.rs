//! An `OpenID` Connect issuer on this machine: it publishes keys.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::{Value, json};

/// The issuer that the stack under test was told.
pub struct Issuer {
    /// Its URL, as in its tokens.
    pub url: String,
    keys: Arc<Mutex<Vec<Value>>>,
}

impl Issuer {
    /// Listens on the port that the stack was told. The thread ends with the test.
    pub fn start() -> Self {
        let url = env::var("ALPES_EMISOR").expect("a stack with Acceso=jwt");
        let address = url.strip_prefix("http://").expect("an issuer of tests");
        let listener = TcpListener::bind(address).unwrap();
        let keys: Arc<Mutex<Vec<Value>>> = Arc::default();
        let (base, published) = (url.clone(), keys.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let keys = published.lock().unwrap().clone();
                // A client that goes away is no reason to stop.
                let _ = answer(stream.unwrap(), &base, &keys);
            }
        });
        Self { url, keys }
    }

    /// Publishes these keys, and no others.
    pub fn publish(&self, keys: &[Value]) {
        *self.keys.lock().unwrap() = keys.to_vec();
    }
}

fn answer(mut stream: TcpStream, base: &str, keys: &[Value]) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines
        .next()
        .transpose()?
        .is_some_and(|line| !line.is_empty())
    {}
    let (status, body) = match first.split(' ').nth(1) {
        Some("/.well-known/openid-configuration") => {
            let jwks = format!("{base}/jwks");
            ("200 OK", json!({ "issuer": base, "jwks_uri": jwks }))
        }
        Some("/jwks") => ("200 OK", json!({ "keys": keys })),
        _ => ("404 Not Found", Value::Null),
    };
    let body = body.to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
