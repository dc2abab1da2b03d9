//! A minimal HTTP client for the demo and health checks: one request and one answer over plain TCP.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::failure::{Explain, Result, fail};

pub struct Answer {
    pub status: u16,
    /// The status line and the headers, in lower case.
    head: String,
    pub body: String,
}

impl Answer {
    /// The value of a header, in lower case. `name` must be in lower case too.
    pub fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut found = pairs.filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| value.trim())
    }
}

/// How long to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends a request, with a JSON body if `body` is given.
pub fn request(method: &str, url: &str, body: Option<&str>) -> Result<Answer> {
    request_within(PATIENCE, method, url, body)
}

/// Sends a request whose answer may take as long as `patience`.
pub fn request_within(
    patience: Duration,
    method: &str,
    url: &str,
    body: Option<&str>,
) -> Result<Answer> {
    let json = [("Content-Type", "application/json")];
    send_within(patience, method, url, &json, body.unwrap_or_default())
}

/// Sends a request with these headers and this body.
pub fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
    send_within(PATIENCE, method, url, headers, body)
}

fn send_within(
    patience: Duration,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let address = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let no_answer = || format!("{method} {url} got no answer");
    let Some(address) = address.to_socket_addrs().explain(no_answer())?.next() else {
        return fail(format!("{}: no such host", no_answer()));
    };
    let mut stream =
        TcpStream::connect_timeout(&address, Duration::from_secs(2)).explain(no_answer())?;
    stream
        .set_read_timeout(Some(patience))
        .explain(no_answer())?;
    let mut message = format!(
        "{method} {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        message.extend([name, ": ", value, "\r\n"]);
    }
    message.extend(["\r\n", body]);
    stream.write_all(message.as_bytes()).explain(no_answer())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).explain(no_answer())?;
    match parse(&bytes) {
        Some(answer) => Ok(answer),
        None => fail(format!("{}: the answer is not HTTP", no_answer())),
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).to_ascii_lowercase();
    let body = bytes.get(end + 4..)?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let body = if head.contains("transfer-encoding: chunked") {
        dechunk(body)?
    } else {
        body.to_vec()
    };
    Some(Answer {
        status,
        head,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..line)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
        rest = rest.get(line + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_in_chunks() {
        let whole = parse(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        assert_eq!((whole.status, whole.body.as_str()), (202, "{}"));
        assert_eq!(whole.header("content-length"), Some("2"));
        assert_eq!(whole.header("content"), None);
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\n";
        assert_eq!(parse(chunked).unwrap().body, "abcd");
        assert!(parse(b"nonsense").is_none());
    }
}
