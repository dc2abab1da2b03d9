//! Commands that read or change the system's own data are the `ops` package's: it knows the AWS SDK, and takes longer
//! to compile than this tool should. Here they are handed on, with the runtime's variables.

use crate::args::Args;
use crate::failure::Result;
use crate::package::cargo;
use crate::runtime_env::Target;
use crate::shell::{command, run};
use crate::workspace::Workspace;

/// Runs `ops COMMAND …` with what else was on the command line.
pub fn hand_on(workspace: &Workspace, name: &str, mut args: Args) -> Result<()> {
    let target = Target::select(workspace, &mut args)?;
    let rest = args.remaining();
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    ops(workspace, &target, name, &rest)
}

/// Runs `ops COMMAND …` at a runtime.
pub fn ops(workspace: &Workspace, target: &Target, name: &str, rest: &[&str]) -> Result<()> {
    let mut ops = command(cargo(), &["run", "--quiet", "--package", "ops", "--"]);
    ops.arg(name).args(rest).current_dir(&workspace.root);
    run(ops.envs(target.variables.iter().cloned()))
}
