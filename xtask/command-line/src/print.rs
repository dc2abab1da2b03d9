//! Printing. std's macros panic when nobody reads what is printed.

use std::{
    env, fmt,
    io::{self, ErrorKind, IsTerminal, Write},
    process::exit,
    time::{Duration, Instant},
};

/// Writes to standard output. A reader that went away has what it wanted, so that ends the program.
pub fn out(text: fmt::Arguments<'_>) {
    shown(io::stdout().lock().write_fmt(text));
}

/// Goes on if it was written, and ends the program if not.
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

/// Writes to standard error, where somebody reads it.
pub fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// True if standard output may have colours: it is a terminal, and nobody asks for none (<https://no-color.org>).
#[must_use]
pub fn colours() -> bool {
    let asked_for_none = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !asked_for_none && !is_dumb()
}

/// A terminal that obeys nothing.
fn is_dumb() -> bool {
    env::var_os("TERM").is_some_and(|terminal| terminal == "dumb")
}

/// The text with what a terminal would obey, or what looks like another text, written as `\u{1b}`: for what others have written.
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

/// How often lines that only count on are printed where they cannot be rewritten.
const SELDOM: Duration = Duration::from_secs(15);

/// What a command that takes long is doing, on standard error: one line that is rewritten on a terminal, and lines for what is new
/// elsewhere.
#[derive(Debug)]
pub struct Progress {
    rewrites: bool,
    /// What the last line was about, and when it was printed, where lines stay.
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
    /// Shows what is done (`about`), and how far it is. Where lines stay, how far it is makes a new line only seldom.
    pub fn show(&mut self, about: &str, how_far: &str) {
        let line = format!("{about}{how_far}");
        if self.rewrites {
            // Without wrapping: a line that is too long is cut at the terminal's edge, and so can be rewritten.
            err(format_args!("\r\x1b[K\x1b[?7l{line}\x1b[?7h"));
        } else if self.is_due(about, Instant::now()) {
            err(format_args!("{line}\n"));
        }
    }

    /// True if a line is due, which is then the last one.
    fn is_due(&mut self, about: &str, now: Instant) -> bool {
        let is_known = self.last.as_ref().is_some_and(|(last, printed)| {
            last == about && now.saturating_duration_since(*printed) < SELDOM
        });
        if !is_known {
            self.last = Some((about.to_owned(), now));
        }
        !is_known
    }

    /// Takes the line away, for something else to be printed.
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
