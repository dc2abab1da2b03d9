//! What `ops` prints, and how it ends, where there is no runtime.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{net::TcpListener, process::Command};

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// How it ended, and what it said on stderr.
fn says(line: &str, url: &str) -> (i32, String) {
    let mut ops = Command::new(env!("CARGO_BIN_EXE_ops"));
    ops.args(line.split(' ')).env("AWS_ENDPOINT_URL", url);
    for (name, value) in [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AEROALPES_EVENTS_STREAM", "events"),
        ("AEROALPES_PARKED_TABLE", "parked"),
        ("AEROALPES_SAGAS_TABLE", "sagas"),
        ("AEROALPES_STREAMS_TABLE", "streams"),
    ] {
        ops.env(name, value);
    }
    let output = ops.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap(), err)
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
