//! The command `bench`: builds the functions and the benchmark, and runs it on a local runtime that it starts and
//! stops.
//!
//! The benchmark is in `bench/`, a workspace of its own, so `cargo xtask test` does not compile the libraries with
//! which the benchmark compares this project.

use std::fs;
use std::path::{Path, PathBuf};

use command_line::Words;
use serde_json::{Value, json};

use crate::failure::{Explain, Result, fail};
use crate::functions::samples;
use crate::gate::tests;
use crate::local_runtime::{free_port, must_be_free};
use crate::own_runtime::OwnRuntime;
use crate::package::{Built, LOCAL_RUNTIME, RELEASE, cargo, cargo_build, program};
use crate::progress::{note, step};
use crate::runtime_env::{Endpoint, Target, port};
use crate::shell::{capture, command, run};
use crate::tools::{Set, install};
use crate::workspace::{Workspace, write};

/// The compression that cargo-lambda uses for zips.
const DEFLATE_LEVEL: &str = "6";
/// The names of the sample events to measure with. A function that has neither sample is measured with its first one.
const SAMPLES: [&str; 2] = ["crear_reserva", "reserva"];

/// The function that is not measured: the rebuilder runs for minutes, and only when an operator asks for it, so the
/// time of its start does not matter.
const ON_DEMAND: &str = "rebuilder";

/// The plot of a steady load.
const SOAK: &str = "docs/soak.svg";

struct Measured {
    name: String,
    binary: PathBuf,
    zip: PathBuf,
    event: PathBuf,
}

pub fn bench(workspace: &Workspace, words: &Words) -> Result<()> {
    let quick = words.flag("--quick");
    let port = port(words);
    if let Some(port) = port {
        must_be_free(&Endpoint::local(port))?;
    }
    install(workspace, Set::Gate)?;
    let (built, measured) = build(workspace)?;
    let port = port.map_or_else(free_port, Ok)?;
    if let Some(minutes) = words.value("--soak") {
        return soak(workspace, port, &built, minutes);
    }
    let program = build_bench(workspace)?;
    OwnRuntime::new("bench", port, &built).run(workspace, |_, target| {
        measure(workspace, &program, target, &measured, quick)
    })?;
    note("written: docs/benchmarks.md and .local/bench.json");
    Ok(())
}

/// Runs the release builds under a steady load for some minutes, and draws memory, latency and disk.
fn soak(workspace: &Workspace, port: u16, built: &Built, minutes: &str) -> Result<()> {
    let plot = workspace.path(SOAK);
    OwnRuntime::new("soak", port, built).run(workspace, |_, target| {
        step("a steady load", || {
            run(tests(workspace, &["soak"], &["--ignored", "--nocapture"])
                .env("ALPES_SOAK_MINUTES", minutes)
                .env("ALPES_SOAK_PLOT", &plot)
                .envs(target.variables.iter().cloned()))
        })
    })?;
    note(&format!("written: {SOAK}"));
    Ok(())
}

/// Builds all functions and the local runtime with `cargo build --release` for this machine, and zips the functions. Also
/// returns the functions to measure.
fn build(workspace: &Workspace) -> Result<(Built, Vec<Measured>)> {
    let functions = workspace.functions()?;
    let binaries = step("build the functions (cargo build --release)", || {
        cargo_build(workspace, &functions, &[RELEASE])
    })?;
    let runtime = step("build the local runtime (cargo build --release)", || {
        program(workspace, LOCAL_RUNTIME, &[RELEASE])
    })?;
    let zips = workspace.local().join("build/release");
    let measured = step("zip the functions", || {
        let mut measured = Vec::new();
        for (name, binary) in binaries {
            let zip = zips.join(format!("{name}.zip"));
            let mut pack = command(workspace.tool("python"), &[]);
            pack.arg(workspace.path("infra/local/zip_function.py"));
            run(pack.arg(&binary).arg(&zip).arg(DEFLATE_LEVEL))?;
            if name == ON_DEMAND {
                continue;
            }
            let event = event(&samples(workspace, &name)?);
            let Some(event) = event else {
                return fail(format!("functions/{name}/events has no sample."));
            };
            measured.push(Measured {
                name,
                binary,
                zip,
                event,
            });
        }
        measured.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(measured)
    })?;
    let built = Built {
        runtime,
        functions: zips,
    };
    Ok((built, measured))
}

/// The sample event for measuring a function.
fn event(samples: &[PathBuf]) -> Option<PathBuf> {
    let named = |name: &&str| {
        let mut samples = samples.iter();
        samples.find(|path| path.file_stem().is_some_and(|stem| stem == *name))
    };
    SAMPLES.iter().find_map(named).or(samples.first()).cloned()
}

/// Builds the benchmark, in a target folder next to the others.
fn build_bench(workspace: &Workspace) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.path("target"), PathBuf::from)
        .join("bench");
    step("build the benchmark, with its peers", || {
        let mut build = command(cargo(), &["build", "--quiet", "--release"]);
        build
            .arg("--manifest-path")
            .arg(workspace.path("bench/Cargo.toml"));
        run(build
            .arg("--target-dir")
            .arg(&target)
            .current_dir(&workspace.root))
    })?;
    Ok(target.join("release/bench"))
}

fn measure(
    workspace: &Workspace,
    program: &Path,
    target: &Target,
    measured: &[Measured],
    quick: bool,
) -> Result<()> {
    let scratch = target.folder.join("functions");
    fs::create_dir_all(&scratch).explain(format!("Cannot make {}", scratch.display()))?;
    let plan = scratch.join("plan.json");
    let functions: Vec<Value> = measured
        .iter()
        .map(|function| {
            json!({
                "name": function.name,
                "binary": function.binary,
                "zip": function.zip,
                "event": function.event,
            })
        })
        .collect();
    let environment: serde_json::Map<String, Value> = target
        .variables
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let python = workspace.tool("python");
    let content = json!({
        "root": workspace.root,
        "scratch": scratch,
        "quick": quick,
        "endpoint": target.get("AWS_ENDPOINT_URL")?,
        "api": target.get("ALPES_API_URL")?,
        "environment": environment,
        "python": python,
        "peer": peer(&python)?,
        "functions": functions,
    });
    write(&plan, content.to_string())?;
    step("measure", || {
        let mut bench = command(program, &[]);
        run(bench
            .arg(&plan)
            .envs(target.variables.iter().cloned())
            .env("RUST_LOG", "error"))
    })
}

/// The versions of the Python with which the benchmark compares the functions.
fn peer(python: &Path) -> Result<String> {
    let question = "import platform, importlib.metadata as m; print('Python', platform.python_version() + ', boto3', \
                    m.version('boto3'))";
    let answer = capture(&mut command(python, &["-c", question]))?;
    Ok(answer.trim().to_owned())
}
