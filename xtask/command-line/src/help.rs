//! The help texts, made from the table of commands.

use std::fmt::Write;

use crate::table::{COMMANDS, Command};

/// The column of the terminal at which a line's right part begins, if the left part is short enough.
const COLUMN: usize = 26;

const FOOT: &str = "\
cargo xtask COMMAND --help tells its options, with an example. Options come before or after the command.

Commands mean the runtime that was brought up last; --port N or --endpoint URL names another. For a shell, or cargo lambda watch
--env-file: .local/env has the addresses and names. All that is installed or written is in .local and target. infra/deploy.sh deploys
to AWS itself.
";

/// A line with a left and a right part.
fn line(text: &mut String, left: &str, right: &str) {
    let _ = if left.chars().count() < COLUMN {
        writeln!(text, "  {left:<COLUMN$}{right}")
    } else {
        writeln!(text, "  {left}\n  {:<COLUMN$}{right}", "")
    };
}

/// The list of all commands.
pub(crate) fn all() -> String {
    let mut text = String::from("AeroAlpes on Lambda: the developer's commands.\n");
    let mut group = "";
    for command in COMMANDS {
        if command.group != group {
            group = command.group;
            let _ = write!(text, "\n{group}\n");
        }
        line(&mut text, &command.synopsis(), command.about);
    }
    text.push('\n');
    text.push_str(FOOT);
    text
}

/// The help of one command.
pub(crate) fn of(command: &Command) -> String {
    let mut text = format!("cargo xtask {}: {}\n\n", command.name, command.about);
    let options = if command.options().next().is_some() {
        " [options]"
    } else {
        ""
    };
    let _ = writeln!(text, "usage: cargo xtask {}{options}\n", command.synopsis());
    for argument in command.arguments {
        line(&mut text, argument.name, argument.about);
    }
    for option in command.options() {
        let default = match option.default {
            "" => String::new(),
            default => format!(" (default: {default})"),
        };
        line(
            &mut text,
            &option.shown(),
            &format!("{}{default}", option.about),
        );
    }
    if !(command.arguments.is_empty() && options.is_empty()) {
        text.push('\n');
    }
    if !command.details.is_empty() {
        let _ = writeln!(text, "{}\n", command.details);
    }
    if !command.takes.is_empty() {
        let _ = writeln!(text, "It takes: {}.\n", command.takes);
    }
    text.push_str(match command.examples.len() {
        1 => "example:\n",
        _ => "examples:\n",
    });
    for example in command.examples {
        let _ = writeln!(text, "  {example}");
    }
    text
}

/// The table of commands in `docs/operating.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| command | what | time and disk |\n| --- | --- | --- |\n");
    for command in COMMANDS {
        let _ = writeln!(
            text,
            "| `cargo xtask {}` | {} | {} |",
            command.synopsis(),
            command.about,
            command.takes
        );
    }
    text
}
