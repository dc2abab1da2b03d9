//! `ops`, the operator's commands, which read and change the system's own data. `cargo xtask` runs `ops` with the
//! environment of a runtime. With AWS's own variables, `ops` works on AWS.

/// The `println!` and `eprintln!` of `command_line` replace those of std, which panic when the reader has closed the pipe.
#[macro_use]
extern crate command_line;

mod parked;
mod rebuild;
mod retention;
mod saga;
mod tail;
mod timeline;
mod token;
mod verify;

use std::{
    error::Error,
    net::{TcpStream, ToSocketAddrs},
    process::ExitCode,
    time::Duration,
};

use alpes_lambda::Environment;
use alpes_saga::Status;
use command_line::{Runner, Words, read, wrong};
use wiring::Wiring;

/// How long a runtime may take to accept a connection.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// The outcome of a command: false if it found a problem.
type Outcome = Result<bool, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let words = std::env::args_os().skip(1);
    let words = match read(words.map(|word| word.to_string_lossy().into_owned())) {
        Ok(words) => words,
        Err(code) => return code,
    };
    if words.command.runner != Runner::Ops || words.names_a_runtime() {
        return wrong("ops is run by cargo xtask, which names the runtime. See: cargo xtask help");
    }
    if words.command.name == "rebuild"
        && let Err(why) = is_view(words.required("VIEW"))
    {
        return wrong(&why);
    }
    if words.command.name == "token"
        && let Err(why) = token::check(&words)
    {
        return wrong(&why);
    }
    match run(&words).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            match silent() {
                // Print one sentence, since the errors of all layers of the SDK fill a page.
                Some(url) => eprintln!(
                    "error: nothing answers at {url}: the runtime does not run. See: cargo xtask up --help"
                ),
                None => eprintln!("error: at {}: {error}", asked()),
            }
            ExitCode::FAILURE
        }
    }
}

/// The runtime's address, if no process accepts a connection at this address.
fn silent() -> Option<String> {
    let url = std::env::var("AWS_ENDPOINT_URL").ok()?;
    let authority = url.strip_prefix("http://")?.trim_end_matches('/');
    let authority = if authority.contains(':') {
        authority.to_owned()
    } else {
        format!("{authority}:80")
    };
    let mut addresses = authority.to_socket_addrs().ok()?;
    let answers =
        addresses.any(|address| TcpStream::connect_timeout(&address, CONNECTS_WITHIN).is_ok());
    (!answers).then_some(url)
}

/// The deployed system that the environment describes.
type Deployed = Wiring<Environment>;

async fn run(words: &Words) -> Outcome {
    if words.command.name == "token" {
        return token::run(words);
    }
    let deployed = &Wiring::new(Environment::load().await);
    match words.command.name {
        "tail" => tail::run(deployed, words).await,
        "saga" => saga::show(deployed, words.required("ID")).await,
        "sagas" => {
            let usual = api::saga::estado(Status::NeedsIntervention);
            saga::list(deployed, words.argument("ESTADO").unwrap_or(usual)).await
        }
        "parked" => parked::list(deployed, words.flag("--discarded")).await,
        "redrive" => {
            let one = words.argument("OWNER").zip(words.argument("PLACE"));
            parked::redrive(deployed, one).await
        }
        "discard" => {
            let [owner, place, note] = ["OWNER", "PLACE", "NOTE"].map(|name| words.required(name));
            parked::discard(deployed, owner, place, note).await
        }
        "verify" => verify::run(deployed).await,
        "rebuild" => {
            let action = match (words.flag("--resume"), words.flag("--abandon")) {
                (true, _) => "resume",
                (false, true) => "abandon",
                (false, false) => "rebuild",
            };
            rebuild::run(deployed, words.required("VIEW"), action).await
        }
        "retention" => match words.number("--hours") {
            None => retention::show(deployed).await,
            Some(hours) => retention::extend(deployed, hours).await,
        },
        other => Err(format!("ops does not run the command {other}").into()),
    }
}

/// Checks that this build has a view of this name.
fn is_view(name: &str) -> Result<(), String> {
    let views = views::registry();
    let names: Vec<_> = views.iter().map(|view| view.name()).collect();
    if names.contains(&name) {
        return Ok(());
    }
    let names = names.join(", ");
    Err(format!("VIEW is one of {names}, not '{name}'."))
}

/// The runtime in use, as error messages and "nothing found" messages name it.
fn asked() -> String {
    let variable = |name| std::env::var(name).ok();
    match variable("AWS_ENDPOINT_URL") {
        Some(url) => url,
        None => match variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")) {
            Some(region) => format!("AWS in {region}"),
            None => "AWS".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use command_line::{Check, command};

    use super::*;

    #[test]
    fn the_states_that_the_table_has_are_those_of_sagas() {
        let argument = command("sagas").and_then(|command| command.arguments.first());
        let Some(Check::OneOf(names)) = argument.map(|argument| argument.check) else {
            unreachable!("sagas takes a state");
        };
        assert_eq!(names, Status::ALL.map(api::saga::estado));
    }

    #[test]
    fn a_view_that_is_not_there_is_named_with_those_that_are() {
        assert_eq!(is_view("reservas"), Ok(()));
        let told = "VIEW is one of reservas, analitica, not 'reserva'.";
        assert_eq!(is_view("reserva"), Err(told.to_owned()));
    }
}
