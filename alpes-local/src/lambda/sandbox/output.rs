//! What a function's process prints: it goes to the function's log, line by line, as it comes.

use std::{
    io::{ErrorKind, PipeReader, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::net::unix::pipe;

use crate::{logs::Logs, names::now_millis};

/// The end of an invocation's log that its caller can ask for.
const TAIL: usize = 4 * 1024;
/// A longer line becomes several events.
const LONGEST_LINE: usize = 256 * 1024;
/// The bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// The log of one sandbox.
pub(super) struct Output {
    logs: Arc<Logs>,
    group: String,
    stream: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The reading end of the process's stdout and stderr.
    pipe: Option<PipeReader>,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// The end of the log of the current invocation.
    tail: Vec<u8>,
}

impl Output {
    pub(super) fn new(logs: Arc<Logs>, group: String, stream: String) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self {
            logs,
            group,
            stream,
            state,
        })
    }

    /// The name of the log stream.
    pub(super) fn stream(&self) -> &str {
        &self.stream
    }

    /// Reads from this pipe from now on.
    pub(super) fn attach(&self, pipe: PipeReader) {
        self.state().pipe = Some(pipe);
    }

    /// Reads the pipe as long as a process has its other end. `receiver` is the same pipe as the attached one.
    pub(super) async fn pump(self: Arc<Self>, receiver: pipe::Receiver) {
        while receiver.readable().await.is_ok() {
            if !self.read_ready(&receiver) {
                return;
            }
        }
    }

    /// Reads what is ready; `false` at the end of the pipe. The state stays locked meanwhile, so that [`Self::drain`]
    /// cannot overtake.
    fn read_ready(&self, receiver: &pipe::Receiver) -> bool {
        let mut state = self.state();
        let mut chunk = vec![0; CHUNK];
        loop {
            match receiver.try_read(&mut chunk) {
                Ok(0) => return false,
                Ok(read) => self.take(&mut state, chunk.get(..read).unwrap_or_default()),
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Writes everything that the process has printed so far to the log, also a line without its end.
    pub(super) fn drain(&self) {
        let mut state = self.state();
        let mut chunk = vec![0; CHUNK];
        while let Some(read) = read_now(&mut state, &mut chunk) {
            self.take(&mut state, chunk.get(..read).unwrap_or_default());
        }
        if !state.line.is_empty() {
            let line = std::mem::take(&mut state.line);
            self.write(&mut state, &[&line]);
        }
    }

    /// Begins the log of an invocation.
    pub(super) fn begin(&self) {
        self.state().tail.clear();
    }

    /// The end of the log of the current invocation.
    pub(super) fn tail(&self) -> String {
        String::from_utf8_lossy(&self.state().tail).into_owned()
    }

    /// Writes lines of Lambda itself.
    pub(super) fn say(&self, lines: &[&str]) {
        let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
        self.write(&mut self.state(), &lines);
    }

    fn take(&self, state: &mut State, bytes: &[u8]) {
        let mut whole = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            state.line.extend_from_slice(part);
            if part.ends_with(b"\n") || state.line.len() >= LONGEST_LINE {
                whole.push(std::mem::take(&mut state.line));
            }
        }
        let lines: Vec<_> = whole.iter().map(Vec::as_slice).collect();
        self.write(state, &lines);
    }

    /// Writes lines to the log. If the log cannot be written, the function runs on without it.
    fn write(&self, state: &mut State, lines: &[&[u8]]) {
        // AWS does not keep empty lines.
        let lines = lines.iter().filter(|line| **line != b"\n");
        let texts: Vec<_> = lines.map(|line| String::from_utf8_lossy(line)).collect();
        if texts.is_empty() {
            return;
        }
        let now = now_millis();
        let events: Vec<_> = texts.iter().map(|text| (now, &**text)).collect();
        let _ = self.logs.append_all(&self.group, &self.stream, &events);
        for text in &texts {
            state.tail.extend_from_slice(text.as_bytes());
        }
        let excess = state.tail.len().saturating_sub(TAIL);
        state.tail.drain(..excess);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what the pipe has, without waiting; `None` if it has nothing.
fn read_now(state: &mut State, chunk: &mut [u8]) -> Option<usize> {
    let pipe = state.pipe.as_mut()?;
    loop {
        match pipe.read(chunk) {
            Ok(0) => return None,
            Ok(read) => return Some(read),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}
