//! The output of a function's process, which goes to the function's log, line by line, as it comes.

use std::{
    io::{ErrorKind, PipeReader, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustix::io::ioctl_fionread;
use tokio::{net::unix::pipe, task::yield_now};

use crate::{logs::Logs, names::now_millis};

/// The end of an invocation's log that its caller can ask for.
const TAIL: usize = 4 * 1024;
/// A longer line becomes several events.
const LONGEST_LINE: usize = 256 * 1024;
/// The bytes that are read at once. Each process has a buffer of this size.
const CHUNK: usize = 8 * 1024;

/// The log of one sandbox.
pub(super) struct Output {
    logs: Arc<Logs>,
    group: String,
    stream: String,
    /// False if the function's role may not write the log. As on AWS, the function runs without it then.
    is_kept: bool,
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
    /// The log of a sandbox. `is_kept` is false if nothing of it goes to the group.
    pub(super) fn new(logs: Arc<Logs>, group: String, stream: String, is_kept: bool) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self {
            logs,
            group,
            stream,
            is_kept,
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
        let mut chunk = vec![0; CHUNK];
        while receiver.readable().await.is_ok() {
            if !self.read_ready(&receiver, &mut chunk) {
                return;
            }
            // A process may print faster than this task reads.
            yield_now().await;
        }
    }

    /// Reads one chunk of what is ready; `false` at the end of the pipe. The state stays locked meanwhile, so that
    /// [`Self::drain`] cannot overtake.
    fn read_ready(&self, receiver: &pipe::Receiver, chunk: &mut [u8]) -> bool {
        let mut state = self.state();
        match receiver.try_read(chunk) {
            Ok(0) => false,
            Ok(read) => {
                self.take(&mut state, chunk.get(..read).unwrap_or_default());
                true
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    /// Writes everything that the process has printed so far to the log, also a line without its end. Output
    /// that the process prints meanwhile is left to [`Self::pump`].
    pub(super) fn drain(&self) {
        let mut state = self.state();
        let mut chunk = vec![0; CHUNK];
        let mut left = state.pipe.as_ref().map_or(0, waiting);
        while left > 0 {
            let most = left.min(chunk.len());
            let Some(read) = read_now(&mut state, chunk.get_mut(..most).unwrap_or_default()) else {
                break;
            };
            self.take(&mut state, chunk.get(..read).unwrap_or_default());
            left -= read;
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
        if self.is_kept {
            let _ = self.logs.append_all(&self.group, &self.stream, &events);
        }
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

/// The number of bytes in the pipe.
fn waiting(pipe: &PipeReader) -> usize {
    let bytes = ioctl_fionread(pipe).unwrap_or(0);
    usize::try_from(bytes).unwrap_or(usize::MAX)
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Write, pipe},
        thread,
    };

    use uuid::Uuid;

    use super::*;
    use crate::store::Store;

    /// A process that prints without end, until its pipe is gone.
    fn endless() -> (PipeReader, thread::JoinHandle<()>) {
        let (reader, mut writer) = pipe().unwrap();
        let lines = vec![b'\n'; CHUNK];
        let printer = thread::spawn(move || while writer.write_all(&lines).is_ok() {});
        (reader, printer)
    }

    #[tokio::test]
    async fn a_process_that_prints_without_end_holds_nobody_up() {
        let folder = std::env::temp_dir().join(format!("alpes-output-{}", Uuid::new_v4()));
        let logs = Logs::new(Arc::new(Store::in_memory(&folder).unwrap())).unwrap();
        let output = Output::new(logs, "g".into(), "s".into(), true);
        let (reader, printer) = endless();
        output.attach(reader.try_clone().unwrap());
        let receiver = pipe::Receiver::from_owned_fd(reader.into()).unwrap();
        let pump = tokio::spawn(output.clone().pump(receiver));
        for _ in 0..20 {
            yield_now().await;
            output.drain();
        }
        pump.abort();
        assert!(pump.await.unwrap_err().is_cancelled());
        drop(output);
        printer.join().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }
}
