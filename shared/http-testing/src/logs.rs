//! What functions log.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Does something on this thread, and tells what is logged meanwhile, a JSON object a line.
pub fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    let lines = Lines::default();
    let to = lines.clone();
    let logs = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(move || to.clone());
    let logs = tracing_subscriber::registry().with(logs);
    let done = tracing::subscriber::with_default(logs, work);
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (done, lines.collect())
}
