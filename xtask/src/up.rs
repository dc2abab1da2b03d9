//! The commands `up` and `down`: start and stop a runtime with everything deployed on it.

use std::fs;
use std::path::{Path, PathBuf};

use command_line::Words;

use crate::access;
use crate::deploy::{Deployment, Stack};
use crate::failure::{Explain, Result, fail, wrong};
use crate::local_runtime::{self, Life, Runtime};
use crate::package::{Arch, Build, for_local_runtime, package};
use crate::progress::{note, step};
use crate::runtime_env::{Endpoint, STACK, Target, port};
use crate::shell::{capture, command, run};
use crate::tools::check_python;
use crate::workspace::Workspace;

const DEFAULT_PORT: u16 = 4566;

/// The kind of runtime.
enum Kind {
    /// The local runtime, which this tool starts.
    Local,
    /// LocalStack's container, which this tool starts.
    Docker,
    /// A runtime that already runs.
    Endpoint,
}

/// Starts a runtime, deploys to it, and makes it the default of commands.
pub fn up(workspace: &Workspace, words: &Words) -> Result<Target> {
    let here = || Endpoint::local(port(words).unwrap_or(DEFAULT_PORT));
    let (kind, endpoint) = match (words.value("--endpoint"), words.value("--on")) {
        (Some(url), _) => (Kind::Endpoint, Endpoint::parse(url)?),
        (None, Some("localstack")) => (Kind::Docker, here()),
        (None, _) => (Kind::Local, here()),
    };
    let arch = words.value("--arch");
    let build = match (words.value("--build"), &kind) {
        (Some("lambda"), Kind::Local) => {
            return wrong("The local runtime runs functions built for this machine only.");
        }
        (Some("host"), Kind::Docker) => {
            return wrong(
                "LocalStack's container runs Amazon Linux: it takes functions built with --build lambda.",
            );
        }
        (Some("host"), _) | (None, Kind::Local) if arch.is_some() => {
            return wrong("--arch is of a build for Amazon Linux: this one is for this machine.");
        }
        (Some("host"), _) | (None, Kind::Local) => Build::Host,
        _ => Build::Lambda(Arch::parse(arch)),
    };

    let folder = Target::folder(workspace, &endpoint);
    check(workspace, &kind, &endpoint, &folder)?;
    let (environment, ended_by) = match kind {
        Kind::Local => ("local", "process"),
        Kind::Docker => ("localstack", "docker"),
        Kind::Endpoint => ("localstack", "endpoint"),
    };
    let stack = Stack {
        endpoint: &endpoint,
        folder: &folder,
        name: STACK,
        environment,
        ended_by,
        build,
    };
    let before = Target::meant(workspace)?;
    let target = match kind {
        Kind::Local => local_up(workspace, &stack, words)?,
        Kind::Docker | Kind::Endpoint => {
            let zips = package(workspace, build, &workspace.functions()?)?;
            if ended_by == "docker" {
                docker_up(workspace, &endpoint)?;
            }
            let zips = &zips;
            Deployment { stack, zips }.deploy(workspace)?
        }
    };
    target.save(workspace)?;
    if let Some(before) = before
        && before.folder != target.folder
    {
        note(&format!("commands now use {} by default", endpoint.url));
        if before.is_up()? {
            let before = before.endpoint()?;
            note(&format!("for {} give them {}", before.url, before.option()));
        }
    }
    Ok(target)
}

/// Starts the local runtime, which deploys the template, or has a running one deploy what has changed.
fn local_up(workspace: &Workspace, stack: &Stack<'_>, words: &Words) -> Result<Target> {
    let built = for_local_runtime(workspace, &workspace.functions()?)?;
    // The command demo has no such option: its API is open.
    let access = words.command.option("--access");
    let access = access.and_then(|_| words.value("--access"));
    let parameters = match access {
        Some(access) if local_runtime::running_pid(stack.folder)?.is_none() => {
            access::parameters(workspace, access, stack.folder)?
        }
        _ => vec![],
    };
    let runtime = Runtime {
        endpoint: stack.endpoint,
        folder: stack.folder,
        built: &built,
        data: &data_folder(workspace, stack.endpoint),
        template: None,
        chaos: words.value("--chaos"),
        quotas: words.value("--quotas"),
        parameters: &parameters,
    };
    runtime.start(workspace, Life::Background)?;
    stack.target(&runtime.outputs()?)
}

/// The folder of a local runtime's data, which `down` keeps.
fn data_folder(workspace: &Workspace, endpoint: &Endpoint) -> PathBuf {
    workspace.local().join("data").join(endpoint.run_name())
}

/// Checks all conditions that can be checked before building or installing.
fn check(workspace: &Workspace, kind: &Kind, endpoint: &Endpoint, folder: &Path) -> Result<()> {
    if !matches!(kind, Kind::Local) {
        check_python(workspace)?;
    }
    match kind {
        Kind::Local if local_runtime::running_pid(folder)?.is_some() => Ok(()),
        Kind::Local => local_runtime::must_be_free(endpoint),
        Kind::Docker => {
            // `docker info` needs the daemon, not only the client.
            if let Err(error) = capture(&mut command("docker", &["info"])) {
                return fail(format!(
                    "LocalStack needs Docker, and none answers here. Start it, or use the local runtime, which needs \
                     none: cargo xtask up. What was tried: {error}"
                ));
            }
            let compose = &mut command("docker", &["compose", "ps", "--quiet"]);
            match capture(compose.current_dir(&workspace.root)) {
                Err(error) => fail(format!(
                    "LocalStack is started by docker compose, which does not work here: {error}"
                )),
                Ok(containers) if containers.trim().is_empty() => {
                    local_runtime::must_be_free(endpoint)
                }
                Ok(_) => Ok(()),
            }
        }
        Kind::Endpoint => endpoint.must_answer(),
    }
}

/// Starts LocalStack's container without the deployment that the container would do by itself, because `up` deploys.
fn docker_up(workspace: &Workspace, endpoint: &Endpoint) -> Result<()> {
    step(
        &format!(
            "start LocalStack on port {} (docker compose)",
            endpoint.port
        ),
        || {
            let mut compose = command("docker", &["compose", "up", "--detach", "--wait"]);
            compose
                .current_dir(&workspace.root)
                .env("ALPES_DEPLOY_ON_START", "no");
            run(compose.env("LOCALSTACK_PORT", endpoint.port.to_string()))
        },
    )
}

/// Stops the runtime that the options name, or the default one, or every one with `--all`.
pub fn down(workspace: &Workspace, words: &Words) -> Result<()> {
    let meant = Target::meant(workspace)?;
    let folders = if words.flag("--all") {
        Target::all(workspace)?
    } else {
        let endpoint = Endpoint::named(words)?;
        let folder = match &endpoint {
            // A runtime that was started and never deployed to has a folder too.
            Some(endpoint) => Some(Target::folder(workspace, endpoint)),
            None => meant.as_ref().map(|target| target.folder.clone()),
        };
        match folder {
            Some(folder) if endpoint.is_none() || folder.is_dir() => vec![folder],
            _ => return Target::absent(workspace, endpoint.as_ref()),
        }
    };
    if folders.is_empty() {
        note("no runtime is up");
    }
    for folder in &folders {
        end(workspace, folder)?;
        if words.flag("--forget") {
            forget(workspace, folder)?;
        }
    }
    if meant.is_some() && Target::meant(workspace)?.is_none() {
        mean_another(workspace)?;
    }
    Ok(())
}

/// Deletes the data of the local runtime whose folder this is.
fn forget(workspace: &Workspace, folder: &Path) -> Result<()> {
    let data = workspace.local().join("data");
    let data = data.join(folder.file_name().unwrap_or_default());
    if data.is_dir() {
        fs::remove_dir_all(&data).explain(format!("Cannot delete {}", data.display()))?;
    }
    Ok(())
}

/// If the default runtime was stopped, the one that was brought up before it becomes the default.
fn mean_another(workspace: &Workspace) -> Result<()> {
    let Some(other) = Target::up(workspace)?.pop() else {
        return Ok(());
    };
    other.mean(workspace)?;
    note(&format!(
        "commands now use {} by default",
        other.endpoint()?.url
    ));
    Ok(())
}

fn end(workspace: &Workspace, folder: &Path) -> Result<()> {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let Some(target) = Target::read(&folder.join("env"))? else {
        // The runtime was started, and nothing was deployed to it.
        local_runtime::stop(folder)?;
        let variables = Vec::new();
        let folder = folder.to_owned();
        return Target { folder, variables }.remove(workspace);
    };
    match target.get("ALPES_ENDED_BY")? {
        "docker" => step("stop LocalStack (docker compose)", || {
            run(command("docker", &["compose", "down", "--volumes"]).current_dir(&workspace.root))
        })?,
        "endpoint" => {
            let endpoint = Endpoint::parse(target.get("AWS_ENDPOINT_URL")?)?;
            let stack = Stack {
                endpoint: &endpoint,
                folder,
                name: target.get("ALPES_STACK")?,
                environment: target.get("ALPES_ENVIRONMENT")?,
                ended_by: "endpoint",
                build: Build::Host,
            };
            let zips = folder;
            if let Err(error) = (Deployment { stack, zips }).teardown(workspace) {
                note(&format!(
                    "the stack could not be removed, perhaps because nothing runs there now. {error}"
                ));
            }
        }
        _ => {
            let stopped = step(&format!("stop the local runtime on port {name}"), || {
                local_runtime::stop(folder)
            })?;
            if !stopped {
                note("it was not running");
            }
        }
    }
    target.remove(workspace)
}
