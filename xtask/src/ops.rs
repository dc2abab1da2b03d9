//! Passes commands on to the package `ops`, with the runtime's variables. `ops` reads and changes the system's data. It
//! links the AWS SDK, so it takes longer to compile than this tool should.

use command_line::Words;

use crate::failure::Result;
use crate::package::{OPS, program};
use crate::runtime_env::Target;
use crate::shell::{command, stand_in};
use crate::workspace::Workspace;

/// Runs `ops COMMAND …` with the other words of the command line.
pub fn hand_on(workspace: &Workspace, words: &Words) -> Result<()> {
    let target = Target::select(workspace, words)?;
    let rest = words.handed_on();
    let rest = rest.iter().map(String::as_str);
    let words: Vec<&str> = [words.command.name].into_iter().chain(rest).collect();
    ops(workspace, &target, &words)
}

/// Runs `ops COMMAND …` on a runtime.
pub fn ops(workspace: &Workspace, target: &Target, words: &[&str]) -> Result<()> {
    let mut ops = command(program(workspace, OPS, &[])?, words);
    ops.current_dir(&workspace.root);
    stand_in(ops.envs(target.variables.iter().cloned()))
}
