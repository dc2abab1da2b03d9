//! The command `test`, the gate: everything that a change must pass, ordered so that failures come early.

use std::path::PathBuf;
use std::process::Command;

use command_line::Words;

use crate::authorizer;
use crate::chaos;
use crate::deploy::{Deployment, Stack};
use crate::failure::Result;
use crate::grants;
use crate::local_runtime::{Life, free_port};
use crate::npm;
use crate::openapi;
use crate::own_runtime::OwnRuntime;
use crate::package::{Arch, Build, Built, cargo, for_local_runtime, package, tool_path};
use crate::progress::{note, step};
use crate::runtime_env::{Endpoint, Target};
use crate::shell::{capture, command, output, run};
use crate::simulate;
use crate::tools::{Set, check_python, install};
use crate::workspace::Workspace;

pub fn test(workspace: &Workspace, words: &Words) -> Result<()> {
    if let Some(url) = words.value("--endpoint") {
        let endpoint = Endpoint::parse(url)?;
        endpoint.must_answer()?;
        let build = match words.value("--build") {
            Some("lambda") => Build::Lambda(Arch::parse(words.value("--arch"))),
            _ => Build::Host,
        };
        return at_endpoint(workspace, &endpoint, build);
    }
    if words.flag("--crash") {
        let built = for_local_runtime(workspace, &workspace.functions()?)?;
        return crash(workspace, &built);
    }
    if words.flag("--callers") {
        let built = for_local_runtime(workspace, &workspace.functions()?)?;
        return callers(workspace, &built);
    }
    if words.value("--chaos").is_some() {
        return chaos::of_words(workspace, words);
    }
    if words.flag("--permissions") {
        return grants::taken_out(workspace, words);
    }
    let quick = words.flag("--quick");
    if !quick {
        // Python is needed only after everything has been compiled, so a missing Python is reported before that.
        check_python(workspace)?;
    }
    code(workspace)?;
    if quick {
        return Ok(());
    }
    docs(workspace)?;
    dependencies(workspace)?;
    infrastructure(workspace)?;
    simulation(workspace)?;
    local_runtime_rules(workspace)?;
    let all = words.flag("--all");
    end_to_end(workspace, all)?;
    if all {
        step("simulation: a long search", || {
            simulate::long_search(workspace)
        })?;
        let built = for_local_runtime(workspace, &workspace.functions()?)?;
        crash(workspace, &built)?;
        chaos::some_seeds(workspace, &built)?;
        benchmark(workspace)?;
    }
    Ok(())
}

fn cargo_step(workspace: &Workspace, name: &str, arguments: &[&str]) -> Result<()> {
    step(name, || {
        run(command(cargo(), arguments).current_dir(&workspace.root))
    })
}

/// Runs some test programs. The whole workspace is selected, since cargo would compile dependencies again for a part of
/// it, with other features.
pub fn tests(workspace: &Workspace, programs: &[&str], options: &[&str]) -> Command {
    let mut tests = command(
        cargo(),
        &["test", "--quiet", "--no-fail-fast", "--workspace"],
    );
    tests.args(programs.iter().flat_map(|name| ["--test", name]));
    tests.arg("--").args(options);
    tests.current_dir(&workspace.root);
    tests
}

/// Checks formatting and lints, and runs the tests that need no runtime.
fn code(workspace: &Workspace) -> Result<()> {
    cargo_step(workspace, "format", &["fmt", "--all", "--check"])?;
    let lints = [
        "clippy",
        "--quiet",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ];
    cargo_step(workspace, "lints", &lints)?;
    let tests = [
        "test",
        "--quiet",
        "--workspace",
        "--exclude",
        "e2e",
        "--lib",
        "--bins",
        "--tests",
    ];
    cargo_step(workspace, "unit tests", &tests)
}

fn docs(workspace: &Workspace) -> Result<()> {
    cargo_step(
        workspace,
        "documentation tests",
        &["test", "--quiet", "--workspace", "--doc"],
    )?;
    step("documentation", || {
        let mut doc = command(cargo(), &["doc", "--quiet", "--workspace", "--no-deps"]);
        run(doc
            .current_dir(&workspace.root)
            .env("RUSTDOCFLAGS", "-D warnings"))
    })
}

/// Checks the licences, duplicates and sources of all dependencies, and also advisories if their database can be
/// fetched.
fn dependencies(workspace: &Workspace) -> Result<()> {
    install(workspace, Set::Gate)?;
    let deny = |arguments: &[&str]| {
        let mut deny = command(
            workspace.tool("cargo-deny"),
            &["--all-features", "--log-level", "error"],
        );
        deny.args(arguments).current_dir(&workspace.root);
        deny
    };
    step("dependencies: licences, bans, sources", || {
        run(&mut deny(&["check", "licenses", "bans", "sources"]))
    })?;
    step("dependencies: advisories", || {
        if output(&mut deny(&["fetch", "db"]))?.status.success() {
            return run(&mut deny(&["check", "--disable-fetch", "advisories"]));
        }
        note("NOT CHECKED: the advisory database cannot be reached from here");
        Ok(())
    })
}

fn infrastructure(workspace: &Workspace) -> Result<()> {
    step("template (cfn-lint)", || {
        run(command(workspace.tool("cfn-lint"), &[]).arg(workspace.path("infra/template.yaml")))
    })?;
    from_npm(workspace)?;
    step("workflow (check-jsonschema)", || {
        let mut check = command(
            workspace.tool("check-jsonschema"),
            &["--builtin-schema", "vendor.github-workflows"],
        );
        capture(check.arg(workspace.path(".github/workflows/gate.yml"))).map(drop)
    })?;
    step("scripts (shellcheck)", || {
        let mut check = command(
            workspace.tool("shellcheck"),
            &["infra/deploy.sh", ".ci/run"],
        );
        check.arg("infra/localstack/deploy-on-ready.sh");
        run(check
            .current_dir(&workspace.root)
            .env("PATH", tool_path(workspace)))
    })
}

/// Runs the simulation, and compares its traces between two builds.
fn simulation(workspace: &Workspace) -> Result<()> {
    step("simulation: a thousand seeds of each example", || {
        run(&mut tests(workspace, &["pedidos"], &["--ignored"]))
    })?;
    step("simulation: a search", || simulate::search(workspace))?;
    step("simulation: the same traces from two builds", || {
        simulate::compare(workspace)
    })
}

/// Runs the checkers that are written in JavaScript. They need Node.
fn from_npm(workspace: &Workspace) -> Result<()> {
    let node = npm::available();
    if node {
        npm::install(workspace)?;
    }
    let check = |name: &str, check: &dyn Fn() -> Result<()>| {
        step(name, || {
            if node {
                return check();
            }
            note("NOT CHECKED: there is no Node on this machine, or no npm");
            Ok(())
        })
    };
    check("state machine (asl-validator)", &|| {
        let mut check = command(npm::tool(workspace, "asl-validator"), &["--json-path"]);
        capture(check.arg(workspace.path("infra/saga-reserva.asl.json"))).map(drop)
    })?;
    check("description of the API (redocly)", &|| {
        openapi::redocly(workspace)
    })?;
    check("description of the API (spectral)", &|| {
        openapi::spectral(workspace)
    })
}

/// Checks the benchmark. It is a workspace of its own, since its peers would double what the gate compiles.
fn benchmark(workspace: &Workspace) -> Result<()> {
    let mut clippy = vec!["clippy", "--quiet", "--manifest-path", "bench/Cargo.toml"];
    clippy.extend([
        "--target-dir",
        "target",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]);
    cargo_step(workspace, "lints of the benchmark", &clippy)
}

/// Shows AWS's rules on the local runtime, with real processes. The tests take a minute, in which records grow old, and
/// print each rule with what was seen.
fn local_runtime_rules(workspace: &Workspace) -> Result<()> {
    step("the local runtime by AWS's rules", || {
        run(&mut tests(workspace, &["rules", "bisect"], &["--ignored"]))
    })
}

/// Runs the end-to-end tests on a local runtime that this step starts and stops.
fn end_to_end(workspace: &Workspace, all: bool) -> Result<()> {
    let built = for_local_runtime(workspace, &workspace.functions()?)?;
    OwnRuntime::new("test", free_port()?, &built).run(workspace, |runtime, target| {
        e2e_here(workspace, target, "end to end, on the local runtime")?;
        step("every permission is used, or explained", || {
            grants::all_accounted_for(workspace, runtime.endpoint, all)
        })
    })?;
    OwnRuntime::new("described", free_port()?, &built).run(workspace, |_, target| {
        step("the API as described (schemathesis)", || {
            openapi::schemathesis(workspace, target)
        })
    })?;
    callers(workspace, &built)?;
    documents(workspace)
}

/// Runs every route of the API with the tokens of every kind of caller, on a runtime of its own. The test plays the issuer
/// of the tokens, on a port that the runtime is told.
fn callers(workspace: &Workspace, built: &Built) -> Result<()> {
    let issuer = format!("http://127.0.0.1:{}", free_port()?);
    let parameters = [
        "Acceso=jwt".to_owned(),
        format!("Emisor={issuer}"),
        "Audiencia=reservas".to_owned(),
    ];
    let own = OwnRuntime {
        parameters: &parameters,
        ..OwnRuntime::new("callers", free_port()?, built)
    };
    own.run(workspace, |_, target| {
        step("every route by every caller, with tokens", || {
            run(
                tests(workspace, &["callers"], &["--ignored", "--nocapture"])
                    .envs(target.variables.iter().cloned()),
            )
        })
    })
}

/// Runs the test that kills its local runtime and starts it again, many times. The test gets the runtime's command line.
fn crash(workspace: &Workspace, built: &Built) -> Result<()> {
    OwnRuntime::new("crash", free_port()?, built).run(workspace, |runtime, target| {
        step(
            "end to end, with kill -9 of the local runtime and of functions",
            || {
                let words = runtime.words(workspace, Life::WithUs);
                run(tests(workspace, &["crash"], &["--ignored"])
                    .env("ALPES_LOCAL_RUNTIME", words)
                    .envs(target.variables.iter().cloned()))
            },
        )
    })
}

/// Runs the commands of the README, the guides and the tutorials as written, each document on a local runtime that it
/// starts.
fn documents(workspace: &Workspace) -> Result<()> {
    install(workspace, Set::Cli)?;
    step("README, guides and tutorials, command by command", || {
        run(&mut tests(workspace, &["documents"], &["--ignored"]))
    })
}

/// Runs the end-to-end tests against a runtime that this tool did not start, in a stack that is deleted afterwards.
fn at_endpoint(workspace: &Workspace, endpoint: &Endpoint, build: Build) -> Result<()> {
    let zips = package(workspace, build, &workspace.functions()?)?;
    let folder = workspace
        .local()
        .join("run")
        .join(format!("test-{}", endpoint.run_name()));
    let stack = Stack {
        endpoint,
        folder: &folder,
        name: "aeroalpes-test",
        environment: "localstack",
        ended_by: "endpoint",
        build,
    };
    let zips = &zips;
    let deployment = Deployment { stack, zips };
    let result = deployment.deploy(workspace).and_then(|target| {
        let name = format!("end to end, at {}", endpoint.url);
        e2e(workspace, &target, &name, THREADS_ELSEWHERE)?;
        step("the authorizer, invoked by hand", || {
            authorizer::invoked(workspace, &target, zips)
        })
    });
    let removed = deployment.teardown(workspace);
    result?;
    removed?;
    forget(workspace, folder)
}

fn forget(workspace: &Workspace, folder: PathBuf) -> Result<()> {
    let variables = Vec::new();
    Target { folder, variables }.remove(workspace)
}

/// The programs of the end-to-end tests, but for the one that kills its runtime.
const END_TO_END: [&str; 4] = ["bytes", "endpoint", "processes", "views"];
/// How many end-to-end tests run at a time on the local runtime. The tests mostly wait for sagas.
pub const THREADS_HERE: &str = "8";
/// How many end-to-end tests run at a time on other runtimes. LocalStack answers about a hundred calls a second, and
/// functions that wait for it exceed their timeouts.
const THREADS_ELSEWHERE: &str = "4";

/// Runs the end-to-end tests on a local runtime.
pub fn e2e_here(workspace: &Workspace, target: &Target, name: &str) -> Result<()> {
    e2e(workspace, target, name, THREADS_HERE)
}

/// Runs the end-to-end tests, so many at a time.
pub fn e2e(workspace: &Workspace, target: &Target, name: &str, threads: &str) -> Result<()> {
    step(name, || run(&mut e2e_command(workspace, target, threads)))
}

/// The command of the end-to-end tests, so many at a time.
pub fn e2e_command(workspace: &Workspace, target: &Target, threads: &str) -> Command {
    let mut tests = tests(workspace, &END_TO_END, &[]);
    tests.env("RUST_TEST_THREADS", threads);
    tests.envs(target.variables.iter().cloned());
    tests
}
