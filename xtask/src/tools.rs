//! The project's virtual environment in `.local/venv`. Nothing is installed outside of the project.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Result, fail};
use crate::progress::quiet_step;
use crate::shell::{capture, command, output, run};
use crate::workspace::{Workspace, write};

/// A set of packages that are installed together. `infra/local/` pins each with hashes.
#[derive(Clone, Copy)]
pub enum Set {
    /// The AWS CLI, with which deploy.sh deploys.
    Cli,
    /// cargo-lambda and zig, for builds for Amazon Linux. By far the largest set.
    Lambda,
    /// The checkers of the gate.
    Gate,
}

impl Set {
    fn file(self) -> &'static str {
        match self {
            Self::Cli => "requirements-cli.txt",
            Self::Lambda => "requirements-lambda.txt",
            Self::Gate => "requirements-gate.txt",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Cli => "the AWS CLI",
            Self::Lambda => "cargo-lambda and zig (450 MB)",
            Self::Gate => "the checkers",
        }
    }
}

/// Installs a set, unless the pinned packages are installed already. A stamp file has the requirements that were
/// installed.
pub fn install(workspace: &Workspace, set: Set) -> Result<()> {
    check_python(workspace)?;
    let requirements = workspace.path("infra/local").join(set.file());
    let stamp = workspace.local().join("venv").join(set.file());
    let Ok(pins) = fs::read_to_string(&requirements) else {
        return fail(format!("Cannot read {}.", requirements.display()));
    };
    // A virtual environment contains its own path, so it is made anew in a checkout that was moved.
    let wanted = format!("# {}\n{pins}", workspace.local().display());
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    quiet_step(&format!("install {}, into .local/venv", set.what()), || {
        environment(workspace)?;
        run(command(
            workspace.tool("python"),
            &["-m", "pip", "install", "--quiet"],
        )
        .args([
            "--disable-pip-version-check",
            "--require-hashes",
            "--requirement",
        ])
        .arg(&requirements))?;
        write(&stamp, &wanted)
    })
}

/// True if the virtual environment exists and was made for this folder.
fn is_made(workspace: &Workspace) -> bool {
    let made_for = fs::read_to_string(marker(workspace));
    workspace.tool("python").is_file()
        && made_for.is_ok_and(|made| made == workspace.local().display().to_string())
}

fn marker(workspace: &Workspace) -> PathBuf {
    workspace.local().join("venv/made-for")
}

/// Fails if there is no Python to install with.
pub fn check_python(workspace: &Workspace) -> Result<()> {
    if cfg!(windows) {
        return fail(
            "This needs bash and runs functions as processes: on Windows, work inside WSL.",
        );
    }
    if is_made(workspace) {
        return Ok(());
    }
    python().map(drop)
}

/// The path of the machine's Python.
fn python() -> Result<String> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".into());
    let check = "import sys; sys.exit(sys.version_info < (3, 10))";
    match output(&mut command(&python, &["-c", check])) {
        Ok(checked) if checked.status.success() => Ok(python),
        Ok(_) => fail(format!(
            "{python} is older than 3.10. Install a newer Python, or name one: PYTHON=/path/to/python3."
        )),
        Err(_) => fail(format!(
            "The AWS CLI and the checkers are written in Python, and '{python}' was not found. Install Python 3.10 or \
             later (with its venv module), or name one: PYTHON=/path/to/python3."
        )),
    }
}

fn environment(workspace: &Workspace) -> Result<()> {
    if is_made(workspace) {
        return Ok(());
    }
    let python = python()?;
    let folder = workspace.local().join("venv");
    let made = capture(command(&python, &["-m", "venv", "--clear"]).arg(&folder));
    if let Err(error) = made {
        return fail(format!(
            "A Python virtual environment could not be made. On Debian and Ubuntu its module is a package of its own: \
             apt-get install python3-venv. What Python said: {error}"
        ));
    }
    write(&marker(workspace), workspace.local().display().to_string())
}
