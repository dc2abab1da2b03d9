//! `simulate`: builds the world in which the whole system runs, and hands on what it is to look for.

use crate::args::Args;
use crate::failure::Result;
use crate::package::cargo;
use crate::shell::{command, run};
use crate::workspace::Workspace;

/// Runs `simulate …`, in a profile of its own: fast, and quick to build.
pub fn simulate(workspace: &Workspace, args: Args) -> Result<()> {
    let words = [
        "run",
        "--quiet",
        "--profile",
        "simulate",
        "--package",
        "simulate",
        "--",
    ];
    let mut simulate = command(cargo(), &words);
    simulate.args(args.remaining()).current_dir(&workspace.root);
    run(&mut simulate)
}
