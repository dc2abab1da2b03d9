//! The command line, read by hand: a command, its words, and `--name value` options. Two dozen lines are less than a
//! dependency, and whatever is left over after a command took what it knows is an error that names it.

use crate::failure::{Result, fail};

pub struct Args {
    rest: Vec<String>,
}

impl Args {
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self {
            rest: words.into_iter().collect(),
        }
    }

    /// True when `--name` is there.
    pub fn flag(&mut self, name: &str) -> bool {
        let found = self.rest.iter().position(|word| word == name);
        if let Some(at) = found {
            self.rest.remove(at);
        }
        found.is_some()
    }

    /// The value of `--name VALUE` or `--name=VALUE`.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        let prefix = format!("{name}=");
        if let Some(at) = self.rest.iter().position(|word| word.starts_with(&prefix)) {
            return Ok(self
                .rest
                .remove(at)
                .strip_prefix(&prefix)
                .map(str::to_owned));
        }
        let Some(at) = self.rest.iter().position(|word| word == name) else {
            return Ok(None);
        };
        self.rest.remove(at);
        if at < self.rest.len() {
            Ok(Some(self.rest.remove(at)))
        } else {
            fail(format!("{name} needs a value after it."))
        }
    }

    /// `option`, for a number of a port.
    pub fn port(&mut self) -> Result<Option<u16>> {
        let Some(text) = self.option("--port")? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => fail(format!(
                "--port takes a number from 1 to 65535, not '{text}'."
            )),
        }
    }

    /// `option`, with the values that it may have.
    pub fn choice(&mut self, name: &str, allowed: &[&str]) -> Result<Option<String>> {
        let value = self.option(name)?;
        match value {
            Some(text) if !allowed.contains(&text.as_str()) => fail(format!(
                "{name} is one of {}, not '{text}'.",
                allowed.join(", ")
            )),
            value => Ok(value),
        }
    }

    /// The next word that is not an option. Take options first.
    pub fn word(&mut self) -> Option<String> {
        let at = self.rest.iter().position(|word| !word.starts_with('-'))?;
        Some(self.rest.remove(at))
    }

    /// Everything not taken, as it stands: for a command that hands it on.
    pub fn remaining(self) -> Vec<String> {
        self.rest
    }

    /// Fails if anything was not taken.
    pub fn finish(self) -> Result<()> {
        match self.rest.first() {
            None => Ok(()),
            Some(word) => fail(format!(
                "'{word}' is not understood here. See cargo xtask help."
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_words_and_flags_come_in_any_order() {
        let mut args = args("--port 4570 projector --quick --on=localstack batch.json");
        assert_eq!(args.port().unwrap(), Some(4570));
        assert!(args.flag("--quick"));
        let on = args.choice("--on", &["local", "localstack"]).unwrap();
        assert_eq!(on.as_deref(), Some("localstack"));
        assert_eq!(args.word().as_deref(), Some("projector"));
        assert_eq!(args.word().as_deref(), Some("batch.json"));
        args.finish().unwrap();
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(
            args("--port")
                .port()
                .unwrap_err()
                .to_string()
                .contains("--port needs")
        );
        assert!(
            args("--port x")
                .port()
                .unwrap_err()
                .to_string()
                .contains("'x'")
        );
        assert!(args("--on aws").choice("--on", &["local"]).is_err());
        let left = args("--quik").finish().unwrap_err().to_string();
        assert!(left.contains("'--quik'"), "{left}");
    }
}
