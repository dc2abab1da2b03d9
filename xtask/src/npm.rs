//! Programs from npm that the gate checks with, in `.local/npm`, where Node is on the machine.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Explain, Result};
use crate::progress::step;
use crate::shell::{capture, command, output};
use crate::workspace::{Workspace, write};

/// What is wanted, and of it every package with its hash.
const PINS: [&str; 2] = ["package.json", "package-lock.json"];

/// True if programs from npm can be installed and run here.
pub fn available() -> bool {
    ["node", "npm"].into_iter().all(|program| {
        output(&mut command(program, &["--version"])).is_ok_and(|told| told.status.success())
    })
}

/// Where a program is, once it is [`install`]ed.
pub fn tool(workspace: &Workspace, name: &str) -> PathBuf {
    folder(workspace).join("node_modules/.bin").join(name)
}

/// Installs what `infra/local` pins, unless that is what is installed. No package runs code of its own as it is installed.
pub fn install(workspace: &Workspace) -> Result<()> {
    let folder = folder(workspace);
    let stamp = folder.join("installed");
    let pins = pins(workspace)?;
    let wanted = pins.concat();
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    step("install the checkers from npm, into .local/npm", || {
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
