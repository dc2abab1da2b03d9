//! A client of the Runtime API, for the functions of tests.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use serde_json::{Map, Value};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// An invocation as the Runtime API gives it.
pub struct Invocation {
    pub request_id: String,
    pub arn: String,
    pub event: Value,
}

/// A connection to the Runtime API.
pub struct Runtime {
    address: String,
    reader: BufReader<TcpStream>,
}

impl Runtime {
    pub fn connect() -> Outcome<Self> {
        let address = env::var("AWS_LAMBDA_RUNTIME_API")?;
        let stream = TcpStream::connect(&address)?;
        stream.set_nodelay(true)?;
        let reader = BufReader::new(stream);
        Ok(Self { address, reader })
    }

    pub fn next(&mut self) -> Outcome<Invocation> {
        let (headers, body) = self.request("GET", "invocation/next", "")?;
        let header = |name: &str| {
            headers
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        Ok(Invocation {
            request_id: header("lambda-runtime-aws-request-id").to_owned(),
            arn: header("lambda-runtime-invoked-function-arn").to_owned(),
            event: serde_json::from_slice(&body)?,
        })
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Outcome<()> {
        self.request("POST", path, &body.to_string())?;
        Ok(())
    }

    fn request(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Outcome<(Map<String, Value>, Vec<u8>)> {
        let request = format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes())?;
        let mut headers = Map::new();
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.into());
        }
        let length = headers.get("content-length").and_then(Value::as_str);
        let mut body = vec![0; length.unwrap_or("0").parse()?];
        self.reader.read_exact(&mut body)?;
        Ok((headers, body))
    }
}
