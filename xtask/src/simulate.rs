//! The command `simulate`: builds the simulation and passes the command's words on to it.

use std::process::Command;

use command_line::Words;

use crate::failure::{Result, fail};
use crate::package::program;
use crate::shell::{capture, command, run, stand_in};
use crate::workspace::Workspace;

/// The profile of long searches: fast to run, but a build of its own.
const OPTIMISED: &str = "simulate";
/// The profiles that the gate builds anyway. Only the first one optimises crates.
const TESTS: &str = "test";
const USUAL: &str = "dev";

/// The number of seeds in the gate.
const SEEDS: &str = "1000";
/// The number of seeds of a long search, which suffices to reach everything that `simulate::exercised` lists.
const MANY_SEEDS: &str = "10000";
/// The number of seeds that are compared between two builds: each scenario a few times.
const COMPARED: &str = "100";

/// The command `simulate WORDS`, built in this profile.
fn built(workspace: &Workspace, profile: &str, words: &[&str]) -> Result<Command> {
    let program = program(workspace, "simulate", &["--profile", profile])?;
    let mut simulate = command(program, words);
    simulate.current_dir(&workspace.root);
    Ok(simulate)
}

/// Runs `simulate …`.
pub fn simulate(workspace: &Workspace, words: &Words) -> Result<()> {
    let program = program(workspace, "simulate", &["--profile", OPTIMISED])?;
    let mut simulate = command(program, &[]);
    stand_in(
        simulate
            .args(words.handed_on())
            .current_dir(&workspace.root),
    )
}

/// Runs the simulation with some seeds, in a build that needs little compiling after the tests.
pub fn search(workspace: &Workspace) -> Result<()> {
    run(&mut built(workspace, TESTS, &["--seeds", SEEDS])?)
}

/// Runs the simulation with many seeds.
pub fn long_search(workspace: &Workspace) -> Result<()> {
    run(&mut built(workspace, OPTIMISED, &["--seeds", MANY_SEEDS])?)
}

/// Checks that an optimised and a plain build give the same trace for each seed.
pub fn compare(workspace: &Workspace) -> Result<()> {
    let digests = |profile| capture(&mut built(workspace, profile, &["--digests", COMPARED])?);
    let (usual, optimised) = (digests(USUAL)?, digests(TESTS)?);
    let mut pairs = usual.lines().zip(optimised.lines());
    match pairs.find(|(one, other)| one != other) {
        Some((one, other)) => fail(format!("one build says {one}, the other {other}")),
        None if usual != optimised => fail("one build played more seeds than the other"),
        None => Ok(()),
    }
}
