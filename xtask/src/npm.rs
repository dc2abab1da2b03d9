//! Installs the gate's checkers that come from npm into `.local/npm`, if the machine has Node.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Explain, Result};
use crate::progress::quiet_step;
use crate::shell::{capture, command, output};
use crate::workspace::{Workspace, write};

/// The wanted packages, and the lock file with every package's hash.
const PINS: [&str; 2] = ["package.json", "package-lock.json"];

/// True if Node and npm are installed on this machine.
pub fn available() -> bool {
    ["node", "npm"].into_iter().all(|program| {
        output(&mut command(program, &["--version"])).is_ok_and(|told| told.status.success())
    })
}

/// The path of a program that [`install`] installs.
pub fn tool(workspace: &Workspace, name: &str) -> PathBuf {
    folder(workspace).join("node_modules/.bin").join(name)
}

/// Installs the packages that `infra/local` pins, unless they are installed already. Their install scripts are not run.
pub fn install(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    let stamp = folder.join("installed");
    let pins = pins(workspace)?;
    let wanted = pins.concat();
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    quiet_step("install the checkers from npm, into .local/npm", || {
        for (file, text) in PINS.into_iter().zip(&pins) {
            write(&folder.join(file), text)?;
        }
        let quietly = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
        capture(command("npm", &quietly).current_dir(&folder))?;
        write(&stamp, &wanted)
    })
}

fn pins(workspace: &Workspace) -> Result<Vec<String>> {
    let read = |file| {
        let path = workspace.path("infra/local").join(file);
        fs::read_to_string(&path).explain(format!("Cannot read {}", path.display()))
    };
    PINS.into_iter().map(read).collect()
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.local().join("npm")
}
