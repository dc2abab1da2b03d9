//! Runs other programs.

use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Output, Stdio};

use crate::failure::{Explain, Failure, Result, fail};

/// A command with its arguments.
pub fn command<P: AsRef<std::ffi::OsStr>>(program: P, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn name(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let file = program.file_name().unwrap_or(program.as_os_str());
    let first = command
        .get_args()
        .next()
        .map(|argument| argument.to_string_lossy().into_owned());
    format!("{} {}", file.to_string_lossy(), first.unwrap_or_default())
        .trim_end()
        .to_owned()
}

fn missing(command: &Command, error: &std::io::Error) -> String {
    let name = name(command);
    if error.kind() == ErrorKind::NotFound {
        format!("{name} could not be started: it is not installed, or not on the PATH")
    } else {
        format!("{name} could not be started")
    }
}

/// Runs a command on this terminal.
fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().or_else(|error| {
        let text = missing(command, &error);
        Err(error).explain(text)
    })
}

/// Runs a command on this terminal. Fails if the command fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if status.success() {
        Ok(())
    } else {
        fail(format!(
            "{} failed ({status}). Its own messages are above.",
            name(command)
        ))
    }
}

/// Runs a command and shows its output, until a line of its output is enough: then the command and all that it started
/// are killed. True if the command was killed or failed.
pub fn fails_or_says(command: &mut Command, enough: impl Fn(&str) -> bool) -> Result<bool> {
    let text = name(command);
    let child = command.stdout(Stdio::piped()).process_group(0).spawn();
    let mut child = child.explain(format!("{text} could not be started"))?;
    let output = child.stdout.take().into_iter();
    for line in output.flat_map(|output| BufReader::new(output).lines()) {
        let line = line.explain(format!("The output of {text} cannot be read"))?;
        println!("{line}");
        if enough(&line) {
            kill_group(&child.id().to_string(), "KILL")?;
            break;
        }
    }
    let status = child.wait().explain(format!("{text} has no end"))?;
    Ok(!status.success())
}

/// Sends a signal to a process and all that it started in its group. True if there was one.
pub fn kill_group(pid: &str, signal: &str) -> Result<bool> {
    // Bash's built-in `kill`, because container images without `ps` also lack the program `kill`.
    let mut kill = command("bash", &["-c", &format!("kill -{signal} -- -{pid}")]);
    Ok(output(&mut kill)?.status.success())
}

/// Runs a command on this terminal in place of this program. The command prints its own errors, and its exit code
/// becomes the exit code of this program.
pub fn stand_in(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    match status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Told(u8::try_from(code).unwrap_or(1))),
        None => fail(format!("{} was ended ({status}).", name(command))),
    }
}

/// Runs a command quietly. Returns its output, whatever its exit status.
pub fn output(command: &mut Command) -> Result<Output> {
    let result = command.stdin(Stdio::null()).output();
    match result {
        Ok(output) => Ok(output),
        Err(error) => {
            let text = missing(command, &error);
            Err(error).explain(text)
        }
    }
}

/// Runs a command quietly and returns its standard output. If the command fails, the error has its standard error.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    fail(format!(
        "{} failed ({}): {}",
        name(command),
        output.status,
        said.trim()
    ))
}
