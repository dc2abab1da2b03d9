//! A deployed runtime, as described by its env file `.local/run/NAME/env`. The env file of the runtime that was brought
//! up last is copied to `.local/env`. An env file has lines `NAME=VALUE`, which a shell, cargo-lambda and this tool can
//! read.

use std::fs;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

use command_line::Words;

use crate::failure::{Explain, Result, fail, wrong};
use crate::local_runtime::running_pid;
use crate::workspace::{Workspace, children, write};

/// The default name of the stack.
pub const STACK: &str = "aeroalpes";

/// How long a runtime may take to accept a connection.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// The port in the option `--port`.
pub fn port(words: &Words) -> Option<u16> {
    words.number("--port")?.try_into().ok()
}

/// The address of a runtime.
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

    /// Parses a URL. The URL must be plain HTTP, as emulators speak it; `infra/deploy.sh` alone deploys to AWS.
    pub fn parse(url: &str) -> Result<Self> {
        let url = url.trim_end_matches('/');
        let no_address = || {
            wrong(format!(
                "--endpoint takes an address such as http://127.0.0.1:4566, not '{url}'."
            ))
        };
        let Some(authority) = url.strip_prefix("http://") else {
            return no_address();
        };
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        match port.parse() {
            Ok(port) if !host.is_empty() => Ok(Self {
                url: url.to_owned(),
                host: host.to_owned(),
                port,
            }),
            _ => no_address(),
        }
    }

    /// The address in the option `--port` or `--endpoint`.
    pub fn named(words: &Words) -> Result<Option<Self>> {
        match (port(words), words.value("--endpoint")) {
            (Some(port), _) => Ok(Some(Self::local(port))),
            (None, Some(url)) => Self::parse(url).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// The option that names this address.
    pub fn option(&self) -> String {
        if self.is_here() {
            format!("--port {}", self.port)
        } else {
            format!("--endpoint {}", self.url)
        }
    }

    /// True if the runtime at this address accepts a connection.
    pub fn answers(&self) -> bool {
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let mut addresses = addresses.into_iter().flatten();
        addresses.any(|address| TcpStream::connect_timeout(&address, CONNECTS_WITHIN).is_ok())
    }

    /// Fails if the runtime at this address accepts no connection.
    pub fn must_answer(&self) -> Result<()> {
        if self.answers() {
            return Ok(());
        }
        fail(format!(
            "Nothing answers at {}. Start LocalStack there first.",
            self.url
        ))
    }

    fn is_here(&self) -> bool {
        self.host == "127.0.0.1" || self.host == "localhost"
    }

    /// The name of the runtime's folder. For a runtime on this machine, the name is the port.
    pub fn run_name(&self) -> String {
        if self.is_here() {
            self.port.to_string()
        } else {
            format!("{}-{}", self.host, self.port)
        }
    }
}

/// A runtime's folder, and the variables of its env file.
pub struct Target {
    pub folder: PathBuf,
    pub variables: Vec<(String, String)>,
}

impl Target {
    pub fn folder(workspace: &Workspace, endpoint: &Endpoint) -> PathBuf {
        workspace.local().join("run").join(endpoint.run_name())
    }

    /// The runtime in `--port` or `--endpoint`, or otherwise the one that was brought up last. Fails if that runtime
    /// does not answer.
    pub fn select(workspace: &Workspace, words: &Words) -> Result<Self> {
        let endpoint = Endpoint::named(words)?;
        let found = match &endpoint {
            Some(endpoint) => Self::read(&Self::folder(workspace, endpoint).join("env"))?,
            None => Self::meant(workspace)?,
        };
        let Some(target) = found else {
            return Self::absent(workspace, endpoint.as_ref());
        };
        if target.is_up()? {
            return Ok(target);
        }
        let endpoint = target.endpoint()?;
        let option = endpoint.option();
        let (again, data) = match target.get("ALPES_ENDED_BY")? {
            "docker" => (format!("--on localstack {option}"), "empty"),
            "endpoint" => (format!("--endpoint {}", endpoint.url), "empty"),
            _ => (option.clone(), "with its data"),
        };
        fail(format!(
            "The runtime at {} does not run any more. Bring it up again, {data}: cargo xtask up {again}. Or forget it: \
             cargo xtask down {option}.{}",
            endpoint.url,
            others(workspace)?
        ))
    }

    /// The error for a runtime that does not exist.
    pub fn absent<T>(workspace: &Workspace, endpoint: Option<&Endpoint>) -> Result<T> {
        let others = others(workspace)?;
        fail(match endpoint {
            Some(endpoint) => format!(
                "Nothing is deployed at {}. Start with: cargo xtask up {}.{others}",
                endpoint.url,
                endpoint.option()
            ),
            None if others.is_empty() => "No runtime is up. Start one with: cargo xtask up".into(),
            None => format!("Which runtime is meant?{others}"),
        })
    }

    /// The runtime that commands use by default, if there is one.
    pub fn meant(workspace: &Workspace) -> Result<Option<Self>> {
        Self::read(&workspace.local().join("env"))
    }

    /// Makes this runtime the one that commands use by default.
    pub fn mean(&self, workspace: &Workspace) -> Result<()> {
        write(&workspace.local().join("env"), render(&self.variables))
    }

    /// The runtimes that are up. The one that was brought up last is at the end.
    pub fn up(workspace: &Workspace) -> Result<Vec<Self>> {
        let mut found = vec![];
        for folder in Self::all(workspace)? {
            let file = folder.join("env");
            // An env file that cannot be parsed is skipped, because commands cannot name its runtime. It is perhaps
            // from another version of this tool.
            if let Ok(Some(target)) = Self::read(&file)
                && target.is_up().unwrap_or(false)
            {
                let written = fs::metadata(&file).and_then(|file| file.modified());
                found.push((
                    written.explain("Cannot tell when a file was written")?,
                    target,
                ));
            }
        }
        found.sort_by_key(|(written, _)| *written);
        Ok(found.into_iter().map(|(_, target)| target).collect())
    }

    /// True if the runtime runs. Another program may have the runtime's port by now, so a local runtime is recognized
    /// by its process.
    pub fn is_up(&self) -> Result<bool> {
        match self.get("ALPES_ENDED_BY")? {
            "process" => Ok(running_pid(&self.folder)?.is_some()),
            _ => Ok(self.endpoint()?.answers()),
        }
    }

    /// The runtime's address.
    pub fn endpoint(&self) -> Result<Endpoint> {
        Endpoint::parse(self.get("AWS_ENDPOINT_URL")?)
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
        target.folder = PathBuf::from(target.get("ALPES_RUN")?);
        Ok(Some(target))
    }

    /// The folders of all runtimes that were started and not ended.
    pub fn all(workspace: &Workspace) -> Result<Vec<PathBuf>> {
        children(&workspace.local().join("run"))
    }

    /// Writes the runtime's env file, and makes the runtime the default of commands.
    pub fn save(&self, workspace: &Workspace) -> Result<()> {
        write(&self.folder.join("env"), render(&self.variables))?;
        self.mean(workspace)
    }

    /// Deletes the runtime's folder, and `.local/env` if it names this runtime.
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

/// The runtimes that are up, as the end of a message; empty if there are none.
fn others(workspace: &Workspace) -> Result<String> {
    let mut up = vec![];
    for target in Target::up(workspace)? {
        let endpoint = target.endpoint()?;
        up.push(format!("{} ({})", endpoint.url, endpoint.option()));
    }
    Ok(if up.is_empty() {
        String::new()
    } else {
        format!(" Up: {}.", up.join(", "))
    })
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
            ("ALPES_API_URL".to_owned(), "http://h:1/a?b=c".to_owned()),
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
