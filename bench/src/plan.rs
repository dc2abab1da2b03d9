//! What to measure: written by `cargo xtask bench`, which builds and starts it all.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Plan {
    /// The checkout.
    pub root: PathBuf,
    /// A folder for logs of what is measured.
    pub scratch: PathBuf,
    /// Fewer rounds.
    pub quick: bool,
    /// The emulator's address.
    pub endpoint: String,
    /// The API deployed on it.
    pub api: String,
    /// Region and credentials for it.
    pub environment: BTreeMap<String, String>,
    /// Python with boto3.
    pub python: PathBuf,
    /// What the emulator is, with its version.
    pub emulator: String,
    pub functions: Vec<Function>,
}

#[derive(Debug, Deserialize)]
pub struct Function {
    pub name: String,
    /// As `cargo build --release` made it.
    pub binary: PathBuf,
    pub zip: PathBuf,
    /// The sample event to invoke it with.
    pub event: PathBuf,
}

/// How often.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// Starts of each function.
    pub starts: usize,
    /// Invocations of each function in one process.
    pub invocations: usize,
    /// Rounds in which peers take turns, and what each does in one.
    pub turns: usize,
    pub per_turn: usize,
    /// Requests over HTTP.
    pub requests: usize,
    /// Sagas on the local runtime, of one client and of several.
    pub sagas: [usize; 2],
    /// Sagas of an engine in memory in one turn.
    pub sagas_per_turn: usize,
    /// Reservations whose events are replayed in memory.
    pub replayed: usize,
}

impl Plan {
    pub fn read(file: &str) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
        serde_json::from_str(&text).with_context(|| format!("{file} is not a plan"))
    }

    pub fn rounds(&self) -> Rounds {
        if self.quick {
            Rounds {
                starts: 10,
                invocations: 100,
                turns: 3,
                per_turn: 20,
                requests: 100,
                sagas: [30, 60],
                sagas_per_turn: 100,
                replayed: 1_000,
            }
        } else {
            Rounds {
                starts: 40,
                invocations: 100,
                turns: 10,
                per_turn: 50,
                requests: 500,
                sagas: [200, 400],
                sagas_per_turn: 500,
                replayed: 10_000,
            }
        }
    }

    pub fn function(&self, name: &str) -> Result<&Function> {
        let found = self.functions.iter().find(|function| function.name == name);
        found.with_context(|| format!("there is no function {name}"))
    }
}
