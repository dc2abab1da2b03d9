//! The commands of README and tutorials, run as they stand there, in their order, with what the documents show beneath them.
//!
//! Each document has a runtime of its own, which its first command brings up. `cargo xtask test` runs these tests after all others; by
//! hand, once `cargo xtask up` has installed what it needs:
//!
//! ```text
//! cargo test -p xtask --test documents -- --ignored
//! ```
//!
//! What every command printed is kept in `target/tmp/documents/NAME/printed`, for whoever brings a document up to date.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod document;
mod expected;
mod session;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use document::{Document, Step};
use session::{Printed, Session};

const DOCUMENTS: [&str; 3] = ["README.md", "docs/tutorial-7.md", "docs/tutorial-8.md"];

/// Commands that nobody runs here, and why.
const NOT_RUN: &[(&str, &str)] = &[];

/// Sections whose indented blocks are drawings.
const DRAWN: [&str; 1] = ["How it works"];

/// How long what a document shows may take to become true.
const PATIENCE: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(500);

fn root() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    folder.expect("xtask lies in the root").to_owned()
}

fn read(name: &str) -> Document {
    let text = fs::read_to_string(root().join(name)).unwrap();
    Document::parse(&text, &DRAWN).unwrap_or_else(|fault| panic!("{name}:{fault}"))
}

fn is_run(command: &str) -> bool {
    !NOT_RUN.iter().any(|(text, _)| *text == command)
}

#[test]
fn every_command_is_run_or_said_not_to_be() {
    let documents = DOCUMENTS.map(read);
    let commands: BTreeSet<&str> = documents
        .iter()
        .flat_map(|document| &document.steps)
        .flat_map(|step| &step.commands)
        .map(|command| command.text.as_str())
        .collect();
    assert!(commands.len() > 40, "the commands were not found");
    for (text, why) in NOT_RUN {
        assert!(
            commands.contains(text),
            "no document has this any more: {text}"
        );
        assert!(!why.is_empty(), "{text}");
    }
    for (name, document) in DOCUMENTS.iter().zip(&documents) {
        for step in &document.steps {
            let run = step.commands.iter().any(|command| is_run(&command.text));
            assert!(
                run || step.shown.is_none(),
                "{name}:{}: nobody looks whether this prints what is shown",
                step.commands.first().map_or(0, |command| command.line)
            );
        }
    }
    let sections: BTreeSet<&str> = documents
        .iter()
        .flat_map(|document| document.drawn.iter().map(String::as_str))
        .collect();
    assert_eq!(sections, DRAWN.into(), "sections with drawings");
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn the_readme_shows_what_its_commands_print() {
    holds("README.md");
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn tutorial_7_shows_what_its_commands_print() {
    holds("docs/tutorial-7.md");
}

#[test]
#[ignore = "it needs what `cargo xtask up` installs; `cargo xtask test` runs it"]
fn tutorial_8_shows_what_its_commands_print() {
    holds("docs/tutorial-8.md");
}

/// Runs all commands of a document, and tells everything in it that is not so.
fn holds(name: &str) {
    let document = read(name);
    let file = Path::new(name).file_stem().unwrap().to_str().unwrap();
    let mut session = Session::new(&root(), file);
    let mut record = File::create(session.folder().join("printed")).unwrap();
    let mut faults = vec![];
    for step in &document.steps {
        let printed = run(&mut session, step);
        for (text, printed) in &printed {
            writeln!(record, "$ {text}\n{}[{}]\n", printed.text, printed.status).unwrap();
        }
        faults.extend(fault(name, step, &printed));
    }
    assert!(
        faults.is_empty(),
        "\n{}\nAll that was printed: {}\n",
        faults.join("\n"),
        session.folder().join("printed").display()
    );
}

/// What the commands of a step print. The last one is run again while it does not print what is shown and only reads: a reader takes
/// longer from one command to the next than this does.
fn run<'a>(session: &mut Session, step: &'a Step) -> Vec<(&'a str, Printed)> {
    let commands = step.commands.iter().map(|command| command.text.as_str());
    let mut printed: Vec<_> = commands
        .filter(|text| is_run(text))
        .map(|text| (text, session.run(text)))
        .collect();
    let start = Instant::now();
    while fault("", step, &printed).is_some() && start.elapsed() < PATIENCE {
        let Some((text, last)) = printed.last_mut() else {
            break;
        };
        if !only_reads(text) {
            break;
        }
        std::thread::sleep(PAUSE);
        *last = session.run(text);
    }
    printed
}

/// True if it may be run again, and changes nothing.
fn only_reads(command: &str) -> bool {
    const READING: [&str; 3] = ["curl ", "cargo xtask saga", "sqs receive-message "];
    READING.iter().any(|start| command.starts_with(start))
        && ![" -X ", " -d ", " --data "]
            .iter()
            .any(|option| command.contains(option))
}

/// What is wrong with a step, given what it printed. A command that fails must be shown to.
fn fault(name: &str, step: &Step, printed: &[(&str, Printed)]) -> Option<String> {
    let all: String = printed.iter().map(|(_, one)| one.text.as_str()).collect();
    let failed = printed.iter().find(|(_, one)| one.status != 0);
    let what = match (&step.shown, failed) {
        (None, None) => return None,
        (Some(shown), _) if expected::is_shown(shown, &all) => return None,
        (Some(shown), _) => format!("shows\n{shown}\nand not what is printed:"),
        (None, Some((text, one))) => format!("{text} ends with {}:", one.status),
    };
    let line = step.commands.first().map_or(0, |command| command.line);
    Some(format!("{name}:{line}: {what}\n{all}"))
}
