//! The plan of the measurements. `cargo xtask bench` writes it, and builds and starts everything in it.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub struct Plan {
    /// The root of the checkout.
    pub root: PathBuf,
    /// The folder for logs of the measured programs.
    pub scratch: PathBuf,
    /// True to measure with fewer repetitions.
    pub quick: bool,
    /// The address of the local runtime.
    pub endpoint: String,
    /// The URL of the API on the local runtime.
    pub api: String,
    /// The local runtime's region and credentials, as environment variables.
    pub environment: BTreeMap<String, String>,
    /// The path of a Python with boto3.
    pub python: PathBuf,
    /// The versions of the Python with which functions are compared.
    pub peer: String,
    pub functions: Vec<Function>,
}

#[derive(Debug, Deserialize)]
pub struct Function {
    pub name: String,
    /// The binary of `cargo build --release`.
    pub binary: PathBuf,
    pub zip: PathBuf,
    /// The sample event with which the function is invoked.
    pub event: PathBuf,
}

/// The number of repetitions.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// How often each function is started.
    pub starts: usize,
    /// How often each function is invoked in one process.
    pub invocations: usize,
    /// How often the event stores take turns, and how many commands each sends in one turn.
    pub turns: usize,
    pub per_turn: usize,
    /// How many HTTP requests are sent.
    pub requests: usize,
    /// How many sagas run on the local runtime: with one client, and with several.
    pub sagas: [usize; 2],
    /// How many sagas an in-memory engine runs in one turn.
    pub sagas_per_turn: usize,
    /// How many reservations' events are replayed in memory.
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
