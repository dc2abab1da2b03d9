//! A runtime that has been deployed to, as its env file tells: `.local/run/NAME/env`, with the one brought up last
//! copied to `.local/env`. Lines are `NAME=VALUE`, so that a shell, cargo-lambda and this tool all read them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::failure::{Explain, Result, fail};
use crate::workspace::{Workspace, children, write};

/// Name of the stack, unless told otherwise.
pub const STACK: &str = "aeroalpes";

/// Where a runtime answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub url: String,
    pub host: String,
    pub port: u16,
}

impl Endpoint {
    pub fn local(port: u16) -> Self {
        Self {
            url: format!("http://127.0.0.1:{port}"),
            host: "127.0.0.1".into(),
            port,
        }
    }

    /// Emulators speak plain HTTP; real AWS is deployed to by `infra/deploy.sh` alone.
    pub fn parse(url: &str) -> Result<Self> {
        let url = url.trim_end_matches('/');
        let wrong = || {
            fail(format!(
                "--endpoint takes an address such as http://127.0.0.1:4566, not '{url}'."
            ))
        };
        let Some(authority) = url.strip_prefix("http://") else {
            return wrong();
        };
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        match port.parse() {
            Ok(port) if !host.is_empty() => Ok(Self {
                url: url.to_owned(),
                host: host.to_owned(),
                port,
            }),
            _ => wrong(),
        }
    }

    /// The name of its folder: the port alone for one on this machine.
    pub fn run_name(&self) -> String {
        if self.host == "127.0.0.1" || self.host == "localhost" {
            self.port.to_string()
        } else {
            format!("{}-{}", self.host, self.port)
        }
    }
}

/// Its folder, and the variables of its env file.
pub struct Target {
    pub folder: PathBuf,
    pub variables: Vec<(String, String)>,
}

impl Target {
    pub fn folder(workspace: &Workspace, endpoint: &Endpoint) -> PathBuf {
        workspace.local().join("run").join(endpoint.run_name())
    }

    /// The one that `--port` or `--endpoint` names, or else the one brought up last.
    pub fn select(workspace: &Workspace, args: &mut Args) -> Result<Self> {
        let endpoint = match (args.port()?, args.option("--endpoint")?) {
            (Some(port), _) => Some(Endpoint::local(port)),
            (None, Some(url)) => Some(Endpoint::parse(&url)?),
            (None, None) => None,
        };
        let file = match &endpoint {
            Some(endpoint) => Self::folder(workspace, endpoint).join("env"),
            None => workspace.local().join("env"),
        };
        match Self::read(&file)? {
            Some(target) => Ok(target),
            None => fail(match endpoint {
                Some(endpoint) => format!(
                    "Nothing is deployed at {}. Start with: cargo xtask up",
                    endpoint.url
                ),
                None => "No runtime is up. Start one with: cargo xtask up".to_owned(),
            }),
        }
    }

    pub fn read(file: &Path) -> Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(file) else {
            return Ok(None);
        };
        let variables = parse(&text);
        let mut target = Self {
            folder: PathBuf::new(),
            variables,
        };
        target.folder = PathBuf::from(target.get("AEROALPES_RUN")?);
        Ok(Some(target))
    }

    /// All that are up, by folder.
    pub fn all(workspace: &Workspace) -> Result<Vec<PathBuf>> {
        children(&workspace.local().join("run"))
    }

    /// Writes its env file, and makes it the one that commands mean.
    pub fn save(&self, workspace: &Workspace) -> Result<()> {
        let text = render(&self.variables);
        write(&self.folder.join("env"), &text)?;
        write(&workspace.local().join("env"), &text)
    }

    /// Forgets it.
    pub fn remove(&self, workspace: &Workspace) -> Result<()> {
        let current = workspace.local().join("env");
        if Self::read(&current)?.is_some_and(|target| target.folder == self.folder) {
            fs::remove_file(&current).explain(format!("Cannot delete {}", current.display()))?;
        }
        if self.folder.is_dir() {
            fs::remove_dir_all(&self.folder)
                .explain(format!("Cannot delete {}", self.folder.display()))?;
        }
        Ok(())
    }

    pub fn get(&self, name: &str) -> Result<&str> {
        match self.variables.iter().find(|(key, _)| key == name) {
            Some((_, value)) => Ok(value),
            None => fail(format!(
                "The env file lacks {name}. Bring the runtime up again: cargo xtask up"
            )),
        }
    }
}

fn parse(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn render(variables: &[(String, String)]) -> String {
    use std::fmt::Write;
    let mut text =
        String::from("# Written by cargo xtask up. In a shell: set -a; . .local/env; set +a\n");
    for (name, value) in variables {
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rendered_is_read_back() {
        let variables = vec![
            ("AWS_REGION".to_owned(), "us-east-1".to_owned()),
            (
                "AEROALPES_API_URL".to_owned(),
                "http://h:1/a?b=c".to_owned(),
            ),
        ];
        assert_eq!(parse(&render(&variables)), variables);
    }

    #[test]
    fn endpoints_are_plain_http_addresses() {
        let endpoint = Endpoint::parse("http://localhost:4577/").unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("localhost", 4577));
        assert_eq!(endpoint.url, "http://localhost:4577");
        assert_eq!(endpoint.run_name(), "4577");
        assert_eq!(
            Endpoint::parse("http://stack").unwrap().run_name(),
            "stack-80"
        );
        assert!(Endpoint::parse("https://x").is_err());
        assert!(Endpoint::parse("http://x:y").is_err());
    }
}
