//! What functions log.

use std::{cell::RefCell, io, sync::Once};

use serde_json::Value;

thread_local! {
    /// What was logged on this thread.
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

/// Keeps what is logged, each test's by itself. Every test of a program that uses [`logged`] begins with it, as [`crate::System::new`]
/// does: a line of the code that is first met where nobody listens may stay unheard.
pub fn listen() {
    static LISTENS: Once = Once::new();
    LISTENS.call_once(|| {
        let logs = tracing_subscriber::fmt().json().flatten_event(true);
        let logs = logs.with_writer(|| Sink).finish();
        tracing::subscriber::set_global_default(logs).unwrap();
    });
}

/// Does something on this thread, and tells what is logged meanwhile, a JSON object a line.
pub fn logged<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    listen();
    LOGGED.take();
    let done = work();
    let text = String::from_utf8(LOGGED.take()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    (done, lines.collect())
}
