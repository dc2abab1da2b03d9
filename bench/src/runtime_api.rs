//! The part of the Lambda Runtime API that a function needs: the function asks for the next event and posts its answer.
//!
//! The server is plain blocking HTTP, with one port for each process. The time of a request is taken when its head is
//! read, so the server's own work is not measured.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail};

/// A request of the function.
pub enum Said {
    /// The function asks for an event, which is sent through this channel.
    Next(Instant, Sender<Arc<str>>),
    /// The function posts an answer.
    Answer(Instant, String),
    /// The function posts an error.
    Failure(String),
}

/// The runtime of one process.
pub struct RuntimeApi {
    pub address: SocketAddr,
    pub said: Receiver<Said>,
    over: Arc<AtomicBool>,
}

static REQUESTS: AtomicU64 = AtomicU64::new(1);

impl RuntimeApi {
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let (tell, said) = channel();
        let over = Arc::new(AtomicBool::new(false));
        let ended = over.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let tell = tell.clone();
                if let Ok(stream) = stream {
                    // If a connection breaks, the process has ended, and the waiting receiver gets an error.
                    thread::spawn(move || serve(&stream, &tell));
                }
            }
        });
        Ok(Self {
            address,
            said,
            over,
        })
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address); // wakes the listener
    }
}

struct Request {
    at: Instant,
    method: String,
    path: String,
    body: String,
}

fn serve(stream: &TcpStream, tell: &Sender<Said>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    while let Some(request) = read(&mut reader)? {
        let kind = request.path.rsplit('/').next().unwrap_or_default();
        let answer = match (request.method.as_str(), kind) {
            ("GET", "next") => {
                let (send, event) = channel();
                tell.send(Said::Next(request.at, send))?;
                next(&event.recv()?)
            }
            ("POST", "response") => {
                tell.send(Said::Answer(request.at, request.body))?;
                accepted()
            }
            ("POST", _) => {
                tell.send(Said::Failure(format!("{}: {}", request.path, request.body)))?;
                accepted()
            }
            _ => bail!(
                "{} {} is not a request of the Runtime API",
                request.method,
                request.path
            ),
        };
        writer.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn next(event: &str) -> String {
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let deadline = SystemTime::now() + Duration::from_mins(1);
    let deadline = deadline.duration_since(SystemTime::UNIX_EPOCH);
    let deadline = deadline.unwrap_or_default().as_millis();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-{number:012}\r\n\
         Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:bench\r\n\
         Lambda-Runtime-Trace-Id: Root=1-697dd2a0-4bf92f3577b34da6a3ce929d\r\n\r\n{event}",
        event.len()
    )
}

fn accepted() -> String {
    let body = r#"{"status":"OK"}"#;
    format!(
        "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads a request; `None` at the end of the connection.
fn read(reader: &mut impl BufRead) -> Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let at = Instant::now();
    let mut words = line.split_whitespace().map(str::to_owned);
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        bail!("not HTTP: {line:?}");
    };
    let (mut length, mut chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        match (name, value.trim()) {
            ("content-length", value) => length = value.parse()?,
            ("transfer-encoding", "chunked") => chunked = true,
            _ => {}
        }
    }
    let mut body = vec![];
    if chunked {
        while let size @ 1.. = chunk_size(reader)? {
            read_exactly(reader, size, &mut body)?;
            reader.read_line(&mut String::new())?;
        }
        reader.read_line(&mut String::new())?;
    } else {
        read_exactly(reader, length, &mut body)?;
    }
    Ok(Some(Request {
        at,
        method,
        path,
        body: String::from_utf8_lossy(&body).into_owned(),
    }))
}

fn chunk_size(reader: &mut impl BufRead) -> Result<u64> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(u64::from_str_radix(line.trim(), 16)?)
}

fn read_exactly(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> Result<()> {
    let read = reader.by_ref().take(length).read_to_end(body)?;
    if u64::try_from(read)? < length {
        bail!("the connection ended within a body");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_one_after_the_other() {
        let text = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: a\r\n\r\n\
            POST /2018-06-01/runtime/invocation/1/response HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}\
            POST /x/error HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n";
        let mut reader = &text[..];
        let first = read(&mut reader).unwrap().unwrap();
        assert_eq!((&*first.method, &*first.body), ("GET", ""));
        let second = read(&mut reader).unwrap().unwrap();
        assert_eq!((&*second.method, &*second.body), ("POST", "{}"));
        assert_eq!(read(&mut reader).unwrap().unwrap().body, "abcd");
        assert!(read(&mut reader).unwrap().is_none());
    }
}
