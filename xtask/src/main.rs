//! `xtask`, the developer's commands: see `cargo xtask help`.
//!
//! `xtask` starts other programs and shows their output. Only the program `ops` reads the system's data.

/// The `println!` and `eprintln!` of `command_line` replace those of std, which panic when the reader has closed the pipe.
#[macro_use]
extern crate command_line;

mod access;
mod authorizer;
mod bench;
mod chaos;
mod demo;
mod deploy;
mod failure;
mod functions;
mod gate;
mod grants;
mod http;
mod local_runtime;
mod log_line;
mod log_service;
mod logs;
mod npm;
mod openapi;
mod ops;
mod own_runtime;
mod package;
mod progress;
mod runtime_env;
mod shell;
mod simulate;
mod tools;
mod up;
mod workspace;

use std::process::ExitCode;

use command_line::{Runner, Words};
use failure::{Result, fail};
use package::{Arch, Build};
use runtime_env::Target;
use tools::{Set, install};
use workspace::Workspace;

fn main() -> ExitCode {
    let words = std::env::args_os().skip(1);
    match command_line::read(words.map(|word| word.to_string_lossy().into_owned())) {
        Err(code) => code,
        Ok(words) => match dispatch(&words) {
            Ok(()) => ExitCode::SUCCESS,
            Err(failure) => failure.end(),
        },
    }
}

fn dispatch(words: &Words) -> Result<()> {
    let workspace = &Workspace::find()?;
    match words.command.runner {
        Runner::Ops => return ops::hand_on(workspace, words),
        Runner::Simulate => return simulate::simulate(workspace, words),
        Runner::Xtask => {}
    }
    match words.command.name {
        "demo" => demo::demo(workspace, words),
        "up" => {
            let target = up::up(workspace, words)?;
            println!("{}", target.get("ALPES_API_URL")?);
            Ok(())
        }
        "down" => up::down(workspace, words),
        "test" => gate::test(workspace, words),
        "bench" => bench::bench(workspace, words),
        "build" => {
            let build = Build::Lambda(Arch::parse(words.value("--arch")));
            let zips = package::package(workspace, build, &workspace.functions()?)?;
            println!("{}", zips.display());
            Ok(())
        }
        "url" => {
            let target = Target::select(workspace, words)?;
            println!("{}", target.get("ALPES_API_URL")?);
            Ok(())
        }
        "logs" => logs::logs(workspace, words),
        "deploy" => functions::deploy(workspace, words),
        "invoke" => functions::invoke(workspace, words),
        "tick" => functions::tick(workspace, words),
        "tools" => tools(workspace, words.argument("TOOL")),
        other => fail(format!("xtask does not run the command {other}.")),
    }
}

fn tools(workspace: &Workspace, tool: Option<&str>) -> Result<()> {
    if tool != Some("lambda") {
        install(workspace, Set::Cli)?;
    }
    if tool != Some("aws") {
        install(workspace, Set::Lambda)?;
    }
    println!("PATH=\"{}/venv/bin:$PATH\"", workspace.local().display());
    Ok(())
}
