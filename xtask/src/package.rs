//! Builds the functions. Their binaries have the name `bootstrap`, which Lambda's custom runtime starts: the local
//! runtime takes a folder for each function, and every other runtime a zip.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::failure::{Explain, Result, fail};
use crate::progress::{note, step};
use crate::shell::{capture, command, run};
use crate::tools::{Set, install};
use crate::workspace::Workspace;

/// The package and the binary of the local runtime.
pub const LOCAL_RUNTIME: &str = "alpes-local";
/// The package and the binary of the commands that operate the system.
pub const OPS: &str = "ops";

/// The option of cargo for the build that is deployed to AWS.
pub const RELEASE: &str = "--release";

/// A build that takes longer than this is announced.
const A_WHILE: Duration = Duration::from_secs(2);

/// The target of a build of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// A build for this machine, with plain cargo in the dev profile.
    Host,
    /// A build for Amazon Linux, by `cargo lambda build --release`.
    Lambda(Arch),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    X86_64,
    Arm64,
}

impl Arch {
    pub fn parse(text: Option<&str>) -> Self {
        match text {
            Some("arm64") => Self::Arm64,
            None if cfg!(target_arch = "aarch64") => Self::Arm64,
            Some(_) | None => Self::X86_64,
        }
    }

    /// The name of the architecture in Lambda and in the template.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl Build {
    pub fn arch(self) -> Arch {
        match self {
            Self::Host => Arch::parse(None),
            Self::Lambda(arch) => arch,
        }
    }

    /// The folder of this build's zips.
    pub fn folder(self, workspace: &Workspace) -> PathBuf {
        let name = match self {
            Self::Host => "host".to_owned(),
            Self::Lambda(arch) => format!("lambda-{}", arch.name()),
        };
        workspace.local().join("build").join(name)
    }
}

/// The programs for starting a local runtime: its own, and those of the functions.
pub struct Built {
    /// The local runtime's program.
    pub runtime: PathBuf,
    /// The folder with a bootstrap or a zip for each function.
    pub functions: PathBuf,
}

/// Builds these functions and the local runtime for this machine, and also `ops`, which the next commands need. Each
/// function gets a folder.
pub fn for_local_runtime(workspace: &Workspace, functions: &[String]) -> Result<Built> {
    let runtime = workspace.local().join("build").join(LOCAL_RUNTIME);
    let folder = Build::Host.folder(workspace);
    let mut wanted = functions.to_vec();
    wanted.extend([LOCAL_RUNTIME, OPS].map(str::to_owned));
    let binaries = step(
        "build the functions and the local runtime (cargo build)",
        || cargo_build(workspace, &wanted, &[]),
    )?;
    for (name, binary) in binaries {
        match name.as_str() {
            LOCAL_RUNTIME => place(&binary, &runtime)?,
            OPS => {}
            _ => place(&binary, &folder.join(name).join("bootstrap"))?,
        }
    }
    Ok(Built {
        runtime,
        functions: folder,
    })
}

/// Puts a binary at a path, by a hard link where the file system can, so that it takes no room.
fn place(binary: &Path, at: &Path) -> Result<()> {
    let cannot = || format!("Cannot write {}", at.display());
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder).explain(cannot())?;
    }
    // A running program keeps the file that it was started from.
    let _ = fs::remove_file(at);
    fs::hard_link(binary, at)
        .or_else(|_| fs::copy(binary, at).map(drop))
        .explain(cannot())
}

/// Builds and zips these functions. Returns the folder of the zips.
pub fn package(workspace: &Workspace, build: Build, functions: &[String]) -> Result<PathBuf> {
    install(workspace, Set::Cli)?;
    let folder = build.folder(workspace);
    match build {
        Build::Host => {
            let binaries = step("build the functions (cargo build)", || {
                cargo_build(workspace, functions, &[])
            })?;
            step("zip the functions", || {
                let mut children = Vec::new();
                for (function, binary) in &binaries {
                    let mut zip = command(workspace.tool("python"), &[]);
                    zip.arg(workspace.path("infra/local/zip_function.py"))
                        .arg(binary);
                    zip.arg(folder.join(format!("{function}.zip")));
                    children.push((function, zip.spawn().explain("Cannot start Python")?));
                }
                for (function, mut child) in children {
                    if !child.wait().is_ok_and(|status| status.success()) {
                        return fail(format!(
                            "{function} could not be zipped. Python's messages are above."
                        ));
                    }
                }
                Ok(())
            })?;
        }
        Build::Lambda(arch) => {
            install(workspace, Set::Lambda)?;
            step(
                &format!("build the functions for Amazon Linux, {}", arch.name()),
                || cargo_lambda_build(workspace, arch, functions, &folder),
            )?;
        }
    }
    Ok(folder)
}

/// Builds a program of the workspace that runs commands, and returns its path. Prints a line if the build takes longer
/// than 2 seconds.
pub fn program(workspace: &Workspace, package: &str, options: &[&str]) -> Result<PathBuf> {
    let (built, waits) = mpsc::channel::<()>();
    let what = format!("cargo compiles {package}: the first time that takes a while");
    let told = thread::spawn(move || {
        if waits.recv_timeout(A_WHILE) == Err(RecvTimeoutError::Timeout) {
            note(&what);
        }
    });
    let mut quietly = vec!["--quiet"];
    quietly.extend(options);
    let binaries = cargo_build(workspace, &[package.to_owned()], &quietly);
    drop(built);
    let _ = told.join(); // a note that cannot be printed is no reason to stop
    match binaries?.into_iter().find(|(name, _)| name == package) {
        Some((_, binary)) => Ok(binary),
        None => fail(format!("cargo built no binary named '{package}'.")),
    }
}

/// The packages that cargo must select to build the `wanted` ones. Cargo unifies the features of all selected packages.
/// So every build but a release selects the functions, `ops` and the local runtime: with another selection, cargo would
/// compile most dependencies again with other features.
fn selected(workspace: &Workspace, wanted: &[String]) -> Result<BTreeSet<String>> {
    let mut selected = BTreeSet::from([OPS, LOCAL_RUNTIME].map(str::to_owned));
    selected.extend(workspace.functions()?);
    selected.extend(wanted.iter().cloned());
    Ok(selected)
}

/// Builds packages for this machine. Returns each package with its binary.
pub fn cargo_build(
    workspace: &Workspace,
    functions: &[String],
    options: &[&str],
) -> Result<Vec<(String, PathBuf)>> {
    let mut cargo = command(
        cargo(),
        &["build", "--message-format=json-render-diagnostics"],
    );
    cargo.args(options);
    // A release build selects only the packages that it builds, so that no feature is on that is off on AWS.
    let selected = if options.contains(&RELEASE) {
        functions.iter().cloned().collect()
    } else {
        selected(workspace, functions)?
    };
    for package in selected {
        cargo.args(["--package", &package]);
    }
    for function in functions {
        cargo.args(["--bin", function]);
    }
    let output = cargo
        .current_dir(&workspace.root)
        .stderr(Stdio::inherit())
        .output()
        .explain("cargo could not be started")?;
    if !output.status.success() {
        return fail("It does not compile. The compiler's messages are above.");
    }
    let found = executables(&String::from_utf8_lossy(&output.stdout));
    for function in functions {
        if !found.iter().any(|(name, _)| name == function) {
            return fail(format!(
                "cargo built no binary named '{function}'. Package and binary of a function carry its folder's name."
            ));
        }
    }
    Ok(found)
}

/// The binaries in cargo's output, each with name and path, whether new or already built.
fn executables(messages: &str) -> Vec<(String, PathBuf)> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let path = message.get("executable")?.as_str()?;
            let name = message.get("target")?.get("name")?.as_str()?;
            Some((name.to_owned(), PathBuf::from(path)))
        })
        .collect()
}

fn cargo_lambda_build(
    workspace: &Workspace,
    arch: Arch,
    functions: &[String],
    folder: &Path,
) -> Result<()> {
    let built = workspace
        .local()
        .join("build")
        .join(format!("cargo-lambda-{}", arch.name()));
    let mut cargo = command(
        workspace.tool("cargo-lambda"),
        &["lambda", "build", RELEASE],
    );
    cargo.args(["--output-format", "zip"]);
    cargo.arg(if arch == Arch::Arm64 {
        "--arm64"
    } else {
        "--x86-64"
    });
    cargo.arg("--lambda-dir").arg(&built);
    for function in functions {
        cargo.args(["--package", function, "--bin", function]);
    }
    // cargo-lambda finds zig through `python -m ziglang`, so the virtual environment's Python must come first.
    run(cargo
        .current_dir(&workspace.root)
        .env("PATH", tool_path(workspace)))?;
    fs::create_dir_all(folder).explain(format!("Cannot make {}", folder.display()))?;
    for function in functions {
        let zip = built.join(function).join("bootstrap.zip");
        fs::copy(&zip, folder.join(format!("{function}.zip")))
            .explain(format!("Cannot copy {}", zip.display()))?;
    }
    Ok(())
}

/// The `PATH` with the project's own tools first.
pub fn tool_path(workspace: &Workspace) -> String {
    let own = workspace.local().join("venv/bin");
    let rest = std::env::var("PATH").unwrap_or_default();
    format!("{}:{rest}", own.display())
}

/// The path of the cargo that runs this program, so that one toolchain builds everything.
pub fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".into())
}

/// Replaces a function's code by a zip at once, without CloudFormation.
pub fn replace_code(
    workspace: &Workspace,
    function: &str,
    zip: &Path,
    environment: &[(String, String)],
) -> Result<()> {
    let mut aws = command(workspace.tool("aws"), &["lambda", "update-function-code"]);
    aws.args(["--function-name", function, "--zip-file"]);
    aws.arg(format!("fileb://{}", zip.display()))
        .envs(environment.iter().cloned());
    capture(&mut aws).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executables_are_taken_from_what_cargo_says() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"events"},"executable":null}
not json
{"reason":"compiler-artifact","target":{"name":"projector"},"executable":"/t/debug/projector"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(
            executables(messages),
            [("projector".to_owned(), PathBuf::from("/t/debug/projector"))]
        );
    }
}
