//! The process of a sandbox: it leads a process group of its own, and has a Runtime API of its own.

use std::{
    fs,
    io::{self, ErrorKind},
    path::Path,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    net::{TcpListener, unix::pipe},
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout_at},
};

use super::{
    environment,
    output::Output,
    runtime_api::{Call, RuntimeApi},
};
use crate::{
    http::{listen, serve},
    iam::Keys,
    lambda::{code::BOOTSTRAP, registry::Deployment},
};

/// A process. Dropping it kills its process group.
pub(super) struct Process {
    pid: u32,
    child: Child,
    calls: mpsc::Receiver<Call>,
    tasks: [JoinHandle<()>; 2],
    frozen: bool,
    ended: bool,
}

/// The next act of a process.
pub(super) enum Happening {
    /// It calls the Runtime API.
    Called(Call),
    /// It ends.
    Exited(ExitStatus),
    /// Neither, and the time is over.
    OutOfTime,
}

impl Process {
    /// Starts a function's program.
    pub(super) async fn start(
        deployment: &Deployment,
        keys: &Keys,
        endpoint: &str,
        output: &Arc<Output>,
    ) -> io::Result<Self> {
        let listener = listen(0).await?;
        let address = listener.local_addr()?.to_string();
        let variables =
            environment::variables(deployment, keys, endpoint, &address, output.stream());
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(deployment.folder.join(BOOTSTRAP));
        command
            .current_dir(&deployment.folder)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .kill_on_drop(true);
        output.attach(reader.try_clone()?);
        let receiver = pipe::Receiver::from_owned_fd(reader.into())?;
        let child = spawn(&mut command).await?;
        let pid = child
            .id()
            .ok_or_else(|| io::Error::from(ErrorKind::NotFound))?;
        let pump = tokio::spawn(output.clone().pump(receiver));
        let (api, calls) = runtime_api(listener);
        Ok(Self {
            pid,
            child,
            calls,
            tasks: [pump, api],
            frozen: false,
            ended: false,
        })
    }

    /// The id of the process, and of its group.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process does something.
    pub(super) async fn happening(&mut self, until: Instant) -> Happening {
        let happening = timeout_at(until, async {
            tokio::select! {
                // An answer counts if the process ends right after it.
                biased;
                Some(call) = self.calls.recv() => Happening::Called(call),
                status = self.child.wait() => Happening::Exited(status.unwrap_or_default()),
            }
        });
        let happening = happening.await.unwrap_or(Happening::OutOfTime);
        if matches!(happening, Happening::Exited(_)) {
            self.end();
        }
        happening
    }

    /// Whether the process has ended.
    pub(super) fn has_exited(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Stops the processes of the group until [`Self::thaw`].
    pub(super) fn freeze(&mut self) {
        self.frozen = true;
        self.signal(Signal::STOP);
    }

    /// Lets the processes of the group run again.
    pub(super) fn thaw(&mut self) {
        if std::mem::take(&mut self.frozen) {
            self.signal(Signal::CONT);
        }
    }

    /// Kills the processes of the group, and waits until this process is gone.
    pub(super) async fn die(&mut self) {
        self.end();
        // A process whose status is unknown is gone too.
        let _ = self.child.wait().await;
    }

    /// Kills the processes of the group.
    pub(super) fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.signal(Signal::KILL);
        }
    }

    /// The most memory that the process has used, in bytes, if it runs.
    pub(super) fn memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1_024)
    }

    /// Sends a signal to the group. A group that is gone needs none.
    fn signal(&self, signal: Signal) {
        let _ = signal_group(self.pid, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Kills a process group.
pub(in crate::lambda) fn kill_group(pid: u32) {
    // A group that is gone needs no signal.
    let _ = signal_group(pid, Signal::KILL);
}

fn signal_group(pid: u32, signal: Signal) -> rustix::io::Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.map_or(Ok(()), |pid| kill_process_group(pid, signal))
}

fn runtime_api(listener: TcpListener) -> (JoinHandle<()>, mpsc::Receiver<Call>) {
    let (calls, received) = mpsc::channel(8);
    let server = tokio::spawn(serve(listener, Arc::new(RuntimeApi { calls })));
    (server, received)
}

/// Starts the program. While another thread starts a process too, that process may have the program's file open for a
/// moment, as it was written; then the system refuses to run it.
async fn spawn(command: &mut Command) -> io::Result<Child> {
    for _ in 0..50 {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {
                sleep(Duration::from_millis(10)).await;
            }
            result => return result,
        }
    }
    command.spawn()
}

/// Kills the processes that an earlier runtime has left behind: those whose code is in this folder, by their
/// environment, which their own children have inherited.
pub(in crate::lambda) fn kill_leftovers(functions: &Path) {
    let mut mark = b"LAMBDA_TASK_ROOT=".to_vec();
    mark.extend_from_slice(functions.as_os_str().as_encoded_bytes());
    mark.push(b'/');
    let Ok(entries) = fs::read_dir("/proc") else {
        return;
    };
    for entry in entries.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let ours = variables.any(|variable| variable.starts_with(&mark));
        if let (true, Some(pid)) = (ours, Pid::from_raw(pid)) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
