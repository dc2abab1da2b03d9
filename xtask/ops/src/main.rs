//! The operator's commands: what looks at the system's own data, or changes it. Run by `cargo xtask`, which sets the
//! environment of the runtime it is meant for; works with AWS's own variables just as well.

mod parked;
mod rebuild;
mod retention;
mod saga;
mod tail;
mod timeline;
mod verify;

use std::{error::Error, process::ExitCode};

use lambda_kit::Environment;
use saga_engine::Estado;

/// What a command comes to: false if it found something wrong.
type Outcome = Result<bool, Box<dyn Error>>;

const HELP: &str = "\
usage: ops COMMAND

  tail [--from-start] [--once] [--limit N] [--subject ID] [--json]
              the event log as it grows; --once ends at its tip
  saga ID     a saga as it went, with the money and the seats it moved; ID: of the saga (id_correlacion), or of its
              reservation
  sagas [ESTADO]
              the sagas of a state, newest first; without one, those that need a person
  parked [--discarded]
              what could not be handled, and why
  redrive [OWNER PLACE]
              tries what is parked again: all of it, or one thing
  discard OWNER PLACE NOTE
              notes that one thing will never be handled, and why; it stays on record
  verify      proves that streams, log and archive agree
  rebuild VIEW [--resume|--abandon]
              builds a view anew from archive and log, while it serves, and goes on with what was begun; --resume begins
              nothing, --abandon gives it up
  retention [--hours N]
              how long the log keeps events, and how far the archive has them; N extends it (24 to 8760)
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() || words.iter().any(|word| word == "--help" || word == "help") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let command = words.remove(0);
    match run(&command, &words).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: &str, words: &[String]) -> Outcome {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let environment = Environment::load().await;
    match (command, words.as_slice()) {
        ("tail", options) => tail::run(&environment, options).await,
        ("saga", [id]) => saga::show(&environment, id).await,
        ("sagas", []) => saga::list(&environment, Estado::RequiereIntervencion.name()).await,
        ("sagas", [estado]) => saga::list(&environment, estado).await,
        ("parked", []) => parked::list(&environment, false).await,
        ("parked", ["--discarded"]) => parked::list(&environment, true).await,
        ("discard", [owner, place, note]) => {
            parked::discard(&environment, owner, place, note).await
        }
        ("redrive", []) => parked::redrive(&environment, None).await,
        ("redrive", [owner, place]) => parked::redrive(&environment, Some((owner, place))).await,
        ("verify", []) => verify::run(&environment).await,
        ("rebuild", [view]) => rebuild::run(&environment, view, "reconstruir").await,
        ("rebuild", [view, "--resume"]) => rebuild::run(&environment, view, "seguir").await,
        ("rebuild", [view, "--abandon"]) => rebuild::run(&environment, view, "abandonar").await,
        ("retention", []) => retention::show(&environment).await,
        ("retention", ["--hours", hours]) => retention::extend(&environment, hours).await,
        _ => Err(format!("`{command} {}` is not a command\n\n{HELP}", words.join(" ")).into()),
    }
}
