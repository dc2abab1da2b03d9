//! `simulate`: builds the world in which the whole system runs, and hands on what it is to look for.

use std::process::Command;

use command_line::Words;

use crate::failure::{Result, fail};
use crate::package::program;
use crate::shell::{capture, command, run, stand_in};
use crate::workspace::Workspace;

/// A profile of its own: fast, and quick to build.
pub const OPTIMISED: &str = "simulate";
/// The profile of everything else that the gate builds.
const USUAL: &str = "dev";

/// So many seeds come by everything that there is, see `simulate::exercised`.
const SEEDS: &str = "10000";
/// So many seeds are played by two builds: each scenario a few times.
const COMPARED: &str = "100";

/// `simulate WORDS`, built with a profile.
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

/// Searches as long as a gate may.
pub fn search(workspace: &Workspace) -> Result<()> {
    run(&mut built(workspace, OPTIMISED, &["--seeds", SEEDS])?)
}

/// A seed is one trace, whoever built what plays it.
pub fn compare(workspace: &Workspace) -> Result<()> {
    let digests = |profile| capture(&mut built(workspace, profile, &["--digests", COMPARED])?);
    let (usual, optimised) = (digests(USUAL)?, digests(OPTIMISED)?);
    let mut pairs = usual.lines().zip(optimised.lines());
    match pairs.find(|(one, other)| one != other) {
        Some((one, other)) => fail(format!("one build says {one}, the other {other}")),
        None if usual != optimised => fail("one build played more seeds than the other"),
        None => Ok(()),
    }
}
