//! The command line.

use std::path::PathBuf;

use crate::{mappings::Polling, mount::Mount};

/// The help text.
pub const USAGE: &str = "\
Runs the Lambda functions of CloudFormation templates on this machine, with the services around them.

  alpes-local up --template FILE … --artifacts DIR [options]
  alpes-local permissions [--port N] [--least]
                         tell which permissions of roles nobody used and what was refused, and print the least policies
  alpes-local template FILE
                         print a template in JSON as it is written, with aliases of YAML expanded, for programs that change it

  --template FILE        a SAM or CloudFormation template; may be repeated, and the templates are deployed in order
  --artifacts DIR        the functions' code: for CodeUri NAME.zip the zip of this name, or the folder NAME with a bootstrap
  --stack NAME           the name of the stack, which all templates form together   (default local)
  --parameter NAME=VALUE a parameter of the templates; may be repeated
  --port N               the port on 127.0.0.1   (default 4566)
  --data DIR             the folder of everything that outlives the runtime, or :memory:   (default :memory:)
  --mount PATH=URL       another server, which answers below this path; may be repeated
  --aws-polling          let event source mappings poll a shard once a second, as on AWS; otherwise they read at once
  --quotas aws           enforce AWS's quotas on partitions of tables and on shards of streams   (default none)
  --chaos SEED           make the unkind choices that AWS may make: redeliveries, lost replies, throttles, stale reads, crashes
  --until-stdin-ends     stop when the standard input ends, so that the runtime never outlives who started it

The runtime answers AWS's own APIs at http://127.0.0.1:PORT, and the first REST API at the same address by its paths.
It stops at Ctrl-C, or SIGTERM.";

/// The place of everything that outlives the runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Memory; nothing outlives the runtime.
    Memory,
    /// A folder.
    Folder(PathBuf),
}

/// The options of `up`.
#[derive(Clone, Debug)]
pub struct Options {
    /// The templates' files, in the order in which they are deployed.
    pub templates: Vec<PathBuf>,
    /// The folder of the functions' code.
    pub artifacts: PathBuf,
    /// The name of the stack.
    pub stack: String,
    /// Parameters of the templates.
    pub parameters: Vec<(String, String)>,
    /// The port on 127.0.0.1; 0 for a free one.
    pub port: u16,
    /// The place of the data.
    pub data: Data,
    /// Other servers.
    pub mounts: Vec<Mount>,
    /// When event source mappings read a stream.
    pub polling: Polling,
    /// True if AWS's quotas are enforced.
    pub quotas: bool,
    /// The seed of the unkind choices; `None` for a kind runtime.
    pub chaos: Option<u64>,
    /// True if the runtime stops when its standard input ends.
    pub until_stdin_ends: bool,
}

impl Options {
    /// Parses the words after the program's name.
    ///
    /// # Errors
    ///
    /// A sentence that names the word and the rule that it breaks.
    pub fn parse(words: &[String]) -> Result<Self, String> {
        let mut words = words.iter().map(String::as_str);
        match words.next() {
            Some("up") => {}
            Some(other) => return Err(format!("There is no command '{other}'.")),
            None => return Err("A command is missing.".to_owned()),
        }
        let mut options = Self {
            templates: vec![],
            artifacts: PathBuf::new(),
            stack: "local".to_owned(),
            parameters: vec![],
            port: 4566,
            data: Data::Memory,
            mounts: vec![],
            polling: Polling::AtOnce,
            quotas: false,
            chaos: None,
            until_stdin_ends: false,
        };
        while let Some(option) = words.next() {
            options.take(option, &mut words)?;
        }
        if options.templates.is_empty() {
            return Err("--template is missing.".to_owned());
        }
        if options.artifacts.as_os_str().is_empty() {
            return Err("--artifacts is missing.".to_owned());
        }
        Ok(options)
    }

    fn take<'a>(
        &mut self,
        option: &str,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        if option == "--until-stdin-ends" {
            self.until_stdin_ends = true;
            return Ok(());
        }
        if option == "--aws-polling" {
            self.polling = Polling::EachSecond;
            return Ok(());
        }
        let mut value = || {
            let value = words.next();
            value.ok_or_else(|| format!("{option} needs a value."))
        };
        match option {
            "--template" => self.templates.push(value()?.into()),
            "--artifacts" => self.artifacts = value()?.into(),
            "--stack" => self.stack = stack(value()?)?,
            "--parameter" => self.parameters.push(pair(option, value()?)?),
            "--port" => {
                let port = value()?;
                let number = port.parse();
                self.port = number.map_err(|_| format!("--port is a number, not '{port}'."))?;
            }
            "--chaos" => {
                let seed = value()?;
                let number = seed.parse();
                let number = number.map_err(|_| format!("--chaos is a number, not '{seed}'."))?;
                self.chaos = Some(number);
            }
            "--data" => {
                self.data = match value()? {
                    ":memory:" => Data::Memory,
                    folder => Data::Folder(folder.into()),
                };
            }
            "--mount" => {
                let (path, url) = pair(option, value()?)?;
                let mount = Mount::new(&path, &url).map_err(|error| error.message)?;
                self.mounts.push(mount);
            }
            "--quotas" => self.quotas = quotas(value()?)?,
            _ => return Err(format!("There is no option '{option}'.")),
        }
        Ok(())
    }
}

/// A stack's name, as CloudFormation allows it.
fn stack(name: &str) -> Result<String, String> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    let begins = name.starts_with(|letter: char| letter.is_ascii_alphabetic());
    if begins && name.len() <= 128 && name.chars().all(allowed) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "--stack begins with a letter and has letters, digits and hyphens, at most 128, unlike '{name}'."
    ))
}

/// Whether AWS's quotas are enforced.
fn quotas(set: &str) -> Result<bool, String> {
    match set {
        "aws" => Ok(true),
        "none" => Ok(false),
        _ => Err(format!("--quotas is aws or none, not '{set}'.")),
    }
}

fn pair(option: &str, text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (name, value) = pair.ok_or_else(|| format!("{option} is NAME=VALUE, not '{text}'."))?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&words)
    }

    #[test]
    fn options_are_read() {
        let line = "up --template a.yaml --template b.yaml --artifacts out --stack shop --parameter A=b=c --port 0 \
                    --data /tmp/x --mount /console=http://127.0.0.1:5173/ --aws-polling --quotas aws --chaos 7 \
                    --until-stdin-ends";
        let options = parse(line).unwrap();
        assert_eq!(
            options.templates,
            [PathBuf::from("a.yaml"), "b.yaml".into()]
        );
        assert_eq!(options.artifacts, PathBuf::from("out"));
        assert_eq!((options.stack.as_str(), options.port), ("shop", 0));
        assert_eq!(options.parameters, [("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(options.data, Data::Folder("/tmp/x".into()));
        assert_eq!(options.mounts[0].prefix(), "/console");
        assert_eq!(options.mounts[0].target(), "http://127.0.0.1:5173");
        assert_eq!(options.polling, Polling::EachSecond);
        assert_eq!((options.quotas, options.chaos), (true, Some(7)));
        assert!(options.until_stdin_ends);
        let least = parse("up --template a --artifacts b").unwrap();
        assert_eq!((least.port, least.data), (4566, Data::Memory));
        assert_eq!((least.polling, least.quotas), (Polling::AtOnce, false));
        assert_eq!(least.chaos, None);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, told) in [
            ("down", "'down'"),
            ("up --artifacts a", "--template is missing"),
            ("up --template a", "--artifacts is missing"),
            ("up --template", "--template needs a value"),
            ("up --port x", "--port is a number, not 'x'"),
            ("up --chaos x", "--chaos is a number, not 'x'"),
            ("up --stack 1a", "unlike '1a'"),
            ("up --parameter A", "not 'A'"),
            ("up --quotas azure", "--quotas is aws or none, not 'azure'"),
            ("up --mount console=http://h", "the prefix \"console\""),
            ("up --mount /c=https://h", "the target \"https://h\""),
            ("up --verbose", "'--verbose'"),
        ] {
            let mistake = parse(line).unwrap_err();
            assert!(mistake.contains(told), "{line}: {mistake}");
        }
    }
}
