//! The command `alpes-local`.

use std::process::ExitCode;

use alpes_local::{
    iam::permissions,
    options::{Options, USAGE},
    runtime::Runtime,
};
use tokio::{
    io::AsyncReadExt,
    signal::unix::{SignalKind, signal},
};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() || words.iter().any(|word| word == "--help" || word == "help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let printed = match words.split_first().map(|(word, rest)| (&**word, rest)) {
        Some(("permissions", rest)) => Some(permissions(rest)),
        Some(("template", rest)) => Some(template(rest)),
        _ => None,
    };
    if let Some(printed) = printed {
        return match printed {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(error) => {
                eprintln!("alpes-local: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let options = match Options::parse(&words) {
        Ok(options) => options,
        Err(mistake) => {
            eprintln!("alpes-local: {mistake} See alpes-local --help.");
            return ExitCode::from(2);
        }
    };
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("alpes-local: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A template in JSON. `words` are those after `template`.
fn template(words: &[String]) -> Result<String, String> {
    let [file] = words else {
        return Err("template needs one FILE. See alpes-local --help.".to_owned());
    };
    let wrong = |error: &dyn std::fmt::Display| format!("{file}: {error}");
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    let template = template::in_json(&text).map_err(|error| wrong(&error))?;
    Ok(format!("{template:#}\n"))
}

fn run(options: Options) -> Result<(), String> {
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let outcome = tokio.block_on(up(options));
    // Requests in flight are cut off: everything acknowledged is in the store.
    tokio.shutdown_background();
    outcome
}

async fn up(options: Options) -> Result<(), String> {
    let until_stdin_ends = options.until_stdin_ends;
    let runtime = Runtime::start(options).await?;
    println!("{}", runtime.welcome());
    wait(until_stdin_ends).await;
    runtime.stop();
    Ok(())
}

/// Waits until the process should end: at SIGTERM or SIGINT, or at the end of its input if it belongs to the process at
/// the other end.
async fn wait(until_stdin_ends: bool) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = stdin_ends(), if until_stdin_ends => {}
    }
}

async fn stdin_ends() {
    let mut input = tokio::io::stdin();
    let mut buffer = [0; 64];
    while input.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}
