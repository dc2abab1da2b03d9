//! Starts and stops the local runtime: one background process, found by its pid file.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::failure::{Explain, Result, fail};
use crate::progress::{note, step};
use crate::runtime_env::Endpoint;
use crate::shell::{command, output};
use crate::tools::{Set, install};
use crate::workspace::{Workspace, write};

/// The lifetime of a local runtime.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The runtime runs until the command `down`.
    Background,
    /// The runtime runs until its handle is dropped, and never longer than this process. The runtime reads a pipe whose
    /// other end only this process holds, and stops when the pipe closes. So Ctrl-C in a test leaves no process behind,
    /// without a signal handler.
    WithUs,
}

/// A free port, chosen by the operating system.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).explain("No free port on 127.0.0.1")?;
    Ok(listener
        .local_addr()
        .explain("No free port on 127.0.0.1")?
        .port())
}

/// Fails if a process listens on this port of this machine.
pub fn must_be_free(endpoint: &Endpoint) -> Result<()> {
    if !endpoint.answers() {
        return Ok(());
    }
    fail(format!(
        "Port {} is taken by another program (a LocalStack, perhaps, or a runtime of another checkout). Stop it, or \
         choose another port: --port {}. To deploy to what runs there: cargo xtask up --endpoint {}",
        endpoint.port,
        endpoint.port.saturating_add(1),
        endpoint.url
    ))
}

/// Starts the runtime, and returns its process. Under `Life::WithUs`, the caller must keep the returned process: the
/// runtime stops when this value is dropped. Returns `None` if this folder's runtime is running already.
pub fn start(
    workspace: &Workspace,
    endpoint: &Endpoint,
    folder: &Path,
    life: Life,
) -> Result<Option<Child>> {
    install(workspace, Set::Runtime)?;
    if running_pid(folder)?.is_some() {
        note(&format!(
            "the local runtime is already running at {}",
            endpoint.url
        ));
        return Ok(None);
    }
    must_be_free(endpoint)?;
    step(
        &format!("start the local runtime on port {}", endpoint.port),
        || {
            if folder.is_dir() {
                fs::remove_dir_all(folder).explain(format!("Cannot empty {}", folder.display()))?;
            }
            fs::create_dir_all(folder).explain(format!("Cannot make {}", folder.display()))?;
            let log =
                File::create(folder.join("log")).explain("Cannot make the runtime's log file")?;
            let mut launcher = command(workspace.tool("python"), &[]);
            launcher.arg(workspace.path("infra/local/run_ministack.py"));
            launcher.arg(endpoint.port.to_string()).arg(folder);
            launcher.stdin(if life == Life::WithUs {
                Stdio::piped()
            } else {
                Stdio::null()
            });
            if life == Life::WithUs {
                launcher.arg("--until-stdin-ends");
            }
            launcher.stdout(
                log.try_clone()
                    .explain("Cannot write the runtime's log file")?,
            );
            // The runtime gets a process group of its own. So Ctrl-C in this terminal does not reach the runtime, and
            // stopping the group stops the runtime's functions too.
            let mut child = launcher
                .stderr(log)
                .process_group(0)
                .spawn()
                .explain("Cannot start the local runtime")?;
            write(&folder.join("pid"), child.id().to_string())?;
            let deadline = Instant::now() + Duration::from_mins(1);
            while TcpStream::connect(("127.0.0.1", endpoint.port)).is_err() {
                if let Ok(Some(status)) = child.try_wait() {
                    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
                    return fail(format!(
                        "The local runtime ended as it started ({status}). It said:\n{}",
                        tail(&log)
                    ));
                }
                if Instant::now() > deadline {
                    stop(folder)?;
                    return fail(
                        "The local runtime did not answer within a minute. See its log under .local/run.",
                    );
                }
                sleep(Duration::from_millis(50));
            }
            Ok(Some(child))
        },
    )
}

fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines
        .get(lines.len().saturating_sub(15)..)
        .unwrap_or_default()
        .join("\n")
}

/// The pid of a folder's runtime, if the runtime runs. Another program may have this pid by now, so the command line is
/// compared too.
pub fn running_pid(folder: &Path) -> Result<Option<String>> {
    let Ok(pid) = fs::read_to_string(folder.join("pid")) else {
        return Ok(None);
    };
    let alive = command_line(pid.trim())?.contains("run_ministack.py");
    Ok(alive.then(|| pid.trim().to_owned()))
}

/// The command line of a process; empty if the process has ended or is about to end. The text comes from `/proc`,
/// because small container images have no `ps`.
fn command_line(pid: &str) -> Result<String> {
    if Path::new("/proc/self/cmdline").exists() {
        let read = fs::read_to_string(format!("/proc/{pid}/cmdline"));
        return Ok(read.unwrap_or_default());
    }
    let shown = output(&mut command("ps", &["-o", "command=", "-p", pid]))?;
    Ok(String::from_utf8_lossy(&shown.stdout).into_owned())
}

/// True if a process has ended or is a zombie: it then holds no resource any more, in particular no port. An empty
/// command line does not show this, because it becomes empty a moment before the process's sockets are closed.
fn has_ended(pid: &str) -> Result<bool> {
    if !Path::new("/proc/self/task").exists() {
        let shown = output(&mut command("ps", &["-o", "stat=", "-p", pid]))?;
        let state = String::from_utf8_lossy(&shown.stdout).into_owned();
        return Ok(state.trim().is_empty() || state.trim().starts_with('Z'));
    }
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    Ok(threads.into_iter().flatten().flatten().all(|thread| {
        // The file has PID (COMMAND) STATE …, and the command may contain any character.
        let read = fs::read_to_string(thread.path().join("stat"));
        let state = read
            .ok()
            .and_then(|stat| stat.rsplit_once(") ")?.1.chars().next());
        matches!(state, None | Some('Z' | 'X'))
    }))
}

/// Stops a folder's runtime and its functions. Returns true if a runtime was running.
pub fn stop(folder: &Path) -> Result<bool> {
    let Some(pid) = running_pid(folder)? else {
        return Ok(false);
    };
    for (signal, patience) in [("TERM", 8), ("KILL", 4)] {
        // Use bash's built-in `kill`, because container images without `ps` also lack the program `kill`.
        output(&mut command(
            "bash",
            &["-c", &format!("kill -{signal} -- -{pid}")],
        ))?;
        let deadline = Instant::now() + Duration::from_secs(patience);
        while Instant::now() < deadline {
            if has_ended(&pid)? {
                return Ok(true);
            }
            sleep(Duration::from_millis(50));
        }
    }
    fail(format!("Process {pid}, the local runtime, does not stop."))
}
