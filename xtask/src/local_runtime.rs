//! Starts and stops the local runtime: one background process, found by its pid file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::iter;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::failure::{Explain, Result, fail};
use crate::http::request;
use crate::package::Built;
use crate::progress::step;
use crate::runtime_env::{Endpoint, STACK};
use crate::shell::{command, kill_group, output};
use crate::workspace::{Workspace, write};

/// The template's parameters here: the API is open, tests are allowed, and no consumer waits to fill a batch.
const PARAMETERS: [&str; 7] = [
    "Entorno=local",
    "Acceso=abierto",
    "Pruebas=true",
    "StepFunctions=true",
    "StreamMode=PROVISIONED",
    "BatchWindowSeconds=0",
    "ArchiveWindowSeconds=1",
];

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

/// A local runtime: where it runs, what it runs, and where its data is.
pub struct Runtime<'a> {
    pub endpoint: &'a Endpoint,
    /// The runtime's folder, for its pid, its log and its env file.
    pub folder: &'a Path,
    pub built: &'a Built,
    /// The folder of the runtime's data. It outlives the runtime.
    pub data: &'a Path,
    /// Another template than the project's own.
    pub template: Option<&'a Path>,
    /// The seed of the unkind choices, if the runtime is to make them.
    pub chaos: Option<&'a str>,
    /// Whose quotas the runtime enforces, if any: `aws`.
    pub quotas: Option<&'a str>,
    /// Parameters of the template, each as `NAME=VALUE`, in place of [`PARAMETERS`].
    pub parameters: &'a [String],
}

impl Runtime<'_> {
    /// Starts the runtime, which deploys the template, and returns its process. Under `Life::WithUs`, the caller must
    /// keep the returned process: the runtime stops when this value is dropped. If this folder's runtime is running
    /// already, the runtime deploys what has changed, and there is no process to return.
    pub fn start(&self, workspace: &Workspace, life: Life) -> Result<Option<Child>> {
        if running_pid(self.folder)?.is_some() {
            step(&format!("deploy to {}", self.endpoint.url), || {
                deploy_changes(self.endpoint)
            })?;
            return Ok(None);
        }
        must_be_free(self.endpoint)?;
        step(
            &format!("start the local runtime on port {}", self.endpoint.port),
            || self.spawn(workspace, life).map(Some),
        )
    }

    /// The outputs of the deployed template, one `NAME=VALUE` a line.
    pub fn outputs(&self) -> Result<String> {
        let url = format!("{}/_alpes/outputs", self.endpoint.url);
        let answer = request("GET", &url, None)?;
        let outputs: BTreeMap<String, String> = serde_json::from_str(&answer.body)
            .explain(format!("{url} answered {} {}", answer.status, answer.body))?;
        let lines = outputs
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"));
        Ok(lines.collect())
    }

    fn spawn(&self, workspace: &Workspace, life: Life) -> Result<Child> {
        fs::create_dir_all(self.folder)
            .explain(format!("Cannot make {}", self.folder.display()))?;
        let log =
            File::create(self.folder.join("log")).explain("Cannot make the runtime's log file")?;
        let mut program = self.program(workspace, life);
        program.stdin(match life {
            Life::WithUs => Stdio::piped(),
            Life::Background => Stdio::null(),
        });
        program.stdout(
            log.try_clone()
                .explain("Cannot write the runtime's log file")?,
        );
        // The runtime gets a process group of its own, so Ctrl-C in this terminal does not reach the runtime.
        let mut child = program
            .stderr(log)
            .process_group(0)
            .spawn()
            .explain("Cannot start the local runtime")?;
        write(&self.folder.join("pid"), child.id().to_string())?;
        let deadline = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", self.endpoint.port)).is_err() {
            if let Ok(Some(_)) = child.try_wait() {
                return self.failed();
            }
            if Instant::now() > deadline {
                stop(self.folder)?;
                return fail(
                    "The local runtime did not answer within a minute. See its log under .local/run.",
                );
            }
            sleep(Duration::from_millis(10));
        }
        Ok(child)
    }

    /// The words of the command that starts this runtime, in JSON, for a program that kills the runtime and starts it
    /// again on the same port and data.
    pub fn words(&self, workspace: &Workspace, life: Life) -> String {
        let program = self.program(workspace, life);
        let words = iter::once(program.get_program()).chain(program.get_args());
        let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
        json!(words).to_string()
    }

    fn program(&self, workspace: &Workspace, life: Life) -> Command {
        let mut program = command(&self.built.runtime, &["up", "--stack", STACK]);
        program.arg("--template");
        let own = workspace.path("infra/template.yaml");
        program.arg(self.template.unwrap_or(&own));
        program.arg("--artifacts").arg(&self.built.functions);
        program.arg("--data").arg(self.data);
        program.args(["--port", &self.endpoint.port.to_string()]);
        let name = |pair: &str| pair.split('=').next().map(str::to_owned);
        let others = PARAMETERS.into_iter().filter(|pair| {
            let replaced = |own: &String| name(own) == name(pair);
            !self.parameters.iter().any(replaced)
        });
        for parameter in others.chain(self.parameters.iter().map(String::as_str)) {
            program.args(["--parameter", parameter]);
        }
        if let Some(seed) = self.chaos {
            program.args(["--chaos", seed]);
        }
        if let Some(set) = self.quotas {
            program.args(["--quotas", set]);
        }
        if life == Life::WithUs {
            program.arg("--until-stdin-ends");
        }
        program
    }

    fn failed<T>(&self) -> Result<T> {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        fail(format!(
            "The local runtime ended as it started. It said:\n{}",
            tail(&log)
        ))
    }
}

/// Has a running runtime read its template and its artifacts again, and deploy what has changed.
pub fn deploy_changes(endpoint: &Endpoint) -> Result<()> {
    let answer = request("POST", &format!("{}/_alpes/deploy", endpoint.url), None)?;
    if answer.status == 200 {
        return Ok(());
    }
    fail(format!(
        "The local runtime could not deploy: {}",
        answer.body.trim()
    ))
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
    let alive = command_line(pid.trim())?.contains("alpes-local");
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

/// Stops a folder's runtime, which stops its functions. Returns true if a runtime was running.
pub fn stop(folder: &Path) -> Result<bool> {
    let Some(pid) = running_pid(folder)? else {
        return Ok(false);
    };
    for (signal, patience) in [("TERM", 8), ("KILL", 4)] {
        kill_group(&pid, signal)?;
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
