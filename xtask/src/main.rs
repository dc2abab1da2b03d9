//! The developer's commands: `cargo xtask help`.
//!
//! It starts other programs and shows what they say, and knows nothing of the system itself: `ops` does.

mod args;
mod bench;
mod demo;
mod deploy;
mod failure;
mod functions;
mod gate;
mod http;
mod local_runtime;
mod npm;
mod ops;
mod package;
mod progress;
mod runtime_env;
mod shell;
mod simulate;
mod tools;
mod up;
mod workspace;

use std::process::ExitCode;

use args::Args;
use failure::{Result, fail};
use package::{Arch, Build};
use runtime_env::Target;
use tools::{Set, install};
use workspace::Workspace;

const HELP: &str = "\
AeroAlpes on Lambda: the developer's commands.

  cargo xtask demo                  from nothing to a reservation, booked and seen; takes the options of up
      --saga orquestacion|coreografia|stepfunctions      who moves its reservations on   default orquestacion
  cargo xtask up                    start the local runtime and deploy to it
      --on local|localstack         which runtime (localstack needs Docker)              default local
      --endpoint URL                deploy to a LocalStack that runs already
      --port N                      several can run side by side                         default 4566
      --build host|lambda           built for this machine, or for Amazon Linux
      --arch x86_64|arm64           of --build lambda                                    default this machine's
  cargo xtask down [--all]          end it, and forget its data
  cargo xtask build [--arch x86_64|arm64]     zips of all functions for Amazon Linux, for infra/deploy.sh
  cargo xtask test                  all that CI runs
      --quick                       format, lints and unit tests only
      --endpoint URL                only the end-to-end tests, on a LocalStack that runs already
  cargo xtask simulate              the whole system in a world that fails on purpose, seed after seed
      --seeds N                     how many                                             default 1000
      --seed S                      the first; alone, its trace is written too
      --scenario NAME               one kind of trouble; a name that is none lists them  default all in turn
      --clients N, --bookings M     a larger world: so many clients, so many reservations of each
      --planted NAME                a mistake to be found; a name that is none lists them
      --digests N                   the traces of so many seeds, a line each, to compare builds
      --trace FILE                  where the trace goes                                 default in target
  cargo xtask bench [--quick]       measure the functions and their peers, and write docs/benchmarks.md

  cargo xtask url                   the API's base URL, alone
  cargo xtask logs [FUNCTION] [--correlacion ID]      what the functions logged
  cargo xtask deploy FUNCTION       build one function and put it in place
  cargo xtask invoke FUNCTION [EVENT]     EVENT: a sample in functions/FUNCTION/events, or a file; default the first
  cargo xtask tick                  run the timers now
  cargo xtask saga ID               a saga as it went, with its money and seats; ID: id_correlacion or id_reserva
  cargo xtask sagas [ESTADO]        the sagas of a state, newest first              default RequiereIntervencion
  cargo xtask rebuild VIEW          a view built anew from archive and log, while it serves
  cargo xtask tail | parked | redrive | discard | verify | retention      operating it; each has --help
  cargo xtask tools                 install cargo-lambda and zig too, and say how to use them

Commands mean the runtime that was brought up last; --port N or --endpoint URL before their own words name another.
For a shell, or cargo lambda watch --env-file: .local/env has the addresses and names. All that is installed or
written is in .local and target. AWS itself is deployed to by infra/deploy.sh.
";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let command = words.next().unwrap_or_else(|| "help".into());
    match dispatch(&command, Args::new(words)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: &str, mut args: Args) -> Result<()> {
    if matches!(command, "help" | "--help" | "-h") {
        print!("{HELP}");
        return Ok(());
    }
    let workspace = &Workspace::find()?;
    match command {
        "demo" => demo::demo(workspace, args),
        "up" => {
            let target = up::up(workspace, args)?;
            println!("{}", target.get("AEROALPES_API_URL")?);
            Ok(())
        }
        "down" => up::down(workspace, args),
        "test" => gate::test(workspace, args),
        "bench" => bench::bench(workspace, args),
        "simulate" => simulate::simulate(workspace, args),
        "build" => {
            let arch = args.choice("--arch", &["x86_64", "arm64"])?;
            args.finish()?;
            let build = Build::Lambda(Arch::parse(arch.as_deref()));
            let zips = package::package(workspace, build, &workspace.functions()?)?;
            println!("{}", zips.display());
            Ok(())
        }
        "url" => {
            let target = Target::select(workspace, &mut args)?;
            args.finish()?;
            println!("{}", target.get("AEROALPES_API_URL")?);
            Ok(())
        }
        "logs" => functions::logs(workspace, args),
        "deploy" => functions::deploy(workspace, args),
        "invoke" => functions::invoke(workspace, args),
        "tick" => functions::tick(workspace, args),
        "saga" | "sagas" | "tail" | "parked" | "redrive" | "discard" | "verify" | "retention"
        | "rebuild" => ops::hand_on(workspace, command, args),
        "tools" => tools(workspace, args),
        other => fail(format!(
            "There is no command '{other}'. See cargo xtask help."
        )),
    }
}

fn tools(workspace: &Workspace, args: Args) -> Result<()> {
    args.finish()?;
    install(workspace, Set::Runtime)?;
    install(workspace, Set::Lambda)?;
    println!("PATH=\"{}/venv/bin:$PATH\"", workspace.local().display());
    println!("# with that, cargo lambda watch --env-file .local/env");
    Ok(())
}
