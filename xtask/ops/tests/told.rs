//! The output and exit codes of `ops` where no runtime answers, or where a runtime has no data.

#![cfg(test)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
};

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A runtime without data: its tables are empty, and its log has no shard. Returns its address.
fn empty_runtime() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer(&stream.unwrap()));
        }
    });
    url
}

/// Answers one request, if one arrives.
fn answer(mut stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let (mut action, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 {
            return;
        }
        let (name, value) = line.trim_end().split_once(": ").unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => value.clone_into(&mut action),
            "content-length" => length = value.parse().unwrap(),
            _ if line == "\r\n" => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let is_missing = String::from_utf8(body).unwrap().contains("missing");
    let (status, answer) = match action.split_once('.').unwrap_or_default().1 {
        _ if is_missing => (
            400,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no such table"}"#,
        ),
        "GetItem" => (200, "{}"),
        "Query" | "Scan" => (200, r#"{"Items":[],"Count":0,"ScannedCount":0}"#),
        "ListShards" => (200, r#"{"Shards":[]}"#),
        other => panic!("{other} is not expected"),
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/x-amz-json-1.0\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all((head + answer).as_bytes()).unwrap();
}

/// The exit code, and the text on stderr.
fn says(line: &str, url: &str) -> (i32, String) {
    let (code, _, err) = told(line, url, &[]);
    (code, err)
}

/// The exit code, the output, and the text on stderr.
fn told(line: &str, url: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut ops = Command::new(env!("CARGO_BIN_EXE_ops"));
    ops.args(line.split(' ')).env("AWS_ENDPOINT_URL", url);
    for (name, value) in [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("ALPES_EVENTS_STREAM", "events"),
        ("ALPES_PARKED_TABLE", "parked"),
        ("ALPES_SAGAS_TABLE", "sagas"),
        ("ALPES_STREAMS_TABLE", "streams"),
        ("ALPES_VIEWS_TABLE", "views"),
    ] {
        ops.env(name, value);
    }
    let output = ops.envs(variables.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// With two runtimes up, an answer must name the runtime that was asked.
#[test]
fn every_answer_about_an_absence_names_the_runtime() {
    let url = &empty_runtime();
    let id = "01a204c2-545a-74bd-8111-604b204dce1d";
    let saga = format!("saga {id}");
    for (line, code, out, err) in [
        (
            saga.as_str(),
            1,
            String::new(),
            format!("error: at {url}: there is neither a saga nor a reservation {id}\n"),
        ),
        (
            "sagas Completada",
            0,
            format!("No saga at {url} is Completada.\n"),
            String::new(),
        ),
        (
            "parked",
            0,
            format!("Nothing is parked at {url}.\n"),
            String::new(),
        ),
        (
            "redrive",
            0,
            format!("Nothing is parked to retry at {url}.\n"),
            String::new(),
        ),
        (
            "redrive vista 7",
            1,
            String::new(),
            format!(
                "error: at {url}: nothing is parked as vista 7; `cargo xtask parked` lists what is\n"
            ),
        ),
        (
            "discard vista 7 no",
            1,
            String::new(),
            format!(
                "error: at {url}: nothing is parked as vista 7; `cargo xtask parked` lists what is\n"
            ),
        ),
        (
            "tail --from-start --once",
            0,
            String::new(),
            format!("The log at {url} has no such event.\n"),
        ),
        (
            "tail --once",
            0,
            String::new(),
            format!("No such event came at {url}. What is there already: --from-start\n"),
        ),
    ] {
        assert_eq!(told(line, url, &[]), (code, out, err), "{line}");
    }
    // A runtime that was emptied lacks even the table.
    let (code, _, err) = told(&saga, url, &[("ALPES_SAGAS_TABLE", "missing")]);
    assert_eq!(code, 1);
    assert!(err.starts_with(&format!("error: at {url}: ")), "{err}");
}

#[test]
fn a_runtime_that_does_not_run_is_told_in_a_sentence() {
    let url = format!("http://127.0.0.1:{}", free_port());
    for line in ["parked", "tail --once", "sagas"] {
        let (code, err) = says(line, &url);
        let told = format!(
            "error: nothing answers at {url}: the runtime does not run. See: cargo xtask up --help\n"
        );
        assert_eq!((code, err), (1, told), "{line}");
    }
}

#[test]
fn words_are_refused_before_anything_is_asked() {
    for (line, told) in [
        ("tail --limit x", "--limit takes a number"),
        (
            "rebuild reserva",
            "VIEW is one of reservas, analitica, not 'reserva'",
        ),
        ("url", "ops is run by cargo xtask"),
        ("tail --port 4566", "ops is run by cargo xtask"),
    ] {
        let (code, err) = says(line, "http://127.0.0.1:9");
        assert_eq!(code, 2, "{line}");
        assert!(err.contains(told), "{line}: {err}");
    }
}
