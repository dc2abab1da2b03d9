//! Printing that survives a closed pipe, on which std's macros panic.

use std::{
    env, fmt,
    io::{self, ErrorKind, IsTerminal, Write},
    process::exit,
    time::{Duration, Instant},
};

/// Writes to standard output. If the reader has closed it, the program ends quietly.
pub fn out(text: fmt::Arguments<'_>) {
    shown(io::stdout().lock().write_fmt(text));
}

/// Returns if the text was written, and otherwise ends the program.
pub fn shown(written: io::Result<()>) {
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit(0),
        Err(error) => {
            err(format_args!(
                "error: cannot write to standard output: {error}\n"
            ));
            exit(1)
        }
    }
}

/// Writes to standard error, and ignores failures.
pub fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// True if standard output may have colours: it is a terminal, and the user did not turn colours off
/// (<https://no-color.org>).
#[must_use]
pub fn colours() -> bool {
    let asked_for_none = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !asked_for_none && !is_dumb()
}

/// True for a terminal that understands no escape sequences.
fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// Makes foreign text safe to print: writes control characters, and characters that look like others, as escapes such
/// as `\u{1b}`.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        let hidden = letter.is_control()
            || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            || matches!(letter, '\u{fdd0}'..='\u{fdef}')
            || u32::from(letter) & 0xfffe == 0xfffe;
        if hidden {
            shown.extend(letter.escape_unicode());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The pause after which progress is printed again where a line cannot be rewritten.
const SELDOM: Duration = Duration::from_secs(15);

/// The progress of a long command, on standard error. On a terminal, the progress is one line that is rewritten;
/// elsewhere, each new task gets a line.
#[derive(Debug)]
pub struct Progress {
    rewrites: bool,
    /// The last task that was printed and the time when it was printed. Used only where lines cannot be rewritten.
    last: Option<(String, Instant)>,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            rewrites: io::stderr().is_terminal() && !is_dumb(),
            last: None,
        }
    }
}

impl Progress {
    /// Shows the task `about` and its progress `how_far`. Where lines cannot be rewritten, the progress of the same
    /// task is printed only every 15 seconds.
    pub fn show(&mut self, about: &str, how_far: &str) {
        let line = format!("{about}{how_far}");
        if self.rewrites {
            // Turn off wrapping, so that a long line is cut at the terminal's edge and can be rewritten.
            err(format_args!("\r\x1b[K\x1b[?7l{line}\x1b[?7h"));
        } else if self.is_due(about, Instant::now()) {
            err(format_args!("{line}\n"));
        }
    }

    /// True if a line must be printed now. If so, its task and the time are kept as the last printed.
    fn is_due(&mut self, about: &str, now: Instant) -> bool {
        let is_known = self.last.as_ref().is_some_and(|(last, printed)| {
            last == about && now.saturating_duration_since(*printed) < SELDOM
        });
        if !is_known {
            self.last = Some((about.to_owned(), now));
        }
        !is_known
    }

    /// Removes the progress line, so that other text can be printed.
    pub fn clear(&mut self) {
        if self.rewrites {
            err(format_args!("\r\x1b[K"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_nothing_to_obey() {
        assert_eq!(
            visible("a\u{1b}[31mñ\u{202e}\t"),
            "a\\u{1b}[31mñ\\u{202e}\\u{9}"
        );
    }

    #[test]
    fn where_lines_stay_what_only_counts_on_is_told_seldom() {
        let mut progress = Progress {
            rewrites: false,
            last: None,
        };
        let start = Instant::now();
        let told: Vec<_> = (0..60)
            .map(|second| {
                let about = if second < 20 { "replays" } else { "waits" };
                progress.is_due(about, start + Duration::from_secs(second))
            })
            .enumerate()
            .filter_map(|(second, told)| told.then_some(second))
            .collect();
        assert_eq!(told, [0, 15, 20, 35, 50]);
    }
}
