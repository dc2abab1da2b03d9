//! `up` and `down`: a runtime with everything deployed on it.

use std::path::Path;

use crate::args::Args;
use crate::deploy::Deployment;
use crate::failure::{Result, fail};
use crate::local_runtime::{self, Life};
use crate::package::{Arch, Build, package};
use crate::progress::{note, step};
use crate::runtime_env::{Endpoint, STACK, Target};
use crate::shell::{command, run};
use crate::workspace::Workspace;

const DEFAULT_PORT: u16 = 4566;

/// What kind of runtime, and who starts it.
enum Kind {
    /// We start the local runtime.
    Local,
    /// We start LocalStack's container.
    Docker,
    /// It runs already.
    Endpoint,
}

/// Brings a runtime up, and makes it the one that commands mean.
pub fn up(workspace: &Workspace, mut args: Args) -> Result<Target> {
    let on = args.choice("--on", &["local", "localstack"])?;
    let port = args.port()?;
    let given = args.option("--endpoint")?;
    let build = args.choice("--build", &["host", "lambda"])?;
    let arch = args.choice("--arch", &["x86_64", "arm64"])?;
    args.finish()?;

    let (kind, endpoint) = match (given, port, on.as_deref()) {
        (Some(_), Some(_), _) => {
            return fail("--endpoint has its port in it already: leave --port out.");
        }
        (Some(url), None, _) => (Kind::Endpoint, Endpoint::parse(&url)?),
        (None, port, Some("localstack")) => {
            (Kind::Docker, Endpoint::local(port.unwrap_or(DEFAULT_PORT)))
        }
        (None, port, _) => (Kind::Local, Endpoint::local(port.unwrap_or(DEFAULT_PORT))),
    };
    let build = match (build.as_deref(), &kind) {
        (Some("lambda"), Kind::Local) => {
            return fail("The local runtime runs functions built for this machine only.");
        }
        (Some("host"), Kind::Docker) => {
            return fail(
                "LocalStack's container runs Amazon Linux: it takes functions built with --build lambda.",
            );
        }
        (Some("host"), _) | (None, Kind::Local) => Build::Host,
        _ => Build::Lambda(Arch::parse(arch.as_deref())),
    };

    let zips = package(workspace, build, &workspace.functions()?)?;
    let folder = Target::folder(workspace, &endpoint);
    let (environment, ended_by, unless_same) = match kind {
        Kind::Local => {
            local_runtime::start(workspace, &endpoint, &folder, Life::Background)?;
            ("local", "process", true)
        }
        Kind::Docker => {
            docker_up(workspace, &endpoint)?;
            ("localstack", "docker", false)
        }
        Kind::Endpoint => ("localstack", "endpoint", false),
    };
    let deployment = Deployment {
        endpoint: &endpoint,
        folder: &folder,
        stack: STACK,
        environment,
        ended_by,
        build,
        zips: &zips,
    };
    let target = deployment.deploy(workspace, unless_same)?;
    target.save(workspace)?;
    Ok(target)
}

/// Starts the container, without its own deployment: the same steps follow here as anywhere else.
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
                .env("AEROALPES_DEPLOY_ON_START", "no");
            run(compose.env("LOCALSTACK_PORT", endpoint.port.to_string()))
        },
    )
}

/// Ends the runtime that the options name, or the current one, or with `--all` every one.
pub fn down(workspace: &Workspace, mut args: Args) -> Result<()> {
    let folders = if args.flag("--all") {
        args.finish()?;
        Target::all(workspace)?
    } else {
        let target = Target::select(workspace, &mut args)?;
        args.finish()?;
        vec![target.folder]
    };
    if folders.is_empty() {
        note("no runtime is up");
    }
    folders.iter().try_for_each(|folder| end(workspace, folder))
}

fn end(workspace: &Workspace, folder: &Path) -> Result<()> {
    let name = folder
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let Some(target) = Target::read(&folder.join("env"))? else {
        // Started, but never deployed to.
        local_runtime::stop(folder)?;
        let variables = Vec::new();
        let folder = folder.to_owned();
        return Target { folder, variables }.remove(workspace);
    };
    match target.get("AEROALPES_ENDED_BY")? {
        "docker" => step("stop LocalStack (docker compose)", || {
            run(command("docker", &["compose", "down", "--volumes"]).current_dir(&workspace.root))
        })?,
        "endpoint" => {
            let endpoint = Endpoint::parse(target.get("AWS_ENDPOINT_URL")?)?;
            let deployment = Deployment {
                endpoint: &endpoint,
                folder,
                stack: target.get("AEROALPES_STACK")?,
                environment: target.get("AEROALPES_ENVIRONMENT")?,
                ended_by: "endpoint",
                build: Build::Host,
                zips: folder,
            };
            if let Err(error) = deployment.teardown(workspace) {
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
