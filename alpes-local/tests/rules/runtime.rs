//! The runtime under test: a process with a folder of its own.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use uuid::Uuid;

/// A running runtime. It ends with this value, and also if this process dies.
pub struct Runtime {
    process: Child,
    folder: PathBuf,
    /// Its host and port.
    pub host: String,
}

impl Runtime {
    /// Starts the runtime with the probes.
    pub fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("alpes-rules-{}", Uuid::new_v4()));
        let code = folder.join("artifacts/probe");
        fs::create_dir_all(&code).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_probe"), code.join("bootstrap")).unwrap();
        let mut process = up(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut welcome = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut welcome).unwrap();
        let host = welcome.trim_end().split_once("http://");
        let host = host.expect("the runtime has not started").1.to_owned();
        Self {
            process,
            folder,
            host,
        }
    }

    /// The file to which the probes write.
    pub fn probe_file(&self) -> PathBuf {
        probe_file(&self.folder)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // The end of its input ends the runtime, and waiting closes that input.
        self.process.wait().unwrap();
        fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn probe_file(folder: &Path) -> PathBuf {
    folder.join("probe.jsonl")
}

fn up(folder: &Path) -> Command {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/template.yaml");
    let probe_file = format!("ProbeFile={}", probe_file(folder).display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_alpes-local"));
    command
        .args(["up", "--port", "0", "--aws-polling", "--until-stdin-ends"])
        .arg("--template")
        .arg(template)
        .arg("--artifacts")
        .arg(folder.join("artifacts"))
        .arg("--parameter")
        .arg(probe_file)
        .arg("--data")
        .arg(folder.join("data"));
    command
}
