//! Captures the log lines of functions.

use std::{cell::RefCell, io, sync::Once};

use serde_json::Value;

thread_local! {
    /// The bytes that were logged on this thread.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(vec![]) };
}

struct Sink;

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Captures log lines, separately for each test. If a test program uses [`logged`], every test of it must call this
/// function first; [`crate::System::new`] does so. `tracing` remembers for each call site whether a subscriber listens.
/// If another test ran a call site before this call, the lines of that call site can be missed.
pub fn listen() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let logs = tracing_subscriber::fmt().json().flatten_event(true);
        let logs = logs.with_writer(|| Sink).finish();
        tracing::subscriber::set_global_default(logs).unwrap();
    });
}

/// Runs `work` on this thread. Returns the result of `work`, with the log lines of `work`, each a JSON object.
pub fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    listen();
    LOGGED.take();
    let done = work();
    let text = String::from_utf8(LOGGED.take()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (done, lines.collect())
}
