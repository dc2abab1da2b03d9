//! A function as a process, with its memory and processor time as the kernel counts them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::runtime_api::{RuntimeApi, Said};

const PATIENCE: Duration = Duration::from_secs(30);

/// How to start a function.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: String,
    pub command: Vec<PathBuf>,
    pub environment: BTreeMap<String, String>,
    /// The folder for the program's output.
    pub scratch: PathBuf,
}

/// A running function that waits for an event.
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
    api: RuntimeApi,
    waiting: Sender<Arc<str>>,
    /// The time from just before the process was spawned until it asked for its first event.
    pub to_next: Duration,
}

impl Program {
    /// The same program with further environment variables.
    pub fn with(&self, variables: &BTreeMap<String, String>) -> Self {
        let mut program = self.clone();
        let variables = variables.iter();
        program
            .environment
            .extend(variables.map(|(name, value)| (name.clone(), value.clone())));
        program
    }

    /// Starts the program with Lambda's environment variables and the program's own, without the variables of this
    /// process.
    pub fn start(&self) -> Result<Process> {
        let (program, arguments) = self.command.split_first().context("nothing to start")?;
        let api = RuntimeApi::start()?;
        let log = self.scratch.join(format!("{}.log", self.name));
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", api.address.to_string()),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            (
                "AWS_LAMBDA_LOG_GROUP_NAME",
                format!("/aws/lambda/{}", self.name),
            ),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".to_owned()),
            ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("LANG", "en_US.UTF-8".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ];
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(lambda);
        command.envs(&self.environment).stdin(Stdio::null());
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        let before = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        let mut child = Some(child);
        match api.said.recv_timeout(PATIENCE) {
            Ok(Said::Next(at, waiting)) => Ok(Process {
                name: self.name.clone(),
                log,
                child: child.take().context("it was just started")?,
                api,
                waiting,
                to_next: at.duration_since(before),
            }),
            other => {
                if let Some(mut child) = child {
                    end(&mut child);
                }
                let why = match other {
                    Ok(Said::Failure(text)) => text,
                    Ok(_) => "it answered without an event".to_owned(),
                    Err(_) => format!("it did not ask for an event within {PATIENCE:?}"),
                };
                bail!(
                    "{} did not start: {why}. It said:\n{}",
                    self.name,
                    tail(&log)
                );
            }
        }
    }
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(15);
    lines.get(from..).unwrap_or_default().join("\n")
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

impl Process {
    /// Sends an event to the function, and returns the time until its answer.
    pub fn invoke(&mut self, event: &Arc<str>) -> Result<Duration> {
        let before = Instant::now();
        self.waiting
            .send(event.clone())
            .map_err(|_| anyhow::anyhow!("{} is gone. It said:\n{}", self.name, tail(&self.log)))?;
        let mut taken = None;
        loop {
            match self.api.said.recv_timeout(PATIENCE) {
                Ok(Said::Answer(at, body)) => {
                    refuse_errors(&self.name, &body)?;
                    taken = Some(at.duration_since(before));
                }
                Ok(Said::Next(_, waiting)) => {
                    self.waiting = waiting;
                    return taken.with_context(|| format!("{} did not answer", self.name));
                }
                Ok(Said::Failure(text)) => bail!("{} failed: {text}", self.name),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => bail!(
                    "{} did not answer within {PATIENCE:?}. It said:\n{}",
                    self.name,
                    tail(&self.log)
                ),
            }
        }
    }

    /// The process's current resident memory, in MB of 1,048,576 bytes.
    pub fn resident(&self) -> Result<f64> {
        let file = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
        resident(&text).with_context(|| format!("{file} has no VmRSS"))
    }

    /// The processor time of all threads of the process since its start.
    pub fn on_cpu(&self) -> Result<Duration> {
        let folder = format!("/proc/{}/task", self.child.id());
        let mut nanoseconds = 0;
        for thread in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
            let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            let first = text.split_whitespace().next();
            nanoseconds += first.and_then(|word| word.parse().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }
}

fn resident(status: &str) -> Option<f64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(f64::from(kilobytes) / 1024.0)
}

/// Fails if the status of an HTTP answer is an error.
fn refuse_errors(name: &str, body: &str) -> Result<()> {
    let answer: Value = serde_json::from_str(body).unwrap_or_default();
    match answer.get("statusCode").and_then(Value::as_u64) {
        Some(400..) => bail!("{name} refused its sample event: {body}"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_resident_memory() {
        let status = "Name:\tprojector\nVmHWM:\t   20480 kB\nVmRSS:\t   15360 kB\nThreads:\t1\n";
        assert_eq!(resident(status), Some(15.0));
        assert_eq!(resident("Name:\tzombie\n"), None);
    }

    #[test]
    fn refusals_are_not_measured() {
        assert!(refuse_errors("f", r#"{"statusCode":202,"body":""}"#).is_ok());
        assert!(refuse_errors("f", r#"{"batchItemFailures":[]}"#).is_ok());
        assert!(refuse_errors("f", r#"{"statusCode":503}"#).is_err());
    }
}
