//! A shell in a checkout of its own, on a runtime of its own.
//!
//! The checkout is a folder of links to the real checkout, so that the user's `.local` is not touched. In the session,
//! `cargo xtask` runs the xtask under test. Every other `cargo` command runs in the real checkout, so nothing is
//! compiled twice.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// The entries that the session's checkout has for itself. All other entries are links.
const OWN: [&str; 3] = [".git", ".local", "target"];

/// The longest time that a command may take. The first command compiles.
const AT_MOST: Duration = Duration::from_mins(20);

/// Marks the end of a command's output; its exit code follows.
const END: u8 = 1;

/// A command's output on stdout and stderr, and its exit code.
#[derive(Debug)]
pub struct Printed {
    pub text: String,
    pub status: i32,
}

pub struct Session {
    folder: PathBuf,
    shell: Child,
    input: ChildStdin,
    printed: Receiver<Printed>,
}

impl Session {
    pub fn new(root: &Path, name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("documents")
            .join(name);
        // An earlier session that was interrupted may have left its runtime running.
        end(&folder);
        let _ = fs::remove_dir_all(&folder);
        let checkout = folder.join("checkout");
        fs::create_dir_all(&checkout).unwrap();
        link(root, &checkout);
        environment(root, &checkout);
        programs(root, &folder);

        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("bash");
        shell
            .args(["--noprofile", "--norc"])
            .current_dir(&checkout)
            .env("PATH", format!("{}:{path}", folder.join("bin").display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            if name.starts_with("AWS_") || name.starts_with("ALPES_") {
                shell.env_remove(&variable);
            }
        }
        let mut shell = shell.spawn().unwrap();
        let mut input = shell.stdin.take().unwrap();
        writeln!(input, "exec 2>&1; set -o pipefail").unwrap();
        let output = shell.stdout.take().unwrap();
        let (heard, printed) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(one) = next(&mut output) {
                if heard.send(one).is_err() {
                    return;
                }
            }
        });
        Self {
            folder,
            shell,
            input,
            printed,
        }
    }

    /// The session's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a command as if a user had typed it.
    pub fn run(&mut self, command: &str) -> Printed {
        let file = self.folder.join("command");
        fs::write(&file, command).unwrap();
        let (file, end) = (file.display(), format!("\\{END:03o}"));
        writeln!(
            self.input,
            "{{ . '{file}'; }} </dev/null; printf '{end}%d\\n' $?"
        )
        .unwrap();
        match self.printed.recv_timeout(AT_MOST) {
            Ok(printed) => printed,
            Err(error) => panic!("{command}: {error}"),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        end(&self.folder);
    }
}

/// Reads the output of one command.
fn next(output: &mut impl BufRead) -> Option<Printed> {
    let mut text = vec![];
    output.read_until(END, &mut text).ok()?;
    if text.pop() != Some(END) {
        return None;
    }
    let mut status = String::new();
    output.by_ref().read_line(&mut status).ok()?;
    Some(Printed {
        text: String::from_utf8_lossy(&text).into_owned(),
        status: status.trim().parse().ok()?,
    })
}

/// Stops the runtime of a session.
fn end(folder: &Path) {
    let cargo = folder.join("bin/cargo");
    if cargo.is_file() {
        let ended = Command::new(cargo)
            .args(["xtask", "down", "--all"])
            .stderr(Stdio::null())
            .status();
        assert!(ended.unwrap().success(), "its runtime goes on running");
    }
}

fn link(root: &Path, checkout: &Path) {
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if !OWN.iter().any(|own| name == *own) {
            symlink(entry.path(), checkout.join(name)).unwrap();
        }
    }
}

/// Makes a `.local` with links to the installed tools, whose stamps name this checkout.
fn environment(root: &Path, checkout: &Path) {
    let (real, own) = (root.join(".local"), checkout.join(".local"));
    fs::create_dir_all(own.join("venv")).unwrap();
    let installed = fs::read_dir(real.join("venv"));
    let installed = installed.expect("`cargo xtask tools aws` installs what this needs");
    for entry in installed {
        let entry = entry.unwrap();
        let link = own.join("venv").join(entry.file_name());
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "made-for" || name.starts_with("requirements") {
            let stamp = fs::read_to_string(entry.path()).unwrap();
            let (real, own) = (real.display().to_string(), own.display().to_string());
            fs::write(link, stamp.replacen(&real, &own, 1)).unwrap();
        } else {
            symlink(entry.path(), link).unwrap();
        }
    }
}

/// The programs with which commands in documents begin.
fn programs(root: &Path, folder: &Path) {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let real = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let build = format!(
        "#!/bin/sh\ncd '{}' && exec '{real}' \"$@\"\n",
        root.display()
    );
    program(&folder.join("cargo"), &build);
    // The session's port replaces the usual one.
    let cargo = format!(
        "#!/bin/sh
[ \"$1\" = xtask ] || {{ echo \"cargo $* is not run here\" >&2; exit 1; }}
shift
case \"$1\" in up | demo) set -- \"$@\" --port {port} ;; esac
export CARGO='{cargo}' CARGO_MANIFEST_DIR='{checkout}/xtask'
exec '{xtask}' \"$@\"
",
        port = free_port(),
        cargo = folder.join("cargo").display(),
        checkout = folder.join("checkout").display(),
        xtask = env!("CARGO_BIN_EXE_xtask"),
    );
    program(&bin.join("cargo"), &cargo);
    // As on a terminal, curl shows no progress. An HTTP error status makes curl fail.
    let found = Command::new("bash").args(["-c", "type -P curl"]).output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    let curl = format!(
        "#!/bin/sh\nexec '{}' --silent --fail-with-body \"$@\"\n",
        found.trim()
    );
    program(&bin.join("curl"), &curl);
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
